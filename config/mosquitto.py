"""The Mosquitto configuration HazGate ships, with the few lines a caller sets himself."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from config.errors import ConfigError
from config.settings import BrokerGuard

__all__ = ["MOSQUITTO_ACL", "MOSQUITTO_PASSWORDS", "mosquitto_conf"]

MOSQUITTO_PASSWORDS = "mosquitto.passwd"
MOSQUITTO_ACL = "mosquitto.acl"


def mosquitto_conf(
    port: int, *, host: str = "127.0.0.1", persistence_dir: Path | None = None, guard: BrokerGuard | None = None
) -> str:
    """Return the shipped ``mosquitto.conf`` for one address.

    Args:
        port: Where it listens.
        host: Address or name of the interface it listens on.
        persistence_dir: Where sessions and retained messages are saved; None saves nothing.
        guard: Whom it lets in; None lets everybody do everything.

    Raises:
        ConfigError: The shipped file lacks a line that has to be set.
    """
    wanted = {"listener": f"{port} {host}", "persistence": "true" if persistence_dir else "false"}
    if persistence_dir:
        wanted["persistence_location"] = f"{persistence_dir.resolve()}/"
    guarded = _guard_lines(guard or BrokerGuard())
    wanted["allow_anonymous"] = guarded.pop(0)
    lines = files("config").joinpath("mosquitto.conf").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        name = line.partition(" ")[0]
        if name in wanted:
            lines[number] = f"{name} {wanted.pop(name)}"
    if wanted:
        message = f"config/mosquitto.conf: no line sets {', '.join(sorted(wanted))}"
        raise ConfigError(message)
    return "\n".join([*lines, *guarded]) + "\n"


def _guard_lines(guard: BrokerGuard) -> list[str]:
    """Return what `allow_anonymous` is, then the lines of the listener and of the accounts."""
    said = ["false" if guard.accounts or guard.client_ca else "true"]
    if guard.certificate:
        said += [f"certfile {guard.certificate.resolve()}", f"keyfile {(guard.key or guard.certificate).resolve()}"]
    if guard.client_ca:
        said += [f"cafile {guard.client_ca.resolve()}", "require_certificate true", "use_identity_as_username true"]
    if guard.accounts:
        folder = guard.accounts.resolve()
        said += [f"password_file {folder / MOSQUITTO_PASSWORDS}", f"acl_file {folder / MOSQUITTO_ACL}"]
    return said
