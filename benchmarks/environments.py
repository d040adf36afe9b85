"""Environments: found again, and created warm and cold, beside other ways to create them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import plots
from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.report import number, table
from benchmarks.timing import Series, Subject, interleave
from wetlands import EnvironmentManager

AGAIN = "create() of an unchanged recipe, in a new process"
READY = "create() of an unchanged recipe to a worker that is ready"
ONE, FOUR = "one venv, warm", "four venvs at once, warm"
WARM, COLD = "warm", "cold"
PIP = "python -m venv and pip"
#: What fetches packages keeps them here; for a cold run it is empty.
CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "CONDA_PKGS_DIRS", "RATTLER_CACHE_DIR")
#: What is looked for on PATH, and how it makes an environment; {} is the prefix.
TOOLS = {
    "micromamba": ["micromamba", "create", "-y", "-q", "-p", "{}", "-c", "conda-forge"],
    "conda": ["conda", "create", "-y", "-q", "-p", "{}", "-c", "conda-forge"],
    "pixi": ["pixi", "exec", "--spec", "numpy", "--spec", "scipy", "python", "--version"],
}
_AGAIN = """
import sys, time
from wetlands import EnvironmentManager
begin = time.perf_counter()
env = EnvironmentManager(sys.argv[1], progress=False).create("again", {"pip": sys.argv[2:]})
print(time.perf_counter() - begin)
"""

_numbers = itertools.count()


def packages(options: Options) -> list[str]:
    """Return what environments are made of."""
    return ["idna"] if options.smoke else ["numpy", "scipy"]


def measure(options: Options) -> list[Series]:
    """Time finding and creating environments."""
    with (
        tempfile.TemporaryDirectory(prefix="wetlands-") as folder,
        EnvironmentManager(Path(folder, "root"), progress=False) as manager,
    ):
        return [
            *_again(manager, options),
            *_at_once(manager, options),
            *_created(manager, Path(folder), options),
        ]


def _again(manager: EnvironmentManager, options: Options) -> list[Series]:
    """Time finding what is there, imports on the way included."""
    recipe = {"pip": packages(options)}
    manager.create("again", recipe).exit()
    again = Series(AGAIN, "ms")
    command = [sys.executable, "-c", _AGAIN, str(manager.root), *packages(options)]

    # As it is once installed: compiled, which the first of these runs sees to.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def in_new_process() -> float:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return float(done.stdout)

    def ready() -> None:
        manager.create("again", recipe).launch()

    in_new_process()
    found = Series(READY, "ms")
    for _ in range(options.choose(15)):
        again.add(in_new_process())
        interleave([Subject(found, ready)], 1)
        manager.environments["again"].exit()
    return [again, found]


def _at_once(manager: EnvironmentManager, options: Options) -> list[Series]:
    one, four = Series(ONE, "s"), Series(FOUR, "s")
    subjects = [
        Subject(one, lambda: _create(manager, options)),
        Subject(four, lambda: _threads(4, lambda: _create(manager, options))),
    ]
    return interleave(subjects, options.choose(7))


def _create(manager: EnvironmentManager, options: Options) -> None:
    manager.create(f"env-{next(_numbers)}", {"pip": packages(options)})


def _threads(count: int, call: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# -- beside others ---------------------------------------------------------------------------------


def _created(manager: EnvironmentManager, folder: Path, options: Options) -> list[Series]:
    found: list[Series] = []
    for state in (WARM,) if options.smoke else (WARM, COLD):
        subjects = [
            Subject(Series(f"{name}, {state}", "s"), _in(state, folder, call))
            for name, call in _makers(manager, folder, options).items()
        ]
        if state == WARM and not options.smoke:  # who keeps things under a root of ours, too
            for subject in subjects:
                subject.call()
        found += interleave(subjects, options.choose(5 if state == WARM else 2))
    return found


def _in(state: str, folder: Path, call: Callable[[], None]) -> Callable[[], None]:
    """Return a call that finds its caches as they are, or all of them empty."""

    def cold() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as empty, _variables(empty):
            call()

    return call if state == WARM else cold


@contextlib.contextmanager
def _variables(empty: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in CACHES}
    os.environ.update({name: str(Path(empty, name)) for name in CACHES})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _makers(
    manager: EnvironmentManager, folder: Path, options: Options
) -> dict[str, Callable[[], None]]:
    """Return who makes environments here, ours first."""
    makers: dict[str, Callable[[], None]] = {
        "wetlands, venv": lambda: _create(manager, options),
        PIP: lambda: _by_pip(folder / f"pip-{next(_numbers)}", packages(options)),
    }
    if channel := _channel(folder, options):
        makers["wetlands, Conda"] = lambda: _conda(folder, channel, options)
    for name, command in TOOLS.items():
        if shutil.which(command[0]) and not options.smoke:
            makers[name] = lambda command=command: _by_tool(folder, command, options)  # type: ignore[misc]
    return makers


def _by_pip(prefix: Path, wanted: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
    command = [prefix / "bin" / "python", "-m", "pip", "install", "-q", "--no-input", *wanted]
    subprocess.run(command, check=True)


def _by_tool(folder: Path, command: list[str], options: Options) -> None:
    prefix = str(folder / f"tool-{next(_numbers)}")
    words = [word.format(prefix) for word in command]
    wanted = [] if "exec" in words else ["python", *packages(options)]
    subprocess.run([*words, *wanted], check=True, stdout=subprocess.DEVNULL)


# -- Conda packages --------------------------------------------------------------------------------


def _conda(folder: Path, channel: str, options: Options) -> None:
    """Create a Conda environment, from a package cache of its own if caches are to be empty."""
    root = Path(os.environ.get("CONDA_PKGS_DIRS", folder / "conda"))
    with EnvironmentManager(root, progress=False) as manager:
        wish = {"conda": packages(options), "channels": [channel]}
        manager.create(f"conda-{next(_numbers)}", wish)


def _channel(folder: Path, options: Options) -> str | None:
    """Make a channel of real packages from this Python and wheels; None without py-rattler."""
    try:
        import rattler  # noqa: F401
    except ImportError:
        return None
    from tests.support.conda.channel import Channel, build_channel

    made = folder / "channel"
    if not made.exists():
        wheels = folder / "wheels"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheels]
        subprocess.run([*command, *packages(options)], check=True)
        build_channel(made, wheels=sorted(wheels.glob("*.whl")), installed=())
    return Channel(made).url


# -- shown -----------------------------------------------------------------------------------------


def rows(series: Mapping[str, Series]) -> dict[str, dict[str, float]]:
    """Return the medians of creations, by who creates and whether caches were warm."""
    found: dict[str, dict[str, float]] = {}
    for name, one in series.items():
        maker, _, state = name.rpartition(", ")
        if state in (WARM, COLD) and name not in (ONE, FOUR) and one.values:
            found.setdefault(maker, {})[state] = one.median
    return found


def shown(series: Mapping[str, Series]) -> str:
    """Return a Markdown table of creations."""
    found = rows(series)
    ours = found.get("wetlands, venv", {})
    lines = [
        [
            maker,
            *(number(row[s], "s") if s in row else "" for s in (WARM, COLD)),
            number(row[WARM] / ours[WARM]) if WARM in row and WARM in ours else "",
        ]
        for maker, row in found.items()
    ]
    return table(["created by", WARM, COLD, "times ours, warm"], lines) if lines else ""


def drawn(series: Mapping[str, Series], path: Path) -> bool:
    """Draw the creations; say whether there was something to draw."""
    return plots.groups(rows(series), path, (WARM, COLD))


PART = Part(
    "environments",
    "environments found again and created",
    measure,
    bars=(
        Bar(AGAIN, AGAIN, 15),
        Bar("a venv of Python, NumPy and SciPy, warm", "wetlands, venv, warm", 0.4),
        Bar("a Conda environment of the same, warm", "wetlands, Conda, warm", 0.6),
        Bar("four venvs at once / one", FOUR, 2, over=ONE),
    ),
    table=shown,
    plot=drawn,
)
