"""Threads, sockets and processes: everything impure about pools, and nothing else."""
