"""History: telemetry, following the log with its own position."""
