"""The host's side of the helper: starts it, tells its progress, makes errors of its failures."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from wetlands.environments import tools
from wetlands.environments.conda import messages
from wetlands.environments.conda.channels import Sources, credentials_file
from wetlands.environments.masking import mask
from wetlands.environments.progress import Reporter
from wetlands.errors import ConfigurationError, EnvironmentBuildError

_CODE = (
    "import sys; sys.path += sys.argv[1:]; "
    "from wetlands.environments.conda import helper; helper.main()"
)
_HOST_ONLY = ("PYTHON", "__PYVENV_")

# What went wrong -> what to do about it.
_ADVICE = {
    "solver": "These packages can't be had together: loosen or correct what is named below",
    "network": "Check the network connection, the proxy and the channels' addresses; packages that "
    "are here already are kept",
    "credentials": "A channel wants credentials: keep them where conda or pixi keeps them "
    "(`pixi auth login`, the file that RATTLER_AUTH_FILE names, ~/.netrc, or in the address in "
    ".condarc)",
    "hash": "An archive is not the one that it should be: it was replaced or damaged, don't trust "
    "it before you know why",
    "escape": "A package would write files outside of its environment: don't trust it",
    "disk": "Free some space on the disk, then try again",
    "other": "py-rattler says",
}


def require_rattler() -> Path:
    """Return the folder in which py-rattler is installed.

    Raises:
        ConfigurationError: It is not.
    """
    found = importlib.util.find_spec("rattler")
    if found is None or not found.origin:
        raise ConfigurationError(
            "Conda packages need py-rattler, which is not installed: install it with `pip install "
            "'wetlands[conda]'`, or ask for the same libraries under 'pip'"
        )
    return Path(found.origin).parents[1]


class Helper:
    """A helper process, started when there is something to ask; for one request after another.

    Args:
        folder: The root of all environments.
        reporter: Told how far it is; its cancellation ends the helper.
        pass_fds: Descriptors that it keeps open, such as locks.
        log: Told what it prints that is not meant for a program.

    Not to be used by two threads at once.
    """

    def __init__(
        self,
        folder: Path,
        reporter: Reporter,
        pass_fds: Sequence[int],
        log: Callable[[str], object],
    ) -> None:
        self._folder = folder
        self._reporter = reporter
        self._pass_fds = pass_fds
        self._log = log
        self._running = ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._given: object = None

    def ask(self, request: Mapping[str, Any], sources: Sources, purpose: str) -> dict[str, Any]:
        """Have something done, and return the answer.

        Args:
            request: What is to be done.
            sources: Whose variables and credentials it has; with others it is another process.
            purpose: What it is for, as the beginning of a sentence about its failure.

        Raises:
            ConfigurationError: py-rattler is not installed.
            EnvironmentBuildError: It can't be done, or the helper died.
            CreationCanceledError: It was canceled, and the helper is gone.
        """
        given = (sources.variables, credentials_file(sources, os.environ))
        if self._process is None or given != self._given:
            self.close()
            self._given = given
            self._process = self._running.enter_context(self._started(sources, purpose))
        heard = _Heard(self._reporter, self._log)
        process = self._process
        with self._closed_by_errors():
            self._converse(process, request, heard)
            if heard.answer is None:
                self.close()
        if heard.failure:
            raise _failed(purpose, messages.Failure(**heard.failure), heard.printed)
        if heard.answer is None:
            raise _died(purpose, process.returncode, heard.printed)
        return heard.answer

    def close(self) -> None:
        """Have it end, and wait for that.

        Raises:
            CreationCanceledError: It was canceled.
        """
        self._process = None
        self._running.close()

    @staticmethod
    def _converse(
        process: subprocess.Popen[str], request: Mapping[str, Any], heard: _Heard
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):  # if it is gone, it says less than an answer
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            heard.line(mask(line.rstrip("\r\n")))
            if heard.answer is not None:
                return

    @contextmanager
    def _closed_by_errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._process = None
            if not self._running.__exit__(*sys.exc_info()):
                raise

    @contextmanager
    def _started(self, sources: Sources, purpose: str) -> Iterator[subprocess.Popen[str]]:
        places = [str(Path(__file__).parents[3]), str(require_rattler())]
        with _secrets(sources) as (variables, descriptors), tools.started(
            [_python(), "-I", "-c", _CODE, *places],
            env={**_variables(sources, self._folder), **variables},
            cwd=self._folder, purpose=purpose, pass_fds=[*self._pass_fds, *descriptors],
            stdout=True, stdin=True, cancellation=self._reporter.cancellation,
        ) as process:  # fmt: skip
            yield process


class _Heard:
    """What a helper has said so far."""

    def __init__(self, reporter: Reporter, log: Callable[[str], object]) -> None:
        self.answer: dict[str, Any] | None = None
        self.failure: dict[str, Any] | None = None
        self.printed: list[str] = []
        self._reporter = reporter
        self._log = log

    def line(self, line: str) -> None:
        """Take one line."""
        kind, value = messages.decode(line) or ("", {})
        if kind == "answer":
            self.answer = value
        elif kind == "failure":
            self.failure = value
        elif kind == "progress":
            self._progress(messages.Progress(**value))
        elif line.strip():
            self.printed.append(line)
            self._log(line)

    def _progress(self, progress: messages.Progress) -> None:
        if progress.step == "link":
            self._log(f"installed {progress.package} ({progress.done}/{progress.total})")
            return
        if progress.step == "download" and not progress.done:
            self._log(f"downloading {progress.package}")
        self._reporter.bytes(progress.package, progress.done, progress.total)


def _python() -> str:
    if getattr(sys, "frozen", False) or not sys.executable:
        from wetlands.environments.interpreters import choose

        # The executable is the application; any other Python can run py-rattler as well.
        return str(choose(">=3.10").executable)
    return sys.executable


def _variables(sources: Sources, folder: Path) -> dict[str, str]:
    """Return the helper's environment variables."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(_HOST_ONLY)}
    return {"RATTLER_CACHE_DIR": str(folder / "rattler"), **environ, **sources.variables}


