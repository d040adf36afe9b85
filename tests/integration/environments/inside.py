"""What lies in an environment, and packages to put there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from wetlands.environments.prefix import Prefix


def run_in(prefix: Prefix, program: str) -> str:
    """Return what a program prints in an environment."""
    command = [str(prefix.interpreter.executable), "-I", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def packages_of(prefix: Prefix) -> dict[str, str]:
    """Return the packages of an environment, with their versions."""
    command = [sys.executable, "-m", "uv", "pip", "list", "--format", "json"]
    command += ["--python", str(prefix.interpreter.executable)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {package["name"]: package["version"] for package in json.loads(output)}


def local_package(folder: Path, name: str = "mine", value: int = 1) -> Path:
    """Write a package with one dependency, one extra, and a small build backend."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f"""
[build-system]
requires = ["flit_core>=3.9"]
build-backend = "flit_core.buildapi"
[project]
name = "{name}"
version = "1.0"
description = "x"
requires-python = ">=3.8"
dependencies = ["six"]
[project.optional-dependencies]
fast = ["tomli"]
[dependency-groups]
test = ["packaging"]
"""
    )
    (folder / f"{name}.py").write_text(f"value = {value}\n")
    return folder
