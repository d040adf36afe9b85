"""Environments, with real Pythons, processes and packages."""
