from __future__ import annotations

import hmac
import json
from base64 import b64encode
from hashlib import sha256
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

import pytest

from config.clock import SystemClock
from config.plant.model import Text
from tests.support.channel_contract import SECRET, TOKEN, HttpChannelContract
from tests.support.http_receiver import Conduct, HttpReceiver, Request
from tests.support.notifications import WANG, message

LONG = Text("泄" * 20_000, "leak " * 20_000)
HOUR_S = 3600


def answer(**fields: object) -> Conduct:
    return Conduct(body=json.dumps(fields).encode())


def signed(key: str, text: str) -> str:
    return b64encode(hmac.new(key.encode(), text.encode(), sha256).digest()).decode()


class RobotContract(HttpChannelContract):
    """What holds for all robots: 200 says nothing, the code in the body does."""

    code: str
    words: str
    later: tuple[int, ...]
    never: tuple[int, ...]

    def test_codes_are_read(self, receiver: HttpReceiver) -> None:
        for code, retry in [(code, True) for code in self.later] + [(code, False) for code in self.never]:
            receiver.conduct = answer(**{self.code: code, self.words: f"because {TOKEN} {SECRET}"[: 8 + len(TOKEN)]})
            error = self.error(receiver)
            assert (error.retry, error.after_s > 0) == (retry, retry), code
            assert f"{code} because ***" in str(error)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"errcode": "0", "code": "0"}', b"\xff"])
    def test_an_answer_of_somebody_else_is_none(self, receiver: HttpReceiver, body: bytes) -> None:
        receiver.conduct = Conduct(body=body, headers=(("X", "1"),))
        assert self.error(receiver).retry

    def test_what_is_too_long_is_cut(self, receiver: HttpReceiver) -> None:
        self.channel(receiver).send(message(body=LONG), [WANG], 5)
        assert len(receiver.requests[0].body) < 20_000


class TestDingTalk(RobotContract):
    kind = "dingtalk"
    path = f"/robot/send?access_token={TOKEN}"
    fields = MappingProxyType({"secret": SECRET})
    limit = 20
    code, words = "errcode", "errmsg"
    later, never = (-1, 130101), (310000, 300001, 400101)

    def good(self, request: Request) -> Conduct:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        fresh = abs(int(query["timestamp"]) / 1000 - SystemClock().wall_ms() / 1000) < HOUR_S
        if query["sign"] != signed(SECRET, f"{query['timestamp']}\n{SECRET}") or not fresh:
            return answer(errcode=310000, errmsg="sign not match")
        if query["access_token"] != TOKEN:
            return answer(errcode=300001, errmsg="token is not exist")
        return answer(errcode=0, errmsg="ok")

    def test_who_has_a_phone_is_mentioned(self, receiver: HttpReceiver) -> None:
        self.channel(receiver).send(message(), [WANG, WANG], 5)
        content = json.loads(receiver.requests[0].body)
        assert content["at"] == {"atMobiles": [WANG.phone], "isAtAll": False}
        assert content["markdown"]["text"].endswith(f"@{WANG.phone}")
        assert content["markdown"]["title"] == "红色报警 T-1 / Red alarm T-1"

    def test_who_is_above_the_limit_waits_ten_minutes(self, receiver: HttpReceiver) -> None:
        receiver.conduct = answer(errcode=130101, errmsg="send too fast")
        error = self.error(receiver)
        assert error.after_s == 600
        assert "send too fast" in str(error)

    def test_a_wrong_secret_is_told_as_permanent(self, receiver: HttpReceiver) -> None:
        error = self.error(receiver, secret=SECRET + "x")
        assert not error.retry
        assert "310000" in str(error)


class TestWeCom(RobotContract):
    kind = "wecom"
    path = f"/cgi-bin/webhook/send?key={TOKEN}"
    limit = 20
    code, words = "errcode", "errmsg"
    later, never = (-1, 45009), (93000, 40058)

    def good(self, request: Request) -> Conduct:
        content = json.loads(request.body)
        kind = content["msgtype"]
        if len(content[kind]["content"].encode()) > {"text": 2048, "markdown": 4096}[kind]:
            return answer(errcode=40058, errmsg="content exceed max length")
        return answer(errcode=0, errmsg="ok") if f"key={TOKEN}" in request.path else answer(errcode=93000, errmsg="")

    def test_who_has_a_phone_is_mentioned(self, receiver: HttpReceiver) -> None:
        channel = self.channel(receiver)
        channel.send(message(), [WANG], 5)
        channel.send(message(body=LONG), [], 5)
        first, second = (json.loads(request.body) for request in receiver.requests)
        assert first["text"]["mentioned_mobile_list"] == [WANG.phone]
        assert second["msgtype"] == "markdown"


class TestFeishu(RobotContract):
    kind = "feishu"
    path = f"/open-apis/bot/v2/hook/{TOKEN}"
    fields = MappingProxyType({"secret": SECRET, "open_ids": {"wang": "ou_1"}})
    limit = 100
    code, words = "code", "msg"
    later, never = (11232,), (19021, 19022, 19024, 9499)

    def good(self, request: Request) -> Conduct:
        content = json.loads(request.body)
        if content["sign"] != signed(f"{content['timestamp']}\n{SECRET}", ""):
            return answer(code=19021, msg="sign match fail or timestamp is not within one hour from current time")
        if abs(int(content["timestamp"]) - SystemClock().wall_ms() / 1000) > HOUR_S:
            return answer(code=19021, msg="sign match fail or timestamp is not within one hour from current time")
        return answer(code=0, msg="success", data={})

    def test_who_is_known_to_feishu_is_mentioned(self, receiver: HttpReceiver) -> None:
        self.channel(receiver).send(message(), [WANG], 5)
        card = json.loads(receiver.requests[0].body)["card"]
        assert {"tag": "markdown", "content": "<at id=ou_1></at>"} in card["elements"]
        assert card["header"]["template"] == "red"

    def test_a_wrong_secret_is_told_as_permanent(self, receiver: HttpReceiver) -> None:
        error = self.error(receiver, secret=SECRET + "x")
        assert not error.retry
        assert "19021" in str(error)
