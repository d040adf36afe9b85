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
from wetlands.environments.locks import conda_lock, pylock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.locks.making import assemble
from wetlands.environments.locks.platforms import here
from wetlands.environments.masking import without_user
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
        dependencies.append({"pip": pip})
    content = {
        "name": prefix.name,
        "channels": _channels(conda) or ["conda-forge"],
        "dependencies": dependencies,
        **({"variables": dict(prefix.variables)} if prefix.variables else {}),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _requirement(manifest: Manifest) -> str:
    name = canonical_name(manifest.name)
    if manifest.editable:
        return f"-e {manifest.source}"
    source = without_user(manifest.source)
    return f"{name} @ {source}" if source else f"{name}=={manifest.version}"


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
    manifests = read_manifests(prefix.path)
    if layout and record and not record.additions:
        lock = _kept(layout, record, prefix)
    else:
        lock = _looked_up(prefix, [each for each in manifests if each.kind == "pip"], reporter)
    conda = [each for each in manifests if each.kind == "conda"]
    return _with_conda(conda, lock, prefix) if conda else lock


def _kept(layout: Layout, record: Record, prefix: Prefix) -> Lock:
    """Return what uv installed, as it is kept beside a created environment."""
    if not layout.lock.is_file():
        return assemble([(here(), pylock.of_files(()))], prefix.interpreter)
    document = pylock.parse(layout.lock.read_text(encoding="utf-8"), str(layout.lock))
    document = pylock.absolute(document, layout.folder)
    if "lock" in record.recipe and not layout.conda_lock.exists():
        return Lock.of("venv", document)
    return assemble([(here(), document)], prefix.interpreter)


def _with_conda(conda: Sequence[Manifest], lock: Lock, prefix: Prefix) -> Lock:
    """Return the lock of an environment that Conda packages and others lie in."""
    from wetlands.environments.conda.package import CondaPackage

    python = ".".join(map(str, prefix.interpreter.version))
    packages = [CondaPackage.from_json(each.details) for each in conda]
    pip = pylock.packages(lock.document, here(), python)
    noted = {"created-by": "wetlands", "wetlands-local": ",".join(lock.local or ())}
    channels = dict.fromkeys(package.channel for package in packages if package.channel)
    return Lock.of("conda", conda_lock.build([(here(), packages, pip)], list(channels), noted))


def _looked_up(prefix: Prefix, manifests: Sequence[Manifest], reporter: Reporter) -> Lock:
    folders = [each for each in manifests if each.source.startswith("file:")]
    lines = [_requirement(each) for each in manifests if each not in folders]
    with tempfile.TemporaryDirectory(prefix="wetlands-") as folder:
        work = Workspace(Layout(Path(folder)), reporter)
        document = pylock.absolute(_compile(work, prefix, lines), Path(folder))
    notes = {"local": sorted(canonical_name(each.name) for each in folders)}
    major, minor, _ = prefix.interpreter.version
    return Lock.of("venv", pylock.merged([(here(), document)], f"=={major}.{minor}.*", notes))


def _compile(work: Workspace, prefix: Prefix, lines: Sequence[str]) -> pylock.Document:
    listed = work.layout.folder / "installed.in"
    listed.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    options = ["--python", str(prefix.interpreter.executable), "--no-deps", str(listed)]
    return pylock.parse(compile_lock(work, options), "the resolver's answer")
