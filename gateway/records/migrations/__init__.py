"""Schema migrations (Alembic), run at start by `gateway.records.database`."""
