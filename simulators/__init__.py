"""Pretends to be hardware: seeded plant physics, faults, scenarios that say what they must and must not raise."""
