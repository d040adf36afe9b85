"""How uv is run: its own binary, with an environment that is built, not inherited.

Inherited variables would let the shell that the host was started from decide what lies in an
environment (an active venv, a Python to prefer, a constraint). What is passed on is how to reach
packages: indexes, credentials, certificates, proxies, the cache. Everything else of uv's is
dropped; a configuration file counts if it is the user's, not the current folder's.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wetlands.environments import package_index, tools
from wetlands.environments.cancellation import Cancellation
from wetlands.environments.masking import without_user
from wetlands.environments.probing import NO_WINDOW, fingerprint_of
from wetlands.errors import ProvisioningError

_DROPPED_PREFIXES = ("PYTHON", "PIP_", "CONDA_", "UV_", "VIRTUAL_ENV", "__PYVENV_")

_KEPT = frozenset([
    *package_index.UV_INDEX_VARIABLES,
    "UV_INDEX_STRATEGY", "UV_KEYRING_PROVIDER", "UV_CREDENTIALS_DIR", "UV_INSECURE_HOST",
    "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_OFFLINE", "UV_EXCLUDE_NEWER", "UV_TORCH_BACKEND",
    "UV_CACHE_DIR", "UV_NO_CACHE", "UV_LINK_MODE", "UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS",
    "UV_PYTHON_INSTALL_DIR",
])  # fmt: skip


_finding = threading.Lock()


def binary() -> str:
    """Return the absolute path of uv's binary.

    Raises:
        ProvisioningError: The package ``uv`` is installed without it.
    """
    from uv import find_uv_bin

    try:
        # It asks sysconfig, whose first answer is not safe to ask for from two threads at once.
        with _finding:
            return _find(find_uv_bin)
    except FileNotFoundError as error:
        raise ProvisioningError(
            "uv's binary is missing: reinstall it with `pip install --force-reinstall uv`"
        ) from error


@functools.lru_cache(maxsize=1)
def _find(ask: Callable[[], str]) -> str:
    return os.path.abspath(ask())


@functools.lru_cache(maxsize=1)
def version() -> str:
    """Return the version of the uv that is installed with the host."""
    from importlib import metadata

    return metadata.version("uv")


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that uv is given."""
    given = os.environ if environ is None else environ
    kept = {name: value for name, value in given.items() if _passed_on(name)}
    config = package_index.uv_config_file(given)
    if config is not None:
        kept["UV_CONFIG_FILE"] = str(config)
    else:
        kept["UV_NO_CONFIG"] = "1"
        if not any(given.get(name) for name in package_index.UV_INDEX_VARIABLES):
            kept.update(package_index.translate_pip(given))
    return {**kept, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _passed_on(name: str) -> bool:
    # UV_INDEX_<NAME>_USERNAME and _PASSWORD are the credentials of a named index.
    if name in _KEPT or (
        name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD"))
    ):
        return True
    return not name.startswith(_DROPPED_PREFIXES)


def only_index() -> str:
    """Return the address of the index that uv asks, without credentials; empty if it asks more."""
    indexes = [words[1] for words in _told_sources() if words[0] != "--find-links"]
    return without_user(indexes[0]) if len(indexes) == 1 else ""


def sources() -> list[str]:
    """Return the addresses, or folders, of all that uv asks for packages; empty if unknown."""
    return [words[1] for words in _told_sources()]


def settings() -> list[tuple[str, str]]:
    """Return what tells uv from a uv that might give other answers."""
    given = environment()
    told = [(name, value) for name, value in given.items() if name.startswith("UV_")]
    config = given.get("UV_CONFIG_FILE")
    files = [Path(binary()), *([Path(config)] if config else [])]
    return sorted([*told, *((str(file), str(fingerprint_of(file))) for file in files)])


def _told_sources() -> tuple[tuple[str, str], ...]:
    return _ask_for_sources(tuple(sorted(environment().items())))


@functools.lru_cache(maxsize=4)
def _ask_for_sources(told: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    del told  # what the answer depends on
    said = query(["pip", "compile", "--quiet", "--no-header", "--emit-index-url",
                  "--emit-find-links", "-"]) or ""  # fmt: skip
    found = re.findall(r"^(--(?:(?:extra-)?index-url|find-links)) (.+)$", said, re.MULTILINE)
    return tuple(found)


def run(
    arguments: Sequence[str],
    *,
    cwd: Path,
    on_line: Callable[[str], None],
    purpose: str,
    pass_fds: Sequence[int] = (),
    cancellation: Cancellation | None = None,
) -> list[str]:
    """Run uv to its end and return the lines that it wrote about its work.

    Raises:
        EnvironmentBuildError: It failed; carries all that it said.
        CreationCanceledError: It was canceled.
    """
    return tools.run(
        [binary(), *arguments],
        env=environment(),
        cwd=cwd,
        on_line=on_line,
        purpose=purpose,
        pass_fds=pass_fds,
        cancellation=cancellation,
    )


def query(arguments: Sequence[str], *, timeout: float = 20.0, **variables: str) -> str | None:
    """Return what uv prints for a question, or None when it has no answer."""
    try:
        done = subprocess.run(
            [binary(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**environment(), **variables}, encoding="utf-8",
            errors="replace", timeout=timeout, check=False, creationflags=NO_WINDOW,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, ProvisioningError):
        return None
    return done.stdout if done.returncode == 0 else None
