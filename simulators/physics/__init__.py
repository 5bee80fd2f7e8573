"""Seeded physics in fixed steps: weather, tanks, gas clouds, trucks. No clock, no I/O."""
