"""What several commands take: a plant file, addresses; wrong ones end with one sentence and exit 2."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Never

import typer
from pydantic import ValidationError

from config.errors import CertificateError, PlantError
from config.plant.load import DEMO_PLANT, load_plant
from config.plant.model import Plant
from config.plant.yaml_lines import read_yaml
from config.settings import AccessSettings, BrokerAddress, HistoryAddress, RecordsAddress
from config.tls import client_context
from gateway.errors import GatewayError
from gateway.registry.files import DEMO_REGISTRY, files_at

__all__ = [
    "AccessFile",
    "BrokerPassword",
    "DeskOption",
    "HistoryOption",
    "HistoryToken",
    "HttpCertificate",
    "HttpKey",
    "KeepDays",
    "MaxGb",
    "NoAccounts",
    "PlantFile",
    "RecordsOption",
    "RecordsPassword",
    "RegistryFiles",
    "access_settings",
    "broker_address",
    "desks_of",
    "history_address",
    "history_bounds",
    "http_address",
    "moment_ms",
    "plant_path",
    "read_plant",
    "records_address",
    "registry_path",
    "tell_password",
    "wrong_use",
]

PlantFile = Annotated[str, typer.Option("--plant", help="Plant file (YAML); `demo` is the one shipped.")]

_MAX_PORT = 65_535


def wrong_use(sentence: str) -> Never:
    """End with exit 2 and one sentence."""
    typer.echo(f"hazgate: {sentence}", err=True)
    raise typer.Exit(2)


def plant_path(name: str) -> Path:
    """Return the file meant by ``name``: a path, or ``demo`` for the demo plant."""
    return DEMO_PLANT if name == "demo" else Path(name)


def read_plant(name: str) -> Plant:
    """Read a plant file; every problem in it is printed with file and line, then exit 2."""
    path = plant_path(name)
    if not path.is_file():
        wrong_use(f"plant file {name}: not found; give a YAML file or `demo`")
    try:
        return load_plant(path)
    except PlantError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error


BrokerPassword = Annotated[
    Path | None, typer.Option("--broker-password-file", help="File with the password of the user in --broker.")
]


def broker_address(text: str, password_file: Path | None = None) -> BrokerAddress:
    """Read a broker address; a wrong one, or a file of it that cannot be used, ends with exit 2."""
    try:
        password = password_file.read_text(encoding="utf-8").strip() if password_file else None
        address = BrokerAddress.parse(text, password)
        client_context(address)
    except (ValueError, OSError, CertificateError) as error:
        wrong_use(str(error))
    return address


HttpCertificate = Annotated[
    Path | None, typer.Option("--tls-cert", help="HTTPS: certificate (PEM) with all between it and the root.")
]
HttpKey = Annotated[
    Path | None, typer.Option("--tls-key", help="HTTPS: its private key; default: in the certificate's file.")
]


HistoryOption = Annotated[
    str,
    typer.Option(
        "--history",
        help="History server: influx://host:8086/bucket?org=ORG (influxs for TLS, &api=v1 for 1.x); "
        "default: a DuckDB file in the data directory.",
    ),
]
HistoryToken = Annotated[
    Path | None, typer.Option("--history-token-file", help="File with its token (api=v1: user:password).")
]


RecordsOption = Annotated[
    str,
    typer.Option(
        "--records",
        help="Records database: postgresql://user@host/database; default: an SQLite file in the data directory.",
    ),
]
RecordsPassword = Annotated[Path | None, typer.Option("--records-password-file", help="File with its password.")]


def records_address(text: str, password_file: Path | None) -> RecordsAddress | None:
    """Read the address of a records database, none when it is empty; a wrong one ends with exit 2."""
    if not text:
        return None
    try:
        password = password_file.read_text(encoding="utf-8").strip() if password_file else None
        return RecordsAddress.parse(text, password)
    except (ValueError, OSError) as error:
        wrong_use(str(error))


def history_address(text: str, token_file: Path | None) -> HistoryAddress | None:
    """Read the address of a history server, none when it is empty; a wrong one ends with exit 2."""
    if not text:
        return None
    try:
        token = token_file.read_text(encoding="utf-8").strip() if token_file else None
        return HistoryAddress.parse(text, token)
    except (ValueError, OSError) as error:
        wrong_use(str(error))


NoAccounts = Annotated[
    bool,
    typer.Option(
        "--no-accounts",
        help="Without accounts whoever reaches the port may do everything; only on a loopback address.",
    ),
]


RegistryFiles = Annotated[
    str,
    typer.Option(
        "--registry",
        help="Workbook, table (KIND.csv) or folder of them, taken into the registry at start; `demo`: the one shipped.",
    ),
]


def registry_path(text: str) -> Path | None:
    """Return the files meant by ``text``; none when it is empty; wrong ones end with exit 2."""
    if not text:
        return None
    path = DEMO_REGISTRY if text == "demo" else Path(text)
    try:
        files_at(path)
    except GatewayError as error:
        wrong_use(f"--registry {error}")
    return path


AccessFile = Annotated[
    Path | None,
    typer.Option("--access", help="File (YAML) on how people sign in: times, second factor, OpenID Connect."),
]


def access_settings(path: Path | None) -> AccessSettings:
    """Read how people sign in (see docs/access.md); a file with mistakes ends with exit 2."""
    if path is None:
        return AccessSettings()
    try:
        lined = read_yaml(path.read_text(encoding="utf-8"), str(path))
        if lined.problems:
            wrong_use("; ".join(str(problem) for problem in lined.problems))
        return AccessSettings.model_validate(_with_secret(lined.value, path.parent))
    except ValidationError as error:
        found = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        wrong_use(f"{path}: {'; '.join(found)}")
    except (OSError, UnicodeDecodeError) as error:
        wrong_use(f"{path}: {error}")


def _with_secret(written: Any, folder: Path) -> Any:  # noqa: ANN401 - whatever stands in the file
    """Put what stands in ``client_secret_file`` in its place: a secret is not written among settings."""
    oidc = written.get("oidc") if isinstance(written, dict) else None
    if not isinstance(oidc, dict) or "client_secret_file" not in oidc:
        return written
    secret = (folder / str(oidc["client_secret_file"])).read_text(encoding="utf-8").strip()
    rest = {name: value for name, value in oidc.items() if name != "client_secret_file"}
    return {**written, "oidc": {**rest, "client_secret": secret}}


def tell_password(password: str) -> None:
    """Print the one-time password of the first account; nobody keeps it."""
    typer.echo(
        f"首次启动：账号 admin，一次性密码 {password}（登录后须修改，不再显示）\n"
        f"first start: account admin, one-time password {password} (to be changed at once; it is not shown again)",
        err=True,
    )


KeepDays = Annotated[
    float | None, typer.Option(min=0.01, help="DuckDB history: samples older than this are deleted; default: never.")
]
MaxGb = Annotated[float | None, typer.Option(min=0.02, help="DuckDB history: beyond this the oldest days are deleted.")]


def history_bounds(keep_days: float | None, max_gb: float | None) -> dict[str, Any]:
    """Return the bounds of the embedded history as settings."""
    return {
        "history_keep_days": keep_days,
        "history_max_bytes": None if max_gb is None else round(max_gb * 1e9),
    }


DeskOption = Annotated[
    list[str] | None,
    typer.Option(
        "--desk", help="HAZARD_UNIT=DESK, may be given several times: figures of alarms are told for each desk."
    ),
]


def desks_of(pairs: list[str] | None) -> dict[str, str]:
    """Read ``unit=desk`` pairs; a wrong one ends with exit 2."""
    found = {}
    for pair in pairs or ():
        unit, _, desk = pair.partition("=")
        if not unit or not desk or unit in found:
            wrong_use(f"--desk {pair!r}: expected HAZARD_UNIT=DESK, each hazard unit once")
        found[unit] = desk
    return found


def http_address(text: str) -> tuple[str, int]:
    """Read ``host:port``; a wrong one ends with exit 2."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MAX_PORT:
        wrong_use(f"address {text!r}: expected host:port, such as 127.0.0.1:8080")
    return host, int(port)


def moment_ms(option: str, text: str, default_ms: int) -> int:
    """Read a time (ISO 8601, UTC unless said) as UTC milliseconds; a wrong one ends with exit 2."""
    if not text:
        return default_ms
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong_use(f"{option} {text!r}: expected a time as ISO 8601, such as 2026-11-01T00:00:00Z")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
