from __future__ import annotations

import json
import sys
import traceback

import pytest

from config.clock import SystemClock
from config.duty.channels import AppriseSettings
from gateway.notify.channels.apprise import AppriseChannel
from gateway.notify.port import ChannelError, Delivery
from tests.support.http_receiver import Conduct, HttpReceiver
from tests.support.notifications import message

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # its own import

TOKEN = "token-also-secret-4711"


def channel(*urls: str) -> AppriseChannel:
    return AppriseChannel(AppriseSettings.model_validate({"kind": "apprise", "urls": urls}), SystemClock())


def url(receiver: HttpReceiver) -> str:
    return f"json://127.0.0.1:{receiver.port}/{TOKEN}"


def test_it_is_sent() -> None:
    with HttpReceiver() as receiver:
        assert channel(url(receiver)).send(message(), [], 5).delivery is Delivery.SENT
        content = json.loads(receiver.requests[0].body)
    assert content["title"] == "红色报警 T-1 / Red alarm T-1"


@pytest.mark.parametrize(("conduct", "within_s"), [(Conduct(500), 5.0), (Conduct(silent=True), 0.3)])
def test_what_was_not_taken_is_said_without_the_address(conduct: Conduct, within_s: float) -> None:
    with HttpReceiver() as receiver:
        receiver.conduct = conduct
        began_s = SystemClock().monotonic_s()
        with pytest.raises(ChannelError) as caught:
            channel(url(receiver)).send(message(), [], within_s)
        assert SystemClock().monotonic_s() - began_s < within_s + 0.7
    assert caught.value.retry
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_an_address_it_does_not_know() -> None:
    with pytest.raises(ChannelError, match="address 1") as caught:
        channel(f"nonsense://{TOKEN}")
    assert not caught.value.retry
    assert TOKEN not in str(caught.value)


def test_it_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ChannelError, match=r"hazgate\[apprise\]") as caught:
        channel("json://a")
    assert not caught.value.retry
