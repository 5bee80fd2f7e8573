"""Arithmetic and states: arrays and time in, transitions with reasons out; no I/O, event loop, clock or log."""
