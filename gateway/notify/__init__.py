"""Tells people: who is on duty, by which step of a ladder, over which channel, and what came of it."""
