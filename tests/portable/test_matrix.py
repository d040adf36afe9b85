"""Every sample between environments of different Pythons and libraries, there and back."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.portable import samples
from wetlands import Environment, EnvironmentManager
from wetlands.errors import WetlandsError

ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples.py"

#: Python and packages of the environments: old, middle and newest of each library.
RECIPES: dict[str, tuple[str, list[str]]] = {
    "3.7": ("3.7", ["numpy==1.21.6", "pandas==1.3.5", "python-dateutil==2.8.2", "six==1.16.0"]),
    "3.8": ("3.8", ["numpy==1.21.6", "pandas==1.5.3", "scipy", "Pillow"]),
    "3.9": ("3.9", ["numpy==1.24.4", "pandas==1.5.3", "pyarrow", "polars", "Pillow"]),
    "3.10": ("3.10", ["numpy==1.26.4", "pandas==2.2.3", "pyarrow", "polars", "scipy", "xarray"]),
    "3.12": ("3.12", ["numpy==2.0.2", "pandas==2.2.3", "pyarrow", "scipy", "xarray"]),
    "3.13": ("3.13", ["numpy", "pandas", "pyarrow", "polars", "scipy", "xarray", "Pillow"]),
}
#: Those of the default suite.
FEW = ("3.8", "3.12")
PAIRS = list(itertools.permutations(["host", *RECIPES], 2))


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentManager]:
    with EnvironmentManager(tmp_path_factory.mktemp("root"), progress=False) as manager:
        yield manager


@pytest.fixture(scope="module")
def built(manager: EnvironmentManager) -> dict[str, Environment]:
    """The environments that were asked for, made once."""
    return {}


def environment(manager: EnvironmentManager, built: dict[str, Environment], name: str) -> Any:
    if name not in built:
        python, packages = RECIPES[name]
        recipe = {"python": f"=={python}.*", "pip": packages}
        try:
            built[name] = manager.create(f"values-{name}", recipe)
        except WetlandsError as error:
            pytest.skip(f"no environment for Python {python}: {str(error)[:200]}")
    return built[name]


# -- through the product ---------------------------------------------------------------------------


@pytest.mark.index
@pytest.mark.parametrize("name", FEW)
def test_values_cross_between_the_host_and_other_versions(
    manager: EnvironmentManager, built: dict[str, Environment], name: str
) -> None:
    env = environment(manager, built, name)
    env.launch()
    try:
        there = set(env.execute(SAMPLES, "names"))
        assert {"arrays", "frames", "paths"} <= there
        # Classes of the samples have one name here and another one there; and a generator that was
        # checked is not the same any more.
        others = {"users_own", "errors", "objects", "generators"}
        for sample in sorted(there & set(samples.names()) - others):
            value = env.execute(SAMPLES, "check", (sample, samples.make(sample)))
            samples.check(sample, value)
    finally:
        env.exit()


# -- all with all ----------------------------------------------------------------------------------


class Side:
    """A process with a codec; see `side.py`."""

    def __init__(self, python: Path | str, protocol: int) -> None:
        script = Path(__file__).with_name("side.py")
        self.process = subprocess.Popen(
            [str(python), str(script), str(ROOT), str(script.parent), str(protocol)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, what: str, name: str = "", frames: Any = None) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump((what, name, frames), self.process.stdin, 4)
        self.process.stdin.flush()
        answer, error = pickle.load(self.process.stdout)
        assert error is None, error
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.mark.long
@pytest.mark.index
@pytest.mark.parametrize(("here", "there"), PAIRS, ids=[f"{here}-{there}" for here, there in PAIRS])
def test_values_cross_between_any_two(
    manager: EnvironmentManager, built: dict[str, Environment], here: str, there: str
) -> None:
    protocol = 4 if "3.7" in (here, there) else 5
    sides = []
    for name in (here, there):
        python = sys.executable
        if name != "host":
            python = environment(manager, built, name).interpreter.executable
        sides.append(Side(python, protocol))
    one, other = sides
    try:
        for name in sorted(set(one.ask("names")) & set(other.ask("names"))):
            back = other.ask("check", name, one.ask("make", name))
            one.ask("check", name, back)
    finally:
        one.close()
        other.close()
