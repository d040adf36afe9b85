"""Parts of the Conda engine that need neither a channel nor py-rattler."""
