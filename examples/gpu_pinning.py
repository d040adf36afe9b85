"""One GPU for each worker, by an environment variable that each worker gets for itself.

The same goes for thread counts, ports, scratch folders: whatever workers may not share. No GPU is
needed to run this; it shows what each worker would see.
"""

import argparse
from pathlib import Path

from wetlands import EnvironmentManager

WORK = Path(__file__).with_name("work.py")
GPUS = 3


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", help="where environments are built (default: your data folder)")
    options = parser.parse_args()

    with EnvironmentManager(options.root) as manager:
        env = manager.create("example", {"python": ">=3.9"})
        # Called with 0, 1, 2. A worker that dies is replaced by one with the same variables.
        env.launch(max_workers=GPUS, worker_env=lambda i: {"CUDA_VISIBLE_DEVICES": str(i)})
        tasks = env.map_tasks(WORK, "use_gpu", range(9))
        print("item  worker  CUDA_VISIBLE_DEVICES      pid")
        for task in tasks:
            item, gpu, pid = task.wait_for().result
            print(f"{item:4}  {task.worker.slot:6}  {gpu:>20}  {pid:7}")


if __name__ == "__main__":
    main()
