"""What lies in a prefix, read from what packages leave there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.environments.upkeep.prefixes import add_conda, add_wheel, site
from wetlands.environments.upkeep.inventory import packages


def test_wheels_and_conda_packages_are_listed_by_name(tmp_path: Path) -> None:
    add_wheel(tmp_path, "Some.Thing", {"thing.py": "12345"})
    add_conda(tmp_path, "libthing", {"lib/libthing.so": "123"})
    conda, pip = packages(tmp_path)
    assert (conda.name, conda.version, conda.kind, conda.build) == (
        "libthing", "2.0", "conda", "h1_0",
    )  # fmt: skip
    assert conda.source.endswith("linux-64/libthing-2.0-h1_0.conda")
    assert conda.size == 3
    assert (pip.name, pip.version, pip.kind, pip.source) == ("some-thing", "1.0", "pip", "")
    assert pip.size > 5


def test_a_conda_package_of_python_modules_is_listed_once(tmp_path: Path) -> None:
    info = add_wheel(tmp_path, "numpy", {"numpy.py": "x"})
    inside = info.relative_to(tmp_path) / "METADATA"
    add_conda(tmp_path, "numpy", {str(inside): (info / "METADATA").read_text()})
    assert [(each.name, each.kind) for each in packages(tmp_path)] == [("numpy", "conda")]


@pytest.mark.parametrize(
    ("direct_url", "source", "editable"),
    [
        (None, "", False),
        ({"url": "file:///src/mine", "dir_info": {"editable": True}}, "file:///src/mine", True),
        ({"url": "https://me:secret@x/it.whl", "archive_info": {}}, "https://****@x/it.whl", False),
        (
            {"url": "https://x/it.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "git+https://x/it.git@abc",
            False,
        ),
    ],
)
def test_a_package_says_where_it_came_from(
    tmp_path: Path, direct_url: dict[str, object] | None, source: str, editable: bool
) -> None:
    add_wheel(tmp_path, "it", {"it.py": ""}, direct_url)
    [found] = packages(tmp_path)
    assert (found.source, found.editable) == (source, editable)


def test_a_link_to_the_folder_of_packages_does_not_double_them(tmp_path: Path) -> None:
    add_wheel(tmp_path, "it", {"it.py": ""})
    (tmp_path / "lib64").symlink_to("lib")
    assert len(packages(tmp_path)) == 1


def test_damaged_records_do_not_hide_other_packages(tmp_path: Path) -> None:
    add_wheel(tmp_path, "fine", {"fine.py": ""})
    (site(tmp_path) / "empty-1.dist-info").mkdir()
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "half.json").write_text("{")
    assert [each.name for each in packages(tmp_path)] == ["fine"]
    assert packages(tmp_path / "nowhere") == []
