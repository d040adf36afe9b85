"""The small packages of the channel, each there for something that can go wrong.

``toolbox`` has two versions that can't be in one environment, and a console script; ``needs-old``
and ``needs-new`` each need one of them. ``actvars`` has activation scripts, variables, and files
with the prefix in them, as text and in a binary. ``needs-cuda`` and ``needs-glibc`` need what only
virtual packages give. ``tool-2`` and ``tool-3`` have a program that is no Python.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.conda.archive import PLACEHOLDER, File, Package

_PYTHON = "python >=3.6"


def samples(subdir: str) -> Iterator[Package]:
    """Yield the packages."""
    yield _toolbox("1.0", "old_api")
    yield _toolbox("2.0", "new_api")
    yield _needs("needs-old", "toolbox <2")
    yield _needs("needs-new", "toolbox >=2")
    yield Package(
        "needs-cuda", "1.0", _module("needs_cuda"), "py_0", noarch="python",
        depends=[_PYTHON, "__cuda >=11"],
    )  # fmt: skip
    yield Package(
        "needs-glibc", "1.0", {"share/needs-glibc": File(b"")}, subdir=subdir,
        depends=["__glibc >=2.17"],
    )  # fmt: skip
    yield _actvars(subdir)


def _toolbox(version: str, api: str) -> Package:
    code = (
        f'__version__ = "{version}"\n\n\ndef {api}():\n    return __version__\n\n\n'
        'def main():\n    print("toolbox", __version__)\n'
    )
    info = f"site-packages/toolbox-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: toolbox\nVersion: {version}\n"
    files = {
        "site-packages/toolbox/__init__.py": File(code.encode()),
        f"{info}/METADATA": File(metadata.encode()),
        f"{info}/INSTALLER": File(b"conda\n"),
        f"{info}/RECORD": File(b""),
    }
    return Package(
        "toolbox", version, files, "py_0", noarch="python", depends=[_PYTHON],
        entry_points=["toolbox = toolbox:main"],
    )  # fmt: skip


def _needs(name: str, what: str) -> Package:
    files = _module(name.replace("-", "_"), "import toolbox\n\nVERSION = toolbox.__version__\n")
    return Package(name, "1.0", files, "py_0", noarch="python", depends=[_PYTHON, what])


def _module(name: str, code: str = "") -> dict[str, File]:
    return {f"site-packages/{name}.py": File(code.encode())}


def _actvars(subdir: str) -> Package:
    text, inside = f"{PLACEHOLDER}\n".encode(), PLACEHOLDER.encode() + b"/share/actvars\0"
    where = f"#!/bin/sh\necho {PLACEHOLDER}/share/actvars\n".encode()
    script = b'export ACTVARS_HOME="$CONDA_PREFIX/share/actvars"\n'
    files = {
        "etc/conda/activate.d/actvars.sh": File(script),
        "etc/conda/deactivate.d/actvars.sh": File(b"unset ACTVARS_HOME\n"),
        "etc/conda/env_vars.d/actvars.json": File(b'{"ACTVARS_STATIC": "from env_vars.d"}\n'),
        "bin/actvars-where": File(where, 0o755, prefix="text"),
        "share/actvars/prefix.txt": File(text, prefix="text"),
        "share/actvars/prefix.bin": File(b"\x7fBIN\0" + inside + b"tail\0" * 3, prefix="binary"),
        "share/actvars/big.dat": File(bytes(1 << 20)),
    }
    return Package("actvars", "1.0", files, subdir=subdir)
