"""Pretends to be hardware: seeded plant physics, faults, scenarios that state the alarms they must and must not raise."""
