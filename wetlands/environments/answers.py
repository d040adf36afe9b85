"""What interpreters said about themselves, and what else was asked once: kept on disk until that
changes.

Each answer is a file of its own, written whole, so that processes never wait for one another. A
cache that is damaged, of another version or not writable costs time and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wetlands.environments.disk import read_json, write_json

VERSION = 1


def recall(
    cache: Path | None, executable: Path, fingerprint: Sequence[Any]
) -> dict[str, Any] | None:
    """Return the answer of an executable with this fingerprint, if it is known."""
    record = read_json(_file(cache, executable)) if cache else None
    if record is None or record.get("version") != VERSION:
        return None
    answer = record.get("answer")
    current = record.get("fingerprint") == list(fingerprint)
    return answer if current and isinstance(answer, dict) else None


def remember(
    cache: Path | None, executable: Path, fingerprint: Sequence[Any], answer: Mapping[str, Any]
) -> None:
    """Keep the answer of an executable."""
    if cache is None:
        return
    record = {"version": VERSION, "executable": str(executable), "fingerprint": list(fingerprint)}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_json(_file(cache, executable), {**record, "answer": answer})
    except OSError:
        pass


def _file(cache: Path, executable: Path) -> Path:
    import hashlib

    return cache / f"{hashlib.sha256(str(executable).encode()).hexdigest()[:20]}.json"
