"""Passwords of a broker's clients, and what Mosquitto and the embedded broker are to read about them.

The book holds hashes only. A password is told once, to whoever makes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import bcrypt

from config.access import Account
from config.mosquitto import MOSQUITTO_ACL, MOSQUITTO_PASSWORDS
from gateway.errors import CredentialsError

__all__ = ["NATS_USERS", "Hashes", "new_password", "password_file", "read_book", "write_book", "write_private"]

BOOK = "accounts.json"
NATS_USERS = "nats.users"

_PASSWORD_BYTES = 24
_ITERATIONS = 101
"""Mosquitto's own. The passwords are 192 random bits: stretching adds nothing to them."""
_BCRYPT_ROUNDS = 4
"""The least there is, for the same reason: a thousand edges that come back at once are let in without a queue."""
_SALT_BYTES = 12
_PRIVATE = 0o600
_WILDCARDS = {"+": "*", "#": ">"}


@dataclass(frozen=True, slots=True)
class Hashes:
    """One password, as each broker wants to know it."""

    mosquitto: str
    """PBKDF2-SHA512, in the form of `mosquitto_passwd`."""
    nats: str
    """bcrypt."""

    @classmethod
    def of(cls, password: str) -> Hashes:
        """Return the hashes of a password, with salts of their own."""
        salt = secrets.token_bytes(_SALT_BYTES)
        derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
        mosquitto = f"$7${_ITERATIONS}${b64encode(salt).decode()}${b64encode(derived).decode()}"
        return cls(mosquitto, bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS)).decode())


def new_password() -> str:
    """Return a password nobody can guess."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def password_file(folder: Path, name: str) -> Path:
    """Return the file that holds one client's password, to be carried to that client."""
    return folder / "passwords" / name


def read_book(folder: Path) -> dict[str, Hashes]:
    """Return the clients of a directory, none when there is no book yet.

    Raises:
        CredentialsError: It cannot be read.
    """
    path = folder / BOOK
    if not path.exists():
        return {}
    try:
        return {name: Hashes(**said) for name, said in json.loads(path.read_bytes())["clients"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsError(f"{path} is no book of accounts: {error}") from error


def write_book(folder: Path, book: Mapping[str, Hashes], accounts: Mapping[str, Account]) -> None:
    """Write the book and the files of both brokers; a client the plant does not know is let in nowhere.

    Raises:
        CredentialsError: The directory cannot be written.
    """
    clients = {name: asdict(hashes) for name, hashes in sorted(book.items())}
    known = {name: (accounts[name], book[name]) for name in sorted(book) if name in accounts}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = {
            BOOK: json.dumps({"version": 1, "clients": clients}, indent=1) + "\n",
            MOSQUITTO_PASSWORDS: "".join(f"{name}:{hashes.mosquitto}\n" for name, (_, hashes) in known.items()),
            MOSQUITTO_ACL: "\n".join(mosquitto_acl(account) for account, _ in known.values()),
            NATS_USERS: "".join(nats_user(account, hashes.nats) for account, hashes in known.values()),
        }
        for name, text in written.items():
            write_private(folder / name, text)
    except OSError as error:
        raise CredentialsError(f"{folder} cannot be written: {error}") from error


def mosquitto_acl(account: Account) -> str:
    """Return the lines of one account for Mosquitto's ``acl_file``."""
    rules = [
        *(f"topic write {topic}" for topic in account.publishes),
        *(f"topic read {topic}" for topic in account.reads),
    ]
    return "\n".join([f"user {account.name}", *rules]) + "\n"


def nats_user(account: Account, password_hash: str) -> str:
    """Return the line of one account for the users of a NATS server: it may speak MQTT, nothing else."""
    rules = {
        "publish": {"allow": _subjects(account.publishes)} if account.publishes else {"deny": [">"]},
        "subscribe": {"allow": _subjects(account.reads)} if account.reads else {"deny": [">"]},
    }
    said = {
        "user": account.name,
        "password": password_hash,
        "allowed_connection_types": ["MQTT"],
        "permissions": rules,
    }
    return json.dumps(said) + "\n"


def nats_subject(topic: str) -> str:
    """Return the NATS subject that carries an MQTT topic or filter.

    Levels are divided by ``.``; a dot inside a level becomes ``//``; an empty level is a ``/``.
    """
    return ".".join(_WILDCARDS.get(level) or level.replace(".", "//") or "/" for level in topic.split("/"))


def write_private(path: Path, text: str) -> None:
    """Replace a file whole; a new one is for its owner only, an old one keeps owner and mode."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        was = path.stat()
        with suppress(PermissionError):
            os.chown(beside, was.st_uid, was.st_gid)
        beside.chmod(was.st_mode & 0o777)
    beside.replace(path)


def _subjects(topics: tuple[str, ...]) -> list[str]:
    """Return the subjects; a filter ending in ``#`` means its parent, too, which NATS wants to hear."""
    said: list[str] = []
    for topic in topics:
        said.append(nats_subject(topic))
        if topic.endswith("/#"):
            said.append(nats_subject(topic.removesuffix("/#")))
    return said