@contextmanager
def _secrets(sources: Sources) -> Iterator[tuple[dict[str, str], list[int]]]:
    """Give the variables and descriptors by which a helper gets credentials."""
    text = credentials_file(sources, os.environ)
    if text is None:
        yield {}, []
    elif os.name == "posix":
        # A file without a name: nobody else can open it, and no crash leaves it behind.
        with tempfile.TemporaryFile() as file:
            file.write(text.encode())
            file.seek(0)
            yield {"RATTLER_AUTH_FILE": f"/dev/fd/{file.fileno()}"}, [file.fileno()]
    else:
        with tempfile.TemporaryDirectory(prefix="wetlands-") as place:
            path = Path(place, "credentials.json")
            path.write_text(text, encoding="utf-8")
            yield {"RATTLER_AUTH_FILE": str(path)}, []


def _failed(
    purpose: str, failure: messages.Failure, printed: Sequence[str]
) -> EnvironmentBuildError:
    text = "\n".join([failure.message, *printed])
    return EnvironmentBuildError(
        f"{purpose}. {_ADVICE.get(failure.kind, _ADVICE['other'])}:\n{text}",
        command=("py-rattler",),
        returncode=1,
        log_tail=text,
    )


def _died(purpose: str, returncode: int, printed: Sequence[str]) -> EnvironmentBuildError:
    ending = f"exit status {returncode}"
    if returncode < 0:
        try:
            ending = signal.Signals(-returncode).name
        except ValueError:
            ending = f"signal {-returncode}"
    text = "\n".join(printed)
    return EnvironmentBuildError(
        f"{purpose}: py-rattler died of {ending}. Try again; if it happens again, please report "
        f"it with what it printed:\n{text}",
        command=("py-rattler",),
        returncode=returncode,
        log_tail=text,
    )
