"""An empty venv, as uv makes it: remembered, since it differs from the next one by its prompt.

uv takes as long to make one as to link thousands of files. A relocatable venv does not name its own
folder, so that all of one Python are the same short texts and links.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from wetlands.environments import uv
from wetlands.environments.disk import read_json, write_json
from wetlands.environments.probing import Interpreter, fingerprint_of
from wetlands.environments.upkeep.manifests import walk

LAYOUT = 1

#: The prompt of the venv that is remembered; those of others take its place.
PROMPT = "prompt-of-a-blank-venv"

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)  # what no shell takes for more than a text


class Blank(NamedTuple):
    """What there is in an empty venv, by path.

    Attributes:
        folders: Each after the one that it lies in.
        texts: The mode and the content of each file.
        links: What each link leads to.
    """

    folders: list[str]
    texts: Mapping[str, tuple[int, str]]
    links: Mapping[str, str]

    def write(self, prefix: Path, prompt: str) -> dict[str, str]:
        """Make the venv where nothing lies, and return its skeleton; see `write_skeleton`."""
        os.mkdir(prefix)
        for name in self.folders:
            os.mkdir(f"{prefix}/{name}")
        noted = {}
        for name, (mode, text) in self.texts.items():
            content = text.replace(PROMPT, prompt).encode()
            handle = os.open(f"{prefix}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(handle, "wb", buffering=0) as file:
                file.write(content)
            noted[name] = hashlib.sha256(content).hexdigest()
        for name, target in self.links.items():
            os.symlink(target, f"{prefix}/{name}")
            noted[name] = f"-> {target}"
        return noted


class Blanks:
    """The empty venvs that are remembered in one root, one for each Python.

    Args:
        root: The root.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "blanks"

    def recall(self, base: Interpreter) -> Blank | None:
        """Return the empty venv of a Python, if uv would still make the same."""
        known = read_json(self._file(base)) or {}
        return Blank(**known["blank"]) if known.get("about") == _about(base) else None

    def remember(self, base: Interpreter, prefix: Path) -> Blank | None:
        """Remember the empty venv that uv just made with our `PROMPT`; None if it can't be."""
        blank = _read(prefix)
        if blank is not None:
            known = {"about": _about(base), "executable": str(base.executable)}
            with contextlib.suppress(OSError):
                self._folder.mkdir(exist_ok=True)
                write_json(self._file(base), {**known, "blank": blank._asdict()})
        return blank

    def _file(self, base: Interpreter) -> Path:
        name = hashlib.sha256(os.fsencode(base.executable)).hexdigest()[:20]
        return self._folder / f"{name}.json"


def may_be_blank(prompt: str) -> bool:
    """Whether a venv with this prompt can be made from one that is remembered."""
    return os.name != "nt" and _PLAIN.fullmatch(prompt) is not None  # Windows: there are programs


def _about(base: Interpreter) -> str:
    # A hash, because settings may hold credentials.
    told = json.dumps([LAYOUT, fingerprint_of(base.executable), uv.settings()])
    return hashlib.sha256(told.encode()).hexdigest()


def _read(prefix: Path) -> Blank | None:
    start = len(os.path.join(prefix, ""))
    blank = Blank([], {}, {})
    texts, links = {}, {}
    for folder, _, _ in os.walk(prefix):
        if folder != str(prefix):
            blank.folders.append(folder[start:])
    for path in walk(prefix):
        if os.path.islink(path):
            links[path[start:]] = os.readlink(path)
            continue
        try:
            text = Path(path).read_bytes().decode()
        except UnicodeDecodeError:
            return None
        if str(prefix) in text:
            return None
        # Not the mode as it is, which has been through our umask already.
        texts[path[start:]] = (0o777 if os.access(path, os.X_OK) else 0o666, text)
    return Blank(blank.folders, texts, links)
