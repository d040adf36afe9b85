"""Upkeep on made-up prefixes."""
