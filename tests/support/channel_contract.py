"""What every channel over HTTP must do, whoever it talks to; a test class inherits it and says how to make one."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from config.clock import Clock, SystemClock
from gateway.notify.channels.registry import CHANNELS
from gateway.notify.port import Channel, ChannelError, Delivery
from tests.support.clocks import ManualClock
from tests.support.http_receiver import Conduct, HttpReceiver, Request
from tests.support.notifications import WANG, message

__all__ = ["SECRET", "TOKEN", "HttpChannelContract"]

SECRET = "SEC-very-secret-0815"
TOKEN = "token-also-secret-4711"
WITHIN_S = 0.4


class HttpChannelContract(ABC):
    """Inherited by the tests of channels over HTTP."""

    kind: str
    path = "/hook"
    fields: Mapping[str, object] = MappingProxyType({})
    limit: int
    secret = TOKEN
    """What the provider repeats in an answer; must not be in an error."""

    @abstractmethod
    def good(self, request: Request) -> Conduct:
        """Check a request as the provider would and answer it as the provider does."""

    @pytest.fixture
    def receiver(self) -> Iterator[HttpReceiver]:
        with HttpReceiver(self.good) as receiver:
            yield receiver

    def channel(self, receiver: HttpReceiver, clock: Clock | None = None, **more: object) -> Channel:
        model, constructor = CHANNELS[self.kind]
        document = {"kind": self.kind, "url": receiver.url + self.path, "allow_private": True, **self.fields, **more}
        return constructor(model.model_validate(document), clock or SystemClock())

    def error(self, receiver: HttpReceiver, within_s: float = 5.0, **more: object) -> ChannelError:
        channel = self.channel(receiver, None, **more)
        with pytest.raises(ChannelError) as caught:
            channel.send(message(), [WANG], within_s)
        text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert SECRET not in text
        assert TOKEN not in text
        return caught.value

    def test_what_is_sent_is_accepted(self, receiver: HttpReceiver) -> None:
        assert self.channel(receiver).send(message(), [WANG], 5).delivery is Delivery.ACCEPTED
        assert len(receiver.requests) == 1
        assert "可燃气体 52 %LEL" in receiver.requests[0].body.decode()
        assert "Combustible gas 52 %LEL" in receiver.requests[0].body.decode()

    def test_no_recipient_is_a_room(self, receiver: HttpReceiver) -> None:
        assert self.channel(receiver).send(message(), [], 5).delivery is Delivery.ACCEPTED

    @pytest.mark.parametrize("status", [500, 502, 503, 408])
    def test_a_server_in_trouble_is_tried_again(self, receiver: HttpReceiver, status: int) -> None:
        receiver.conduct = Conduct(status, self.secret.encode())
        error = self.error(receiver)
        assert error.retry
        assert str(status) in str(error)

    def test_429_says_when(self, receiver: HttpReceiver) -> None:
        receiver.conduct = Conduct(429, headers=(("Retry-After", "17"),))
        error = self.error(receiver)
        assert error.retry
        assert error.after_s == 17

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
    def test_what_is_wrong_stays_wrong(self, receiver: HttpReceiver, status: int) -> None:
        receiver.conduct = Conduct(status, b"no")
        assert not self.error(receiver).retry

    def test_a_redirect_is_not_followed(self, receiver: HttpReceiver) -> None:
        with HttpReceiver() as elsewhere:
            receiver.conduct = Conduct(307, headers=(("Location", elsewhere.url),))
            assert not self.error(receiver).retry
            assert elsewhere.requests == []

    @pytest.mark.parametrize("conduct", [Conduct(silent=True), Conduct(drip=True)], ids=["silent", "drip"])
    def test_time_is_bounded_over_all(self, receiver: HttpReceiver, conduct: Conduct) -> None:
        receiver.conduct = conduct
        began_s = SystemClock().monotonic_s()
        assert self.error(receiver, WITHIN_S).retry
        assert SystemClock().monotonic_s() - began_s < WITHIN_S + 0.5

    def test_a_cut_answer_is_no_answer(self, receiver: HttpReceiver) -> None:
        receiver.conduct = Conduct(cut=True)
        assert self.error(receiver).retry

    def test_nobody_there(self) -> None:
        with HttpReceiver() as gone:
            pass
        assert self.error(gone).retry

    def test_of_a_huge_error_little_is_quoted(self, receiver: HttpReceiver) -> None:
        receiver.conduct = Conduct(500, b"x" * 5_000_000)
        assert len(str(self.error(receiver))) < 300

    def test_this_machine_is_refused_unless_allowed(self, receiver: HttpReceiver) -> None:
        error = self.error(receiver, allow_private=False)
        assert not error.retry
        assert "allow_private" in str(error)
        assert receiver.requests == []
        allowed = self.channel(receiver, allow_private=False, allow_networks=["127.0.0.0/8"])
        assert allowed.send(message(), [WANG], 5).delivery is Delivery.ACCEPTED

    def test_the_limit_says_when_to_come_again(self, receiver: HttpReceiver) -> None:
        clock = ManualClock(SystemClock().wall_ms())
        channel = self.channel(receiver, clock, per_minute=2)
        channel.send(message("a"), [], 5)
        clock.advance_s(20)
        channel.send(message("b"), [], 5)
        with pytest.raises(ChannelError) as caught:
            channel.send(message("c"), [], 5)
        assert caught.value.retry
        assert caught.value.after_s == pytest.approx(40)
        clock.advance_s(caught.value.after_s)
        channel.send(message("c"), [], 5)
        assert len(receiver.requests) == 3

    def test_the_limit_of_the_provider_is_the_default(self) -> None:
        model, _ = CHANNELS[self.kind]
        document = {"kind": self.kind, "url": "https://a.example" + self.path, **self.fields}
        assert model.model_validate(document).model_dump()["per_minute"] == self.limit
