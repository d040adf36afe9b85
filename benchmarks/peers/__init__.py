"""Pools that people use, each behind the same five calls, each in a process of its own.

`adapters` and what it lists run in that process, under the peer's own packages; `driver` is its
main program. `remote` and `venvs` are our side of it.
"""
