from __future__ import annotations

import hmac
import json
from hashlib import sha256
from types import MappingProxyType

from config.clock import SystemClock
from tests.support.channel_contract import SECRET, TOKEN, HttpChannelContract
from tests.support.http_receiver import Conduct, HttpReceiver, Request
from tests.support.notifications import WANG, message


class TestWebhook(HttpChannelContract):
    kind = "webhook"
    path = f"/hook/{TOKEN}?token={TOKEN}"
    fields = MappingProxyType({"secret": SECRET})
    limit = 600
    secret = f"{SECRET} {TOKEN}"

    def good(self, request: Request) -> Conduct:
        timestamp = request.headers["x-hazgate-timestamp"]
        expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + request.body, sha256).hexdigest()
        fresh = abs(int(timestamp) - SystemClock().wall_ms() / 1000) < 300
        return Conduct(202 if request.headers["x-hazgate-signature"] == f"sha256={expected}" and fresh else 401)

    def test_a_repeated_message_is_the_same_bytes_under_the_same_key(self, receiver: HttpReceiver) -> None:
        channel = self.channel(receiver)
        channel.send(message("k-7"), [WANG], 5)
        channel.send(message("k-7"), [WANG], 5)
        first, second = receiver.requests
        assert first.body == second.body
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "k-7"
        assert first.path == self.path

    def test_the_envelope_is_a_cloudevent(self, receiver: HttpReceiver) -> None:
        self.channel(receiver).send(message("k-7", count=3), [WANG], 5)
        event = json.loads(receiver.requests[0].body)
        assert {name: event[name] for name in ("specversion", "id", "source", "type", "time")} == {
            "specversion": "1.0",
            "id": "k-7",
            "source": "urn:hazgate",
            "type": "hazgate.notification.alarm",
            "time": "2025-11-22T00:06:40.000Z",
        }
        assert event["data"]["count"] == 3
        assert event["data"]["alarms"][0]["alarm_id"] == "alarm-1"
        assert event["data"]["recipients"] == [{"id": "wang", "name": "王工"}]

    def test_contacts_go_along_only_when_told(self, receiver: HttpReceiver) -> None:
        self.channel(receiver, contacts=True).send(message(), [WANG], 5)
        assert json.loads(receiver.requests[0].body)["data"]["recipients"][0]["phone"] == WANG.phone
