"""The part of wetlands that runs inside an environment.

Standard library and pyzmq only, syntax of Python 3.7, never imported through `sys.path` in a
worker (see `__main__`), so nothing of the host's packages leaks into the environment. What the
host may import of it stands in `tests/unit/test_layering.py`.
"""
