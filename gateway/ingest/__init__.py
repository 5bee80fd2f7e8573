"""Ingest: from MQTT messages to accepted samples, each refusal with its reason."""
