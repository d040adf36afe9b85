"""Three ways to end a task: ask it, ask it with a deadline, leave its `with` block."""

import argparse
import time
from pathlib import Path

from wetlands import EnvironmentManager

WORK = Path(__file__).with_name("work.py")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", help="where environments are built (default: your data folder)")
    options = parser.parse_args()

    with EnvironmentManager(options.root) as manager:
        env = manager.create("example", {"python": ">=3.9"})
        env.launch()

        # A function that looks at task.cancel_requested stops when it sees fit.
        task = env.submit(WORK, "keep_counting")
        wait_for_progress(task)
        task.cancel()
        task.wait_for()
        print(f"asked:    {task.status.name}, it had counted to {task.outputs['reached']}")

        # One that never looks is ended with its worker, which is replaced.
        task = env.submit(WORK, "never_listen")
        began = time.monotonic()
        task.cancel(force_after=0.5)
        task.wait_for()
        print(f"forced:   {task.status.name} after {time.monotonic() - began:.1f} s")

        # Leaving the block early cancels what is still running, and waits for its end.
        with env.submit(WORK, "keep_counting") as task:
            wait_for_progress(task)
        print(f"left:     {task.status.name}")

        # The environment is as good as new.
        print(f"and then: {env.execute(WORK, 'count_primes', (1000,))} primes below 1000")


def wait_for_progress(task) -> None:
    """Wait until a task has got somewhere."""
    while (task.current or 0) < 10:
        time.sleep(0.01)


if __name__ == "__main__":
    main()
