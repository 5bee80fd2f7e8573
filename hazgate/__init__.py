"""The front door: command line, demo, benchmarks; composes the rooms."""
