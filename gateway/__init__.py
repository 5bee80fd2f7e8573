"""Listens, keeps, tells, shows."""
