"""The Mosquitto configuration HazGate ships, with the few lines a caller sets himself."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from config.errors import ConfigError

__all__ = ["mosquitto_conf"]


def mosquitto_conf(port: int, *, host: str = "127.0.0.1", persistence_dir: Path | None = None) -> str:
    """Return the shipped ``mosquitto.conf`` for one address.

    Args:
        port: Where it listens.
        host: Address or name of the interface it listens on.
        persistence_dir: Where sessions and retained messages are saved; None saves nothing.

    Raises:
        ConfigError: The shipped file lacks a line that has to be set.
    """
    wanted = {"listener": f"{port} {host}", "persistence": "true" if persistence_dir else "false"}
    if persistence_dir:
        wanted["persistence_location"] = f"{persistence_dir.resolve()}/"
    lines = files("config").joinpath("mosquitto.conf").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        name = line.partition(" ")[0]
        if name in wanted:
            lines[number] = f"{name} {wanted.pop(name)}"
    if wanted:
        message = f"config/mosquitto.conf: no line sets {', '.join(sorted(wanted))}"
        raise ConfigError(message)
    return "\n".join(lines) + "\n"
