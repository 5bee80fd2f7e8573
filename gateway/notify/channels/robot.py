"""What the robots of group chats have in common: they answer 200 whatever happened, and say in the body what did."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.notify.channels.http import Answer, Poster
from gateway.notify.port import ChannelError

__all__ = ["judge"]


def judge(poster: Poster, answer: Answer, fields: tuple[str, str], later: Mapping[int, float], provider: str) -> None:
    """Let pass an answer that says that the message was taken.

    Args:
        poster: Which got it; takes secrets out of the provider's words.
        answer: Of status 2xx.
        fields: Names of the code (0: taken) and of the words.
        later: Codes that pass by themselves, and after how many seconds. All others are permanent: a wrong signature,
            keyword or address stays wrong until somebody mends it.
        provider: Name for errors.

    Raises:
        ChannelError: It was not taken, or the answer is not the provider's.
    """
    content = answer.fields()
    code = content.get(fields[0])
    if code == 0 and not isinstance(code, bool):
        return
    if not isinstance(code, int):
        raise ChannelError(f"{provider}: an answer that is not its own; something between may have given it")
    words = poster.redact(str(content.get(fields[1], "")))
    raise ChannelError(f"{provider}: {code} {words}", retry=code in later, after_s=later.get(code, 0.0))
