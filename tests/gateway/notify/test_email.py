from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.duty.channels import EmailSettings
from gateway.notify.channels.email import Email
from gateway.notify.port import ChannelError, Delivery, Recipient
from tests.support.certificates import self_signed
from tests.support.notifications import WANG, message
from tests.support.smtp_receiver import SmtpReceiver

PASSWORD = "pass-never-shown-42"
LI = Recipient("li", "李工", email="li@example.com")


@pytest.fixture
def server() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as server:
        yield server


def email(server: SmtpReceiver, **more: object) -> Email:
    given = {
        "kind": "email",
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "sender": "gate@hazgate.example",
    }
    return Email(EmailSettings.model_validate(given | more), SystemClock())


def error(channel: Email, within_s: float = 5.0) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(message(), [WANG, LI], within_s)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_the_mail_is_in_both_languages_and_known_again(server: SmtpReceiver) -> None:
    channel = email(server, also_to=["room@example.com"])
    receipt = channel.send(message("k-1"), [WANG, LI], 5)
    again = channel.send(message("k-1"), [WANG, LI], 5)
    other = channel.send(message("k-2"), [WANG, LI], 5)
    assert receipt.delivery is Delivery.ACCEPTED
    assert receipt.reference == again.reference != other.reference
    to, mail = server.mails[0]
    assert to == [WANG.email, LI.email, "room@example.com"]
    assert mail["Subject"] == "红色报警 T-1 / Red alarm T-1"
    assert mail["Message-ID"] == server.mails[1][1]["Message-ID"] == receipt.reference
    assert mail["X-HazGate-Key"] == "k-1"
    assert mail["Importance"] == "high"
    body = mail.get_content()
    assert (
        body.index("可燃气体 52 %LEL") < body.index("Combustible gas 52 %LEL") < body.index("https://hazgate.example")
    )


@pytest.mark.parametrize("at_once", [True, False], ids=["tls", "starttls"])
def test_login_goes_over_tls(tmp_path: Path, *, at_once: bool) -> None:
    context, trusted = self_signed(tmp_path, "IP:127.0.0.1")
    secret_file = tmp_path / "password"
    secret_file.write_text(PASSWORD + "\n", encoding="utf-8")
    with SmtpReceiver(context, at_once=at_once) as server:
        channel = email(
            server,
            security="tls" if at_once else "starttls",
            ca_file=trusted,
            username="gate",
            password={"secret_file": str(secret_file)},
        )
        assert channel.send(message(), [WANG], 5).delivery is Delivery.ACCEPTED
        assert len(server.logins) == 1
        server.replies["AUTH"] = f"535 not with {PASSWORD}"
        assert not error(channel).retry


def test_a_certificate_nobody_trusts_is_not_trusted(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path, "IP:127.0.0.1")
    with SmtpReceiver(context) as server:
        assert "TLS" in str(error(email(server, security="starttls")))
        assert server.mails == []


def test_no_starttls_no_mail(server: SmtpReceiver) -> None:
    assert not error(email(server, security="starttls")).retry
    assert server.mails == []


@pytest.mark.parametrize(
    ("verb", "reply", "retry"),
    [("MAIL", "451 later", True), ("MAIL", "550 no", False), ("RCPT", "450 later", True), ("RCPT", "550 no", False)],
)
def test_replies_are_read(server: SmtpReceiver, verb: str, reply: str, *, retry: bool) -> None:
    server.replies[verb] = reply
    found = error(email(server))
    assert found.retry is retry
    assert (found.after_s > 0) is retry


def test_one_who_is_refused_is_not_passed_over(server: SmtpReceiver) -> None:
    server.refuse[LI.email] = "550 unknown"
    found = error(email(server))
    assert not found.retry
    assert "1 of 2" in str(found)
    assert server.mails[0][0] == [WANG.email]


@pytest.mark.parametrize("verb", ["EHLO", "RCPT"])
def test_time_is_bounded(server: SmtpReceiver, verb: str) -> None:
    server.replies[verb] = ""
    began_s = SystemClock().monotonic_s()
    assert error(email(server), 0.4).retry
    assert SystemClock().monotonic_s() - began_s < 0.9


def test_cut_after_the_mail_nobody_knows(server: SmtpReceiver) -> None:
    server.cut_after_data = True
    assert error(email(server)).retry


def test_nobody_with_an_address(server: SmtpReceiver) -> None:
    with pytest.raises(ChannelError, match="nobody") as caught:
        email(server).send(message(), [Recipient("x", "无")], 5)
    assert not caught.value.retry


def test_an_address_cannot_bring_headers(server: SmtpReceiver) -> None:
    with pytest.raises(ChannelError) as caught:
        email(server).send(message(), [Recipient("x", "x", email="a@b.example\r\nBcc: c@d.example")], 5)
    assert not caught.value.retry
    assert server.mails == []
