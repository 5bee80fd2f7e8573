"""`hazgate user` and `--access`: accounts from the gateway's machine, and how people sign in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.records import audit
from gateway.records.database import open_reader, open_writer
from hazgate.arguments import access_settings
from hazgate.commands.user import app

OIDC = """\
idle_minutes: 15
second_factor_roles: [admin, engineer]
oidc:
  issuer: https://sso.example
  client_id: hazgate
  client_secret_file: secret
  address: https://hazgate.example
  groups:
    - {group: duty, role: operator}
    - {group: bureau, role: regulator, districts: ["370305"]}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_writer(tmp_path).dispose()
    return tmp_path


def user(data: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--data", str(data)])
    assert result.exit_code == code, result.output
    return result.output.strip()


def test_accounts_are_made_listed_reset_and_shut_and_all_of_it_is_audited(data: Path) -> None:
    first = user(data, "add", "li", "--role", "operator", "--enterprise", "acme", "--display", "李工")
    second = user(data, "reset", "li")
    assert first != second
    assert len(second) >= 20
    user(data, "disable", "li")
    (listed,) = json.loads(user(data, "list", "--json"))
    assert (listed["name"], listed["role"], listed["enterprises"], listed["must_change"]) == (
        "li",
        "operator",
        ["acme"],
        True,
    )
    assert listed["disabled_ms"] is not None
    assert "password" not in listed
    assert "disabled" in user(data, "list")
    user(data, "disable", "li", "--enable")
    assert "disabled" not in user(data, "list")
    reader = open_reader(data)
    with reader.connect() as connection:
        rows, faults = audit.verify(connection)
    reader.dispose()
    assert (rows, faults) == (4, [])


def test_what_cannot_be_done_is_said_in_a_sentence(data: Path, tmp_path: Path) -> None:
    assert "there is no account nobody" in user(data, "reset", "nobody", code=1)
    user(data, "add", "li", "--role", "viewer")
    assert "already" in user(data, "add", "li", "--role", "viewer", code=1)
    assert "no records.sqlite there" in user(tmp_path / "empty", "list", code=2)


def test_a_file_says_how_people_sign_in(tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(OIDC, encoding="utf-8")
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    settings = access_settings(path)
    assert (settings.idle_minutes, settings.second_factor_roles) == (15, ("admin", "engineer"))
    assert settings.oidc is not None
    assert settings.oidc.client_secret is not None
    assert settings.oidc.client_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)
    assert [one.role for one in settings.oidc.groups] == ["operator", "regulator"]


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("idle_minutes: 15", "idle_minutes: never", "idle_minutes"),
        ("https://sso.example", "http://sso.example", "oidc.issuer"),
        ("role: operator", "role: god", "oidc.groups.0.role"),
        ("idle_minutes: 15", "idle_minutse: 15", "idle_minutse"),
        ("client_secret_file: secret", "client_secret_file: nowhere", "nowhere"),
        ("oidc:", "oidc: [", "access.yaml"),
    ],
)
def test_a_file_with_mistakes_is_refused_and_tells_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], was: str, becomes: str, said: str
) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(OIDC.replace(was, becomes), encoding="utf-8")
    (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
    with pytest.raises(typer.Exit) as ended:
        access_settings(path)
    assert ended.value.exit_code == 2
    told = capsys.readouterr().err
    assert said in told
    assert "s3cret" not in told
