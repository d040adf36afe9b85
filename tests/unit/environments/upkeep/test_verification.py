"""Files against their records."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.unit.environments.upkeep.prefixes import add_conda, add_wheel, site
from wetlands.environments.upkeep.links import damaged
from wetlands.environments.upkeep.manifests import read_manifests, skeleton_of, write_skeleton
from wetlands.environments.upkeep.verification import Verification, sha256_of, verify


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    prefix = tmp_path / "prefix"
    add_wheel(prefix, "It", {"it/__init__.py": "value = 1\n", "it/data.txt": "data"})
    add_conda(prefix, "lib", {"lib/lib.so": "binary"})
    return prefix


def names(faults: object) -> list[str]:
    return [os.path.basename(fault.path) for fault in faults]  # type: ignore[attr-defined]


def test_a_whole_prefix_is_fine(prefix: Path) -> None:
    found = verify(prefix)
    assert found.ok
    assert found.checked == 5
    assert (found.missing, found.changed, found.untracked, found.broken) == ((), (), (), ())


def test_what_is_missing_or_changed_is_named_with_its_package(prefix: Path) -> None:
    (site(prefix) / "it" / "data.txt").unlink()
    (prefix / "lib" / "lib.so").write_text("BINARY")
    found = verify(prefix)
    assert not found.ok
    assert names(found.missing) == ["data.txt"]
    assert names(found.changed) == ["lib.so"]
    assert found.broken == ("it", "lib")
    assert found.summary() == "5 files checked: 1 missing, 1 changed, 0 untracked"


def test_a_change_that_keeps_size_and_time_is_found(prefix: Path) -> None:
    path = site(prefix) / "it" / "data.txt"
    before = path.stat()
    path.write_text("DATA")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(verify(prefix).changed) == ["data.txt"]


def test_what_nobody_has_on_record_is_untracked_but_bytecode(prefix: Path) -> None:
    cache = site(prefix) / "it" / "__pycache__"
    cache.mkdir()
    (cache / "it.cpython-310.pyc").touch()
    (site(prefix) / "own.py").touch()
    found = verify(prefix)
    assert [path.name for path in found.untracked] == ["own.py"]
    assert found.ok


def test_a_file_that_names_its_prefix_has_a_hash_of_its_own(tmp_path: Path) -> None:
    note = add_conda(tmp_path, "tool", {"bin/tool": "#!/here/python"})
    other = hashlib.sha256(b"#!/placeholder/python").hexdigest()
    own = hashlib.sha256(b"#!/here/python").hexdigest()
    entry = {"_path": "bin/tool", "sha256": other, "sha256_in_prefix": own, "size_in_bytes": 21}
    details = {**json.loads(note.read_text()), "paths_data": {"paths": [entry]}}
    note.write_text(json.dumps(details))
    assert verify(tmp_path).ok
    (tmp_path / "bin" / "tool").write_text("#!/there/python")
    assert names(verify(tmp_path).changed) == ["tool"]


def test_one_file_of_two_packages_may_be_either_s(tmp_path: Path) -> None:
    add_wheel(tmp_path, "one", {"space/__init__.py": "1"})
    add_wheel(tmp_path, "two", {"space/__init__.py": "2"})
    assert verify(tmp_path).ok
    (site(tmp_path) / "space" / "__init__.py").write_text("3")
    assert names(verify(tmp_path).changed) == ["__init__.py"]


def test_files_of_the_venv_itself_are_noted_and_checked(tmp_path: Path) -> None:
    prefix, note = tmp_path / "prefix", tmp_path / "skeleton.json"
    add_wheel(prefix, "it", {"it.py": ""})
    (prefix / "pyvenv.cfg").write_text("home = /usr")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to("/usr/bin/python3")
    write_skeleton(note, skeleton_of(prefix, read_manifests(prefix), sha256_of))
    assert verify(prefix, note) == Verification(checked=5)
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").symlink_to("/elsewhere/python3")
    (prefix / "pyvenv.cfg").unlink()
    found = verify(prefix, note)
    assert (names(found.missing), names(found.changed)) == (["pyvenv.cfg"], ["python"])
    assert found.broken == ()


def test_something_else_in_the_place_of_a_file_is_a_change(prefix: Path) -> None:
    path = site(prefix) / "it" / "data.txt"
    path.unlink()
    path.mkdir()
    assert names(verify(prefix).changed) == ["data.txt"]


# -- just linked -----------------------------------------------------------------------------------


def test_what_was_just_linked_is_whole(prefix: Path) -> None:
    assert damaged(read_manifests(prefix)) == []


@pytest.mark.parametrize("text", ["longer than before", "DATA"])
def test_what_was_edited_in_the_cache_is_noticed(prefix: Path, text: str) -> None:
    metadata = site(prefix) / "It-1.0.dist-info" / "METADATA"
    path = site(prefix) / "it" / "data.txt"
    path.write_text(text)
    later = metadata.stat().st_mtime_ns + 1
    os.utime(path, ns=(later, later))
    assert damaged(read_manifests(prefix)) == ["it"]


def test_a_file_that_was_only_touched_is_fine(prefix: Path) -> None:
    later = (site(prefix) / "It-1.0.dist-info" / "METADATA").stat().st_mtime_ns + 1
    os.utime(site(prefix) / "it" / "data.txt", ns=(later, later))
    assert damaged(read_manifests(prefix)) == []


def test_a_file_that_is_gone_from_the_cache_is_noticed(prefix: Path) -> None:
    (site(prefix) / "it" / "data.txt").unlink()
    assert damaged(read_manifests(prefix)) == ["it"]
