"""Prefixes with packages that are nothing but their files and records."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any


def site(prefix: Path) -> Path:
    folder = prefix / "lib" / "python3.10" / "site-packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def add_wheel(
    prefix: Path, name: str, files: dict[str, str], direct_url: dict[str, Any] | None = None
) -> Path:
    """Write a package as an installer of wheels does; return its dist-info folder."""
    folder = site(prefix)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    files = {
        **files,
        f"{info.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\nName: x\n",
    }
    rows = []
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        digest = (
            base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().strip("=")
        )
        rows.append(f"{path},sha256={digest},{len(text)}")
    (info / "RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,"]) + "\n")
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))
    return info


def add_conda(prefix: Path, name: str, files: dict[str, str], **more: Any) -> Path:
    """Write a package as an installer of Conda packages does; return its note."""
    paths = []
    for path, text in files.items():
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        paths.append({"_path": path, "sha256": digest, "size_in_bytes": len(text)})
    note = prefix / "conda-meta" / f"{name}-2.0-h1_0.json"
    note.parent.mkdir(exist_ok=True)
    details = {
        "name": name, "version": "2.0", "build": "h1_0", "files": list(files),
        "channel": "https://conda.anaconda.org/conda-forge",
        "url": f"https://conda.anaconda.org/conda-forge/linux-64/{name}-2.0-h1_0.conda",
        "paths_data": {"paths": paths, "paths_version": 1}, **more,
    }  # fmt: skip
    note.write_text(json.dumps(details))
    return note
