"""Recipe -> ``pylock.toml``: which file of which package, with its sha256, for one Python.

A lock that is kept is used again when a prefix is rebuilt from the same recipe for the same Python,
so that what is repaired is what was there before. Its first line says what it is for; a lock
without that line, or of another format, is made again. To move to newer packages, delete the
environment and create it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wetlands.environments import uv
from wetlands.environments.disk import write_atomically
from wetlands.environments.local_sources import ConfigFile
from wetlands.environments.locks import addresses, pylock
from wetlands.environments.locks.lock import Lock
from wetlands.environments.locks.platforms import here
from wetlands.environments.probing import Interpreter
from wetlands.environments.project_files import load_toml
from wetlands.environments.recipe import Recipe
from wetlands.environments.requirement_files import absolute_line
from wetlands.environments.resolutions import Resolutions
from wetlands.environments.workspace import Workspace
from wetlands.errors import ConfigurationError

FORMAT = 1

_EMPTY = 'lock-version = "1.0"\ncreated-by = "wetlands"\npackages = []\n'


def ensure_lock(
    work: Workspace, recipe: Recipe, key: str, interpreter: Interpreter, known: Resolutions
) -> None:
    """Have a lock for the recipe beside the environment.

    Args:
        work: The environment's folder.
        recipe: The recipe.
        key: Its key.
        interpreter: The Python that it is for.
        known: What was resolved a short while ago.

    Raises:
        EnvironmentBuildError: The recipe can't be resolved; carries all that the resolver said.
    """

    def ask() -> str:
        with work.scratch() as scratch:
            return resolve(work, recipe, interpreter, scratch)

    version = ".".join(map(str, interpreter.version))
    about = f"{interpreter.abi} {version} {interpreter.executable}"
    # The place belongs to it because paths of local packages in the lock are relative to it.
    place = work.layout.lock
    keep_lock(
        place,
        f"recipe {key}, {interpreter.abi} {version}, {place}",
        lambda: known.answer(recipe, about, ask, work.told),
    )


def keep_lock(file: Path, about: str, make: Callable[[], str]) -> None:
    """Have a lock in a file: the one that is there, if it is about the same, or a new one."""
    title = f"# wetlands lock {FORMAT}, {about}"
    if not _is_current(file, title):
        write_atomically(file, f"{title}\n{make()}")


def _is_current(lock: Path, title: str) -> bool:
    try:
        with open(lock, encoding="utf-8") as stream:
            if stream.readline().rstrip("\n") != title:
                return False
        pylock.check(load_toml(lock), str(lock))
    except (OSError, UnicodeDecodeError, ConfigurationError):
        return False
    return True


def resolve(
    work: Workspace,
    recipe: Recipe,
    interpreter: Interpreter,
    scratch: Path,
    options: Sequence[str] = (),
) -> str:
    """Return what a recipe is resolved to, as the text of a lock beside the environment.

    Raises:
        EnvironmentBuildError: It can't be resolved; carries all that the resolver said.
    """
    if recipe.lock:
        document = _addressed(work, recipe.lock.pip_part(), interpreter, options)
        return _placed(work, recipe, document)
    inputs = requirement_options(recipe, scratch)
    base = ["--python", str(interpreter.executable), *options]
    cwd = folder_of(recipe)
    text = compile_lock(work, [*base, *inputs], cwd) if inputs else _EMPTY
    if recipe.no_deps:
        listed = _write(scratch / "alone.in", recipe.no_deps)
        text = merge(text, compile_lock(work, [*base, listed, "--no-deps"], cwd))
    return text


def resolve_locked(work: Workspace, recipe: Recipe, lock: Lock) -> str:
    """Return what uv installs of a recipe that is locked already, as `resolve` does."""
    return _placed(work, recipe, lock.pip_part())


def _placed(work: Workspace, recipe: Recipe, document: pylock.Document) -> str:
    whole = pylock.with_folders(document, recipe.local)
    placed = pylock.relative(whole, work.layout.folder)
    return pylock.dump(addresses.indexed(placed, uv.only_index()))


def _addressed(
    work: Workspace, document: pylock.Document, interpreter: Interpreter, options: Sequence[str]
) -> pylock.Document:
    """Return a lock with addresses for the files that it names without; see `locks.addresses`."""
    if not any(map(addresses.lacking, document.get("packages", ()))):
        return document
    wanted = pylock.wanted(document, here(), ".".join(map(str, interpreter.version)))
    lines = [addresses.requirement(e) for e in wanted["packages"] if addresses.lacking(e)]
    if not lines:
        return wanted
    with work.scratch() as scratch:
        listed = _write(scratch / "locked.in", lines)
        base = ["--python", str(interpreter.executable), "--no-deps", *options]
        text = compile_lock(work, [*base, listed])
    offered = pylock.parse(text, "the resolver's answer")
    return addresses.filled_in(wanted, pylock.absolute(offered, work.layout.folder))


def compile_lock(work: Workspace, options: Sequence[str], cwd: Path | None = None) -> str:
    """Return what uv resolves to, as the text of a lock beside the environment.

    Args:
        work: The environment's folder.
        options: For which Python, and from which files.
        cwd: The folder from which relative paths in these files count.

    Raises:
        EnvironmentBuildError: It can't be resolved.
    """
    output = _draft(work)
    output.unlink(missing_ok=True)
    work.uv(
        ["pip", "compile", "--format", "pylock.toml", "--no-header", "--no-annotate",
         "--output-file", str(output), *options],
        "its dependencies can't be resolved",
        cwd=cwd,
    )  # fmt: skip
    text = output.read_text(encoding="utf-8")
    output.unlink()
    # uv's own lock does not say which index a file is from, and without that its cache is not
    # asked by name: where addresses carry no permission to be cached, all is fetched again.
    return pylock.dump(addresses.indexed(pylock.parse(text, str(output)), uv.only_index()))


def _draft(work: Workspace) -> Path:
    # Beside the lock that it becomes, because of relative paths in it. One that a crash left would
    # steer the resolver, and is removed first.
    return work.layout.lock.with_name("pylock.new.toml")


def folder_of(recipe: Recipe) -> Path | None:
    """Return the folder from which relative paths of the recipe's config file count."""
    return Path(recipe.config.path).parent if recipe.config else None


def requirement_options(recipe: Recipe, scratch: Path) -> list[str]:
    """Return the arguments that hand a recipe to uv, except packages without dependencies."""
    lines = [*recipe.pip, *(package.requirement() for package in recipe.local)]
    options: list[str] = []
    if recipe.config and recipe.config.inline:
        folder = Path(recipe.config.path).parent
        lines += [absolute_line(line, folder) for line in recipe.config.inline]
    elif recipe.config:
        options = _config_options(recipe.config)
    return [*options, *([_write(scratch / "requirements.in", lines)] if lines else [])]


def _config_options(config: ConfigFile) -> list[str]:
    options = [config.path]
    for extra in config.extras:
        options += ["--extra", extra]
    for group in config.groups:
        options += ["--group", f"{config.path}:{group}"]
    return options


def _write(path: Path, lines: list[str] | tuple[str, ...]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def merge(lock: str, alone: str) -> str:
    """Add the packages of a second lock that the first doesn't have.

    Both are one table a package, so that the text can be cut between tables.
    """
    head, packages = pylock.packages_in(lock)
    known = {name for name, _ in packages}
    packages += [one for one in pylock.packages_in(alone)[1] if one[0] not in known]
    return "[[packages]]".join(
        [head.rstrip("\n") + "\n\n", *(text.rstrip("\n") + "\n\n" for _, text in packages)]
    )
