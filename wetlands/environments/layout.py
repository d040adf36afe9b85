"""Where the parts of one environment lie.

::

    envs/<name>/build.lock     exclusive: held by whoever builds, extends or removes the environment
    envs/<name>/use.lock       shared: held by whoever uses it; exclusive: to change the prefix
    envs/<name>/ready.json     the prefix is whole; written last, removed first
    envs/<name>/pylock.toml    what the recipe was resolved to, with hashes
    envs/<name>/conda-packages.json  the same, of a Conda environment's Conda packages
    envs/<name>/skeleton.json  which files of the prefix belong to no package, with hashes
    envs/<name>/log.txt        what the tools said when it was built
    envs/<name>/prefix/        the environment itself
"""

from __future__ import annotations

import os
from pathlib import Path


class Layout:
    """Where the parts of one environment lie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = folder / "prefix"
        self.marker = folder / "ready.json"
        self.lock = folder / "pylock.toml"
        self.conda_lock = folder / "conda-packages.json"
        self.skeleton = folder / "skeleton.json"
        self.log = folder / "log.txt"
        self.build_lock = folder / "build.lock"
        self.use_lock = folder / "use.lock"

    @property
    def python(self) -> Path:
        """The Python of the prefix."""
        return self.python_of(self.prefix)

    @staticmethod
    def python_of(prefix: Path) -> Path:
        """Return the Python of a prefix."""
        if os.name != "nt":
            return prefix / "bin" / "python"
        conda = (prefix / "conda-meta").is_dir()
        return prefix / ("python.exe" if conda else "Scripts/python.exe")
