"""Fuzzers of what strangers and hostile workers can send. ``python -m tests.fuzz --help``."""
