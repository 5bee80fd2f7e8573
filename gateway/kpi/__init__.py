"""Figures about alarms and points: defined once, computed from the records, frozen by the month."""
