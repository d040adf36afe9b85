"""The streams of a worker: what a task did to them is undone, and nothing that it printed is lost.

In a process of its own each: what is tried here closes descriptors of its process.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

_BEGIN = """
import os, sys
from worker_entry.streams import Streams
streams = Streams()
"""
_END = """
print("next", flush=True)
"""


def printed(code: str) -> str:
    """Return what reaches standard output in a process that runs the code, and goes on."""
    command = [sys.executable, "-E", "-c", _BEGIN + code + _END]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_is_held_back_is_written_when_a_task_ends() -> None:
    code = "sys.stdout.write('kept')\nassert streams.flush()\nos.write(1, b'|')"
    assert printed(code) == "kept|next\n"


@pytest.mark.parametrize(
    "harm", ["sys.stdout.close()", "sys.stdout = sys.__stdout__ = None\nos.close(1)"]
)
def test_a_stream_that_is_gone_is_missed_at_once_and_put_back(harm: str) -> None:
    code = f"print('before', flush=True)\n{harm}\nassert not streams.flush()\nstreams.restore()"
    assert printed(code) == "before\nnext\n"


@pytest.mark.parametrize("number", range(3))
def test_a_descriptor_that_is_closed_is_missed_without_asking_for_each(number: int) -> None:
    code = f"""
assert streams.are_open()
os.close({number})
assert not streams.are_open()
streams.restore()
assert streams.are_open()"""
    assert printed(code) == "next\n"


def test_what_a_closed_descriptor_held_up_is_not_lost() -> None:
    code = "sys.stdout.write('held')\nos.close(1)\nassert not streams.flush()\nstreams.restore()"
    assert printed(code) == "heldnext\n"


def test_a_descriptor_that_leads_elsewhere_leads_back() -> None:
    code = "os.dup2(os.open(os.devnull, os.O_WRONLY), 1)\nassert streams.flush()\nstreams.restore()"
    assert printed(code) == "next\n"


def test_a_stream_of_a_user_that_raises_keeps_nothing_from_the_others() -> None:
    code = """
class Broken:
    closed = False
    def flush(self): raise RuntimeError
    def write(self, text): pass
sys.stdout.write("held")
original, sys.stdout = sys.stdout, Broken()
assert not streams.flush()
os.write(1, b"|")
sys.stdout = original
"""
    assert printed(code) == "held|next\n"


@pytest.mark.skipif(sys.platform == "win32", reason="limits a process")
def test_half_of_the_descriptors_may_be_left_open_besides_those_of_the_first_task() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
first = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
streams.restore()
assert not streams.worn
more = []
while not streams.worn:
    more.append(os.open(os.devnull, os.O_RDONLY))
    streams.restore()
assert 15 < len(more) <= 20 and not streams.exhausted
for number in more:
    os.close(number)
streams.restore()
assert not streams.worn
"""
    assert printed(code) == "next\n"
