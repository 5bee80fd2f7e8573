"""History on a server that speaks InfluxDB's line protocol and InfluxQL."""
