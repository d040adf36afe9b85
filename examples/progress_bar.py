"""A progress bar that follows a function in another environment."""

import argparse
from pathlib import Path

from tqdm import tqdm

from wetlands import EnvironmentManager, TaskEventType

WORK = Path(__file__).with_name("work.py")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", help="where environments are built (default: your data folder)")
    options = parser.parse_args()

    with EnvironmentManager(options.root) as manager:
        env = manager.create("example", {"python": ">=3.9"})
        env.launch()
        # Not started yet, so that the listener misses nothing.
        task = env.submit(WORK, "count_primes", (200_000,), start=False)
        with tqdm(total=1.0, bar_format="{percentage:3.0f} % |{bar:40}|{postfix}") as bar:

            def show(event):  # called on a background thread, one event at a time
                if event.type is TaskEventType.UPDATE:
                    bar.set_postfix_str(event.task.message, refresh=False)
                    bar.update(event.task.progress - bar.n)

            task.listen(show).start().wait_for()
        print(f"{task.result} primes below 200000, counted by worker {task.worker.pid}")


if __name__ == "__main__":
    main()
