"""An environment as a file for others: as ``environment.yml``, or as a lock.

The first is for people and other tools: names and versions. The second is exact: each file with its
hash.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wetlands.environments.entries import canonical_name
from wetlands.environments.layout import Layout
from wetlands.environments.lock import compile_lock
from wetlands.environments.locks import pylock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.locks.making import assemble
from wetlands.environments.locks.platforms import here
from wetlands.environments.prefix import Prefix
from wetlands.environments.progress import Reporter
from wetlands.environments.records import Record
from wetlands.environments.upkeep.manifests import Manifest, read_manifests
from wetlands.environments.workspace import Workspace


def environment_yml(prefix: Prefix) -> str:
    """Return an environment as the text of an ``environment.yml``."""
    import yaml

    manifests = read_manifests(prefix.path)
    conda = [each for each in manifests if each.kind == "conda"]
    pip = sorted(_requirement(each) for each in manifests if each.kind == "pip")
    python = [f"python={'.'.join(map(str, prefix.interpreter.version))}", "pip"]
    dependencies: list[Any] = [f"{e.name}={e.version}={e.build}" for e in conda] or python
    if pip:
        has_pip = any(str(each).partition("=")[0] == "pip" for each in dependencies)
        dependencies += [*([] if has_pip else ["pip"]), {"pip": pip}]
    content = {
        "name": prefix.name,
        "channels": _channels(conda) or ["conda-forge"],
        "dependencies": dependencies,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _requirement(manifest: Manifest) -> str:
    name = canonical_name(manifest.name)
    if manifest.editable:
        return f"-e {manifest.source}"
    return f"{name} @ {manifest.source}" if manifest.source else f"{name}=={manifest.version}"


def _channels(conda: Iterable[Manifest]) -> list[str]:
    """Return the channels of packages, that of most packages first."""
    named = [str(each.details.get("channel") or "").rstrip("/") for each in conda]
    found = sorted(set(filter(None, named)), key=lambda name: (-named.count(name), name))
    return [name.removeprefix("https://conda.anaconda.org/") for name in found]


def export_lock(
    prefix: Prefix, record: Record | None, layout: Layout | None, reporter: Reporter
) -> Lock:
    """Return the lock that gives this environment.

    What a created environment was made from is kept beside it. If more was installed later, or it
    was made by others, what lies there now is looked up on the package index.

    Raises:
        EnvironmentBuildError: The index does not have what lies there.
    """
    if layout and record and not record.additions:
        document = pylock.parse(layout.lock.read_text(encoding="utf-8"), str(layout.lock))
        document = pylock.absolute(document, layout.folder)
        if "lock" in record.recipe:
            return Lock.of_pylock(document)
        return assemble([(here(), document)], prefix.interpreter)
    return _looked_up(prefix, reporter)


def _looked_up(prefix: Prefix, reporter: Reporter) -> Lock:
    manifests = [each for each in read_manifests(prefix.path) if each.kind == "pip"]
    folders = [each for each in manifests if each.source.startswith("file:")]
    lines = [_requirement(each) for each in manifests if each not in folders]
    with tempfile.TemporaryDirectory(prefix="wetlands-") as folder:
        work = Workspace(Layout(Path(folder)), reporter)
        document = pylock.absolute(_compile(work, prefix, lines), Path(folder))
    notes = {"local": sorted(canonical_name(each.name) for each in folders)}
    major, minor, _ = prefix.interpreter.version
    return Lock.of_pylock(pylock.merged([(here(), document)], f"=={major}.{minor}.*", notes))


def _compile(work: Workspace, prefix: Prefix, lines: Sequence[str]) -> pylock.Document:
    listed = work.layout.folder / "installed.in"
    listed.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    options = ["--python", str(prefix.interpreter.executable), "--no-deps", str(listed)]
    return pylock.parse(compile_lock(work, options), "the resolver's answer")
