"""Scratch folders, and what killed processes leave of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from wetlands.environments.scratch import scratch_folder, sweep

_HOLD = """
import sys
from pathlib import Path
from wetlands.environments.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as (folder, lock):
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_gone_after_use(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as (folder, _):
        (folder / "file").touch()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_that_is_held(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        (folder / "file").touch()
        sweep(tmp_path)
        assert (folder / "file").exists()
        process.kill()
        process.wait()
    with scratch_folder(tmp_path):
        assert not folder.exists()
