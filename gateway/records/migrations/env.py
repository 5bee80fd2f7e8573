"""Alembic's entry: runs on the connection it is given, never on one of its own."""

from __future__ import annotations

from alembic import context

from gateway.records import (  # noqa: F401 - so that every table is known
    access_tables,
    danger_tables,
    desk_tables,
    duty_tables,
    grading_tables,
    prevention_tables,
    registry_tables,
    risk_tables,
    search_tables,
)
from gateway.records.monthly import kpi_month  # noqa: F401 - a table of the same metadata
from gateway.records.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
