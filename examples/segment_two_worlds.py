"""Segment the same photographs in two environments that can't be one, and compare the results.

One environment has an old scikit-image on NumPy 1 and an old Python, the other a current
scikit-image on NumPy 2; this program needs neither. Both work at the same time, on two workers
each. On the way one task is canceled and one worker is killed, both on purpose; still every
photograph is done in the end.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from wetlands import Environment, EnvironmentManager, Task, TaskEvent, TaskEventType, TaskStatus
from wetlands.errors import ConfigurationError, InterpreterNotFoundError, WorkerLostError

HERE = Path(__file__).resolve().parent
ENVS = HERE.parent / "envs"
SEGMENTATION = HERE / "segmentation.py"
SIDE_BY_SIDE = HERE / "side_by_side.py"

CANCELED = "chelsea.png"  # its task is canceled in the old world
KILLED = "page.png"  # its worker is killed in the new world


class World:
    """All photographs in one environment: their tasks, a progress bar, and what went wrong."""

    def __init__(self, env: Environment) -> None:
        env.launch(max_workers=2)
        self.env = env
        self.names: list[str] = env.execute(SEGMENTATION, "photographs")
        versions = env.execute(SEGMENTATION, "versions")
        self.title = ", ".join(f"{name} {version}" for name, version in versions.items())
        self.story: list[str] = []
        self._tasks: dict[str, Task[Any]] = {}
        self._mishaps: dict[str, Callable[[Task[Any]], None]] = {}

    def start(self, mishaps: dict[str, Callable[[Task[Any]], None]], position: int) -> None:
        """Submit all photographs; each mishap is called once, when its task is at work."""
        self._mishaps = mishaps
        self.bar = tqdm(
            total=len(self.names),
            desc=self.env.name,
            position=position,
            bar_format="{desc} |{bar:30}| {percentage:3.0f} %  {elapsed}{postfix}",
        )
        self._progress = dict.fromkeys(self.names, 0.0)
        tasks = self.env.map_tasks(SEGMENTATION, "segment", self.names)
        for name, task in zip(self.names, tasks, strict=True):
            self._follow(name, task)

    def results(self) -> dict[str, dict[str, Any]]:
        """Wait for all photographs; what was canceled or lost with its worker is done again."""
        for name in self.names:
            while self._tasks[name].wait_for().status is not TaskStatus.COMPLETED:
                self._tell(name, self._tasks[name])
                self._follow(name, self.env.submit(SEGMENTATION, "segment", (name,)))
        self.bar.n = len(self.names)
        self.bar.set_postfix_str("done")
        return {name: task.result for name, task in self._tasks.items()}

    def _follow(self, name: str, task: Task[Any]) -> None:
        self._tasks[name] = task
        task.listen(lambda event: self._on_event(name, event))

    def _on_event(self, name: str, event: TaskEvent) -> None:
        # Events come on a background thread, one at a time.
        task = event.task
        if event.type is TaskEventType.UPDATE:
            self.bar.set_postfix_str(task.message or "", refresh=False)
            self._show(name, task.progress or 0.0)
            if name in self._mishaps:
                self._mishaps.pop(name)(task)
        elif event.type is not TaskEventType.STARTED:
            self._show(name, 1.0 if event.type is TaskEventType.COMPLETION else 0.0)

    def _show(self, name: str, progress: float) -> None:
        step, self._progress[name] = progress - self._progress[name], progress
        self.bar.update(step)

    def _tell(self, name: str, task: Task[Any]) -> None:
        if task.status is TaskStatus.CANCELED:
            happened = f"{label(name)} was canceled"
        elif isinstance(task.exception, WorkerLostError) and task.worker:
            slot, pid = task.worker
            death = f"died of {task.exception.signal} with {label(name)}, was replaced"
            happened = f"worker {slot} (pid {pid}) {death}"
        else:
            raise task.exception or RuntimeError(f"{task!r} has no result")
        self.story.append(f"{self.env.name}: {happened}; submitted again, done.")


def cancel(task: Task[Any]) -> None:
    """Change one's mind."""
    task.cancel()


