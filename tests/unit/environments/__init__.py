"""Environments, without processes."""
