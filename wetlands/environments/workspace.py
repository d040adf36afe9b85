"""Runs tools in the folder of one environment; what they say is told and logged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from wetlands.activation import shell
from wetlands.environments import tools, uv
from wetlands.environments.conda import activation as conda
from wetlands.environments.flock import FileLock
from wetlands.environments.layout import Layout
from wetlands.environments.masking import mask
from wetlands.environments.probing import Interpreter
from wetlands.environments.progress import Reporter

LOG_LIMIT = 1_000_000


class Workspace:
    """Runs tools for an environment: tells what they say, logs it, and hands them the locks."""

    def __init__(self, layout: Layout, reporter: Reporter, locks: Sequence[FileLock] = ()) -> None:
        self.layout = layout
        self.reporter = reporter
        self._locks = tuple(locks)

    def holding(self, lock: FileLock) -> Workspace:
        """Return the same with one more lock that the tools are handed."""
        return Workspace(self.layout, self.reporter, [*self._locks, lock])

    def uv(self, arguments: Sequence[str], purpose: str, cwd: Path | None = None) -> list[str]:
        """Run uv in the environment's folder, or in another."""
        self._log(f"$ uv {' '.join(arguments)}")
        return uv.run(
            arguments,
            cwd=cwd or self.layout.folder,
            on_line=self.told,
            purpose=f"environment {self.reporter.name!r}: {purpose}",
            pass_fds=self.descriptors(),
            cancellation=self.reporter.cancellation,
        )

    def shell(
        self, lines: Sequence[str], interpreter: Interpreter, variables: Mapping[str, str]
    ) -> list[str]:
        """Run the user's lines in one shell, with the environment's programs first on PATH.

        Args:
            lines: The lines.
            interpreter: The environment's Python.
            variables: The environment's own variables.
        """
        shown = "; ".join(map(mask, lines))
        self._log(f"$ {shown}")
        return tools.run(
            [*shell(), " && ".join(lines) if os.name == "nt" else "\n".join(["set -e", *lines])],
            env=activated(interpreter, variables),
            cwd=self.layout.folder,
            on_line=self.told,
            purpose=f"environment {self.reporter.name!r}: its install commands failed ({shown})",
            pass_fds=self.descriptors(),
            stdout=True,
            cancellation=self.reporter.cancellation,
        )

    def program(
        self, command: Sequence[str], purpose: str, meanwhile: Callable[[], object]
    ) -> None:
        """Run a program, and call a function meanwhile.

        Raises:
            EnvironmentBuildError: It failed.
            CreationCanceledError: It was canceled.
        """
        self._log(f"$ {' '.join(command)}")
        tools.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            cwd=self.layout.folder,
            on_line=self.told,
            purpose=f"environment {self.reporter.name!r}: {purpose}",
            pass_fds=self.descriptors(),
            cancellation=self.reporter.cancellation,
            meanwhile=meanwhile,
        )

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder for a moment; what a crash leaves of it is swept by the next build."""
        with TemporaryDirectory(dir=self.layout.folder, prefix=".work-") as folder:
            yield Path(folder)

    def descriptors(self) -> list[int]:
        """Return those of the locks, for whatever works on the environment to keep."""
        return [lock.fileno() for lock in self._locks]

    def told(self, line: str) -> None:
        """Take a line that a tool wrote."""
        self._log(line)
        self.reporter.line(line)

    def _log(self, line: str) -> None:
        stamp = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with open(self.layout.log, "a", encoding="utf-8") as log:
            if log.tell() < LOG_LIMIT:
                log.write(f"{stamp} {mask(line)}\n")


def activated(interpreter: Interpreter, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the host's environment variables, as they are after activating a prefix."""
    dropped = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    path = os.pathsep.join([str(interpreter.executable.parent), kept.get("PATH", os.defpath)])
    if interpreter.virtual:
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(interpreter.prefix), **variables}
    environ = {**kept, "PATH": path}
    return conda.activated(interpreter.prefix, environ, interpreter.executable, None, variables)