def kill(task: Task[Any]) -> None:
    """Play the operating system that is out of memory."""
    if task.worker:
        os.kill(task.worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def old_world(manager: EnvironmentManager) -> World:
    """Return the world of NumPy 1, under an old Python if there is one."""
    try:
        env = create(manager, "segment-old")
    except InterpreterNotFoundError:
        env = create(manager, "segment-old-any")
    return World(env)


def new_world(manager: EnvironmentManager) -> World:
    """Return the world of NumPy 2, under a current Python."""
    return World(create(manager, "segment-new"))


def create(manager: EnvironmentManager, name: str) -> Environment:
    """Return an environment of ``envs``: built now, or found again.

    Its lock is for one Python and some platforms; elsewhere it gets what its project asks for.
    """
    folder = ENVS / name
    try:
        return manager.create(name, lock=folder / "pylock.toml", replace_existing=True)
    except (InterpreterNotFoundError, ConfigurationError):
        return manager.create_from_config(name, folder / "pyproject.toml", replace_existing=True)


def label(name: str) -> str:
    """Return what people call a photograph."""
    return Path(name).stem.replace("_", " ")


def overlap(one: bytes, other: bytes) -> float:
    """Return how much of two masks is common to both: 1 if they are equal, 0 if disjoint."""
    a, b = int.from_bytes(one, "big"), int.from_bytes(other, "big")
    union = (a | b).bit_count()
    return (a & b).bit_count() / union if union else 1.0


def print_table(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> None:
    """Print one line for each photograph."""
    print(f"\n{'photograph':<20}{'regions':>12}{'area':>18}{'overlap':>12}")
    print(f"{'':<20}{'old':>6}{'new':>6}{'old':>9}{'new':>9}")
    for name, a in old.items():
        b = new[name]
        print(
            f"{label(name):<20}{a['regions']:>6}{b['regions']:>6}{a['area']:>9.1%}{b['area']:>9.1%}"
            f"{overlap(a['mask'], b['mask']):>12.2%}"
        )


def picture(world: World, titles: list[str], old: dict[str, Any], new: dict[str, Any]) -> bytes:
    """Return the side-by-side picture as PNG; it is drawn in an environment."""
    pairs = []
    for name, a in old.items():
        b = new[name]
        caption = f"{label(name)}: {a['regions']} | {b['regions']} regions"
        pairs.append((caption, a["overlay"], b["overlay"]))
    png: bytes = world.env.execute(SIDE_BY_SIDE, "draw", (titles, pairs))
    return png


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", help="where environments are built (default: your data folder)")
    parser.add_argument("--output", default="two_worlds.png", help="the picture to write")
    options = parser.parse_args()
    began = time.monotonic()

    absent = [name for name in ("numpy", "skimage") if importlib.util.find_spec(name) is None]
    print(f"This program: Python {platform.python_version()}, without {', '.join(absent) or '-'}.")
    with ThreadPoolExecutor() as threads, EnvironmentManager(options.root) as manager:
        old, new = old_world(manager), new_world(manager)
        print(f"Old world:    {old.title}.\nNew world:    {new.title}.")
        if old.env.interpreter.version[:2] == new.env.interpreter.version[:2]:
            print("Only one Python that fits was found: both worlds run on it.")
        print(f"Ready after {time.monotonic() - began:.1f} s.\n", flush=True)

        with logging_redirect_tqdm():  # log records go above the bars, not through them
            old.start({CANCELED: cancel}, position=0)
            new.start({KILLED: kill}, position=1)
            before, after = threads.map(World.results, (old, new))
            old.bar.close()
            new.bar.close()
        output = Path(options.output).absolute()
        output.write_bytes(picture(new, [old.title, new.title], before, after))

    print_table(before, after)
    print("", *old.story, *new.story, sep="\n")
    print(f"\n{len(before)} photographs in both worlds, {time.monotonic() - began:.1f} s in all.")
    print(f"Picture: {output}")


if __name__ == "__main__":
    main()
