"""``python -m benchmarks``; see `benchmarks.cli`.

Nothing is imported here: a `ProcessPoolExecutor` that spawns its workers imports this file into
each of them, and would be measured with what it costs.
"""

if __name__ == "__main__":
    from benchmarks.cli import main

    raise SystemExit(main())
