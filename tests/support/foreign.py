"""Running a bundle in another interpreter, with nothing around it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from wetlands.callables import origin
from wetlands.callables.sending import dump_callable

ROOT = Path(__file__).parents[2]

_SCRIPT = """
import json, pickle, sys, traceback
sys.path.append(sys.argv[1])
from worker_entry import rebuild
frame = sys.stdin.buffer.read()
if sys.argv[2]:
    sys.path.append(sys.argv[2])
function = pickle.loads(frame).function
results = []
for args in json.loads(sys.argv[3]):
    try:
        results.append(function(*args))
    except Exception:
        results.append(traceback.format_exc())
print(json.dumps(results))
"""


def run_there(python: str, minor: str, function: Any, *calls: list[Any]) -> list[Any]:
    """Send a function to another Python as source; return its results, or tracebacks."""
    version = tuple(map(int, minor.split(".")))
    folder = origin.import_folder(origin.anchor(function)) or ""
    frame = dump_callable(function, 4, folder, version)
    done = subprocess.run(
        [python, "-I", "-W", "error", "-c", _SCRIPT, str(ROOT), folder, json.dumps(calls)],
        input=frame,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: list[Any] = json.loads(done.stdout)
    return found
