"""wetlands."""
