from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.risks.office import Office, an_office
from tests.support.postgresql import PostgreSql


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """On SQLite; with `ON_BOTH` on PostgreSQL too."""
    address = None
    if getattr(request, "param", "sqlite") == "postgresql":
        server: PostgreSql = request.getfixturevalue("postgresql")
        address = server.fresh()
    with an_office(tmp_path, address) as office:
        yield office
