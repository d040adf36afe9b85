"""What is read from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from benchmarks.processes import private_memory, switches
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_memory_that_a_process_takes_is_seen():
    # A fresh one: this may have enough memory left over from other tests.
    say = "print(flush=True); input(); "
    code = f"{say} taken = bytearray(b'x') * 50_000_000; {say}"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        process.stdout.readline()
        before = private_memory(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        assert private_memory(process.pid) - before == pytest.approx(50_000_000, rel=0.1)
        process.kill()


def test_a_thread_that_sleeps_and_wakes_is_seen_and_the_caller_is_not():
    over = threading.Event()

    def restless() -> None:
        while not over.wait(0.001):
            pass

    thread = threading.Thread(target=restless)
    before = switches([os.getpid()])
    thread.start()
    try:
        wait_until(lambda: switches([os.getpid()]) - before > 20)
    finally:
        over.set()
        thread.join()


def test_a_process_at_rest_does_not_wake_up():
    code = "import sys; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-I", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        def asleep() -> bool:
            before = switches([process.pid])
            return not wait_until(
                lambda: switches([process.pid]) != before, timeout=0.2, fail=False
            )

        wait_until(asleep)
        process.communicate()
