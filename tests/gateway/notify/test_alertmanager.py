from __future__ import annotations

import json
from types import MappingProxyType

from gateway.notify.channels.alertmanager import fingerprint
from gateway.notify.port import Kind
from tests.support.channel_contract import TOKEN, HttpChannelContract
from tests.support.http_receiver import Conduct, HttpReceiver, Request
from tests.support.notifications import WANG, message, row


class TestAlertmanager(HttpChannelContract):
    kind = "alertmanager"
    path = f"/prometheusalert?type=dd&token={TOKEN}"
    fields = MappingProxyType({"token": TOKEN})
    limit = 600

    def good(self, request: Request) -> Conduct:
        return Conduct(200 if request.headers["authorization"] == f"Bearer {TOKEN}" else 401)

    def test_the_body_is_that_of_version_4(self, receiver: HttpReceiver) -> None:
        rows = (row(1), row(2, tier=2))
        self.channel(receiver, external_url="https://hazgate.example").send(message(alarms=rows, count=5), [WANG], 5)
        group = json.loads(receiver.requests[0].body)
        assert list(group) == [
            "version",
            "groupKey",
            "truncatedAlerts",
            "status",
            "receiver",
            "groupLabels",
            "commonLabels",
            "commonAnnotations",
            "externalURL",
            "alerts",
        ]
        assert (group["version"], group["status"], group["truncatedAlerts"]) == ("4", "firing", 3)
        assert group["commonLabels"] == {
            "alertname": "HazGateAlarm",
            "condition": "HH",
            "hazard_unit": "tank-farm",
            "kind": "alarm",
        }
        assert group["commonAnnotations"]["mobiles"] == WANG.phone
        first, second = group["alerts"]
        assert list(first) == [
            "status",
            "labels",
            "annotations",
            "startsAt",
            "endsAt",
            "generatorURL",
            "fingerprint",
        ]
        assert (first["labels"]["severity"], second["labels"]["severity"]) == ("critical", "major")
        assert first["endsAt"] == "0001-01-01T00:00:00Z"
        assert first["startsAt"] == "2025-11-22T00:06:30.000Z"
        assert all(isinstance(value, str) for value in first["labels"].values())

    def test_over_is_resolved_under_the_same_fingerprint(self, receiver: HttpReceiver) -> None:
        channel = self.channel(receiver)
        channel.send(message(), [], 5)
        channel.send(message("k2", Kind.OVER, alarms=(row(tier=2, cleared_ms=1_763_770_060_000),)), [], 5)
        firing, resolved = (json.loads(request.body) for request in receiver.requests)
        assert resolved["status"] == resolved["alerts"][0]["status"] == "resolved"
        assert resolved["alerts"][0]["endsAt"] == "2025-11-22T00:07:40.000Z"
        assert firing["alerts"][0]["fingerprint"] == resolved["alerts"][0]["fingerprint"]
        assert firing["groupKey"] == resolved["groupKey"]

    def test_a_self_test_is_about_no_alarm(self, receiver: HttpReceiver) -> None:
        self.channel(receiver).send(message("k", Kind.SELF_TEST, alarms=(), tier=0, count=0), [], 5)
        (alert,) = json.loads(receiver.requests[0].body)["alerts"]
        assert alert["labels"]["alertname"] == "HazGateSelfTest"


def test_fingerprints_are_those_of_prometheus() -> None:
    assert fingerprint({}) == "cbf29ce484222325"  # its hash of no labels
