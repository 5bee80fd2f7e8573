from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.clock import SystemClock
from config.duty.channels import HttpSettings
from gateway.notify.channels.http import Poster
from gateway.notify.channels.target import checked
from gateway.notify.port import ChannelError
from tests.support.certificates import self_signed
from tests.support.http_receiver import Conduct, HttpReceiver


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fc00::1",
        "fec0::1",
        "64:ff9b:1::7f00:1",
        "::7f00:1",
        "198.18.0.1",
        "192.0.0.170",
        "2001:db8::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(ChannelError) as caught:
        checked([address], (), private=False)
    assert not caught.value.retry


@pytest.mark.parametrize("address", ["203.119.1.1", "2400:3200::1"])
def test_what_is_public_is_let(address: str) -> None:
    assert checked([address], (), private=False) == (address,)


def test_private_does_not_open_where_credentials_are_handed_out() -> None:
    assert checked(["10.1.2.3"], (), private=True)
    for address in ("169.254.169.254", "100.100.100.200", "::ffff:169.254.169.254"):
        with pytest.raises(ChannelError):
            checked([address], (), private=True)
    assert checked(["169.254.169.254"], (ip_network("169.254.169.254/32"),), private=False)


def test_one_bad_address_among_good_ones_spoils_them() -> None:
    with pytest.raises(ChannelError):
        checked(["203.119.1.1", "10.0.0.1"], (), private=False)


def test_a_name_that_changes_its_meaning_is_asked_once() -> None:
    """DNS rebinding: allowed at the first question, elsewhere at the second; there is no second."""
    with HttpReceiver() as receiver:
        answers = iter([["127.0.0.1"], ["127.0.0.2"]])
        settings = HttpSettings.model_validate(
            {"url": f"http://rebound.example:{receiver.port}/", "allow_networks": ["127.0.0.1/32"]}
        )
        poster = Poster(settings, SystemClock(), resolver=lambda _host, _port: next(answers))
        poster.post(b"{}", 5)
        assert receiver.requests[0].headers["host"] == f"rebound.example:{receiver.port}"
        with pytest.raises(ChannelError, match=r"127\.0\.0\.2"):
            poster.post(b"{}", 5)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(("name", "good"), [("DNS:hooks.example", True), ("DNS:other.example", False)])
def test_tls_is_with_the_name_not_the_address(tmp_path: Path, name: str, *, good: bool) -> None:
    context, trusted = self_signed(tmp_path, name)
    with HttpReceiver(tls=context) as receiver:
        settings = HttpSettings.model_validate(
            {"url": f"https://hooks.example:{receiver.port}/", "allow_private": True, "ca_file": trusted}
        )
        poster = Poster(settings, SystemClock(), resolver=lambda _host, _port: ["127.0.0.1"])
        if good:
            assert poster.post(b"{}", 5).status == 200
        else:
            with pytest.raises(ChannelError, match="TLS"):
                poster.post(b"{}", 5)
            assert receiver.requests == []


def test_of_an_answer_no_more_than_64_kib_is_taken() -> None:
    with HttpReceiver() as receiver:
        receiver.conduct = Conduct(body=b"x" * 3_000_000)
        settings = HttpSettings.model_validate({"url": receiver.url, "allow_private": True})
        assert len(Poster(settings, SystemClock()).post(b"{}", 5).body) == 65_536


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpReceiver() as receiver, HttpReceiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        settings = HttpSettings.model_validate({"url": receiver.url, "allow_private": True})
        Poster(settings, SystemClock()).post(b"{}", 5)
        assert (len(receiver.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize(
    "url", ["ftp://a/", "http://", "http://u:secret-word@a/", "http://a:99999/secret-word", "secret-word"]
)
def test_what_is_no_address_is_said_without_saying_it(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HttpSettings.model_validate({"url": url})
    assert "secret-word" not in str(caught.value)
