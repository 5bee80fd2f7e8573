"""One transaction beside the pipeline, with the room's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.records.dialects import meaning_of

__all__ = ["using"]


@contextmanager
def using(engine: Engine, doing: str) -> Iterator[Connection]:
    """Open a transaction.

    Raises:
        RecordsError: The database cannot be used.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise meaning_of(error)(f"{doing}: {error.orig}") from error
