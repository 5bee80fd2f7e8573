"""What a message looks like where there is room for text only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.notify.port import Message, Recipient

__all__ = ["cut", "iso", "markdown", "one_line", "phones", "plain"]


def one_line(message: Message) -> str:
    """Return both titles in one line, e.g. for a subject."""
    parts = dict.fromkeys(" ".join(part.split()) for part in (message.title.zh, message.title.en))
    return " / ".join(part for part in parts if part)


def plain(message: Message) -> str:
    """Return both bodies, Chinese first, and where to go on."""
    parts = dict.fromkeys((message.body.zh.strip(), message.body.en.strip(), message.link))
    return "\n\n".join(part for part in parts if part)


def markdown(message: Message) -> str:
    """Return both bodies under a heading, for robots."""
    parts = dict.fromkeys((message.body.zh.strip(), message.body.en.strip()))
    lines = [f"### {one_line(message)}", *(part.replace("\n", "\n\n") for part in parts if part)]
    if message.link:
        lines.append(f"[处理 / Handle]({message.link})")
    return "\n\n".join(lines)


def phones(recipients: Sequence[Recipient]) -> list[str]:
    """Return the numbers that are known, each once."""
    return list(dict.fromkeys(one.phone for one in recipients if one.phone))


def cut(text: str, most_bytes: int) -> str:
    """Return as much of a text as a provider takes; that it was cut is to be seen."""
    raw = text.encode()
    if len(raw) <= most_bytes:
        return text
    mark = "…"
    return raw[: most_bytes - len(mark.encode())].decode(errors="ignore") + mark


def iso(time_ms: int) -> str:
    """Return a time as RFC 3339, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
