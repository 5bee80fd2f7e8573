"""Passwords: argon2id, a few at a time, and the rules for new ones."""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import BadRequestError

__all__ = ["check_new", "hashed", "is_right", "one_time"]

SHORTEST = 12
LONGEST = 256
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each takes 64 MiB for a moment: many at once would be a way to bring a gateway down."""
_SILLY = ("password", "12345678", "87654321", "qwertyui", "abcdefgh", "hazgate", "admin123", "11111111", "00000000")
_HASHER = PasswordHasher()
_NOBODYS = _HASHER.hash(secrets.token_hex())
"""Compared with when there is no such account, so that it takes as long."""


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Say whether a password is the one that was kept; takes as long when there is none."""
    with _AT_ONCE:
        try:
            _HASHER.verify(kept or _NOBODYS, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def one_time() -> str:
    """Return a password that is to be changed at its first use: four groups that can be read out."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def check_new(password: str, account: str) -> None:
    """Check that a password may become somebody's.

    Raises:
        BadRequestError: It may not; says why.
    """
    lowered = password.lower()
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequestError(
            f"password: {SHORTEST} to {LONGEST} characters（密码须为 {SHORTEST} 至 {LONGEST} 个字符）"
        )
    if account.lower() in lowered:
        raise BadRequestError("password: must not contain the name of the account（密码不得包含账号名）")
    if len(set(lowered)) < 5 or any(silly in lowered for silly in _SILLY):  # noqa: PLR2004 - different characters
        raise BadRequestError("password: too easy to guess（密码过于简单）")
