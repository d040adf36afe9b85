"""Tasks in an asyncio program: await, gather, async for, async with."""

import argparse
import asyncio
from pathlib import Path

from wetlands import Environment, EnvironmentManager, TaskEventType

WORK = Path(__file__).with_name("work.py")


async def work(env: Environment) -> None:
    """Use the environment without ever blocking the event loop."""
    primes = await env.submit(WORK, "count_primes", (10_000,))
    print(f"await:      {primes} primes below 10000")

    limits = (1000, 2000, 3000, 4000)
    counts = await asyncio.gather(*(env.submit(WORK, "count_primes", (n,)) for n in limits))
    print(f"gather:     {dict(zip(limits, counts, strict=True))}")

    task = env.submit(WORK, "count_primes", (20_000,), start=False)
    events = task.events()  # from now on, so that none is missed
    task.start()
    seen = [event.type async for event in events]
    print(f"async for:  {seen.count(TaskEventType.UPDATE)} updates, then {seen[-1].name}")

    try:
        async with env.submit(WORK, "keep_counting") as task:
            await asyncio.wait_for(task, timeout=0.3)
    except asyncio.TimeoutError:
        print(f"async with: out of time, the task is {task.status.name}")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", help="where environments are built (default: your data folder)")
    options = parser.parse_args()

    with EnvironmentManager(options.root) as manager:
        env = manager.create("example", {"python": ">=3.9"})
        env.launch(max_workers=2)
        asyncio.run(work(env))


if __name__ == "__main__":
    main()
