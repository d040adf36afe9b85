"""What interpreters in one process can do, for docs/interpreters.md.

``python3.13 benchmarks/subinterpreters.py [MODULE ...]`` needs nothing but the standard library; it
says which of the modules can be imported in a subinterpreter. Numbers are medians.
"""

from __future__ import annotations

import _interpreters  # isort: skip
import os
import pickle
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

_SERVE = """
import os, pickle
while True:
    data = os.read({read}, 65536)
    if not data:
        break
    os.write({write}, pickle.dumps(pickle.loads(data)))
"""
_IMPORTS = """
import _interpreters  # isort: skip
for name, config in (("own GIL", "isolated"), ("common GIL", "legacy"), ("and again", "legacy")):
    error = _interpreters.exec(_interpreters.create(config), "import {module}")
    print("   ", name + ":", "imports" if error is None else error.msg.strip().splitlines()[-1])
"""
_BURN = """
import time
n = 0
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    n += 1
"""


def median(call: Callable[[], object], count: int) -> float:
    """Return the median of the seconds that a call takes."""
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def loads(module: str) -> str:
    """Say whether a module can be imported: with a GIL of its own, with the common one, twice."""
    code = _IMPORTS.format(module=module)
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def started(count: int) -> tuple[float, float]:
    """Return the seconds that it takes to start an interpreter, and a process of one."""
    command = [sys.executable, "-I", "-c", "import pickle"]

    def interpreter() -> None:
        made = _interpreters.create()
        _interpreters.exec(made, "import pickle")
        _interpreters.destroy(made)

    return median(interpreter, count), median(lambda: subprocess.run(command, check=True), count)


def pinged(serve: Callable[[str], Callable[[], object]], count: int) -> float:
    """Return the seconds of a round trip over two pipes to what ``serve`` starts."""
    there, back = os.pipe(), os.pipe()
    for end in (there[0], back[1]):
        os.set_inheritable(end, True)
    over = serve(_SERVE.format(read=there[0], write=back[1]))

    def ping() -> None:
        os.write(there[1], pickle.dumps(("noop", 1)))
        pickle.loads(os.read(back[0], 65536))

    ping()
    took = median(ping, count)
    os.close(there[1])
    over()
    for end in (there[0], *back):
        os.close(end)
    return took


def in_interpreter(code: str) -> Callable[[], object]:
    """Run code in an interpreter on a thread of its own; return what waits for its end."""
    made = _interpreters.create()
    thread = threading.Thread(target=_interpreters.exec, args=(made, code))
    thread.start()

    def over() -> None:
        thread.join()
        _interpreters.destroy(made)

    return over


def in_process(code: str) -> Callable[[], object]:
    """Run code in a process; return what waits for its end."""
    process = subprocess.Popen([sys.executable, "-I", "-c", code], close_fds=False)

    def over() -> None:
        process.kill()  # it holds both ends of its pipes, and would never see theirs
        process.wait()

    return over


def in_thread(code: str) -> Callable[[], object]:
    """Run code on a thread of this interpreter; return what waits for its end."""
    thread = threading.Thread(target=exec, args=(code, {}))
    thread.start()
    return thread.join


def speed(run: Callable[[str], Callable[[], object]], count: int, seconds: float) -> float:
    """Return how often a loop goes round in all of ``count`` runs, a second."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    code = _BURN.format(seconds=seconds) + f"\nimport os\nos.write({write}, b'%d ' % n)\n"
    overs = [run(code) for _ in range(count)]
    text = b""
    while text.count(b" ") < count:
        text += os.read(read, 4096)
    for over in overs:
        over()
    os.close(read)
    os.close(write)
    return sum(map(int, text.split()))


def main(arguments: Sequence[str]) -> None:
    """Print everything."""
    quick = "--smoke" in arguments
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {sys.version.split()[0]}, {'with' if gil else 'without'} a GIL")
    for module in arguments:
        if module != "--smoke":
            print(f"{module}\n    {loads(module)}")
    interpreter, process = started(2 if quick else 20)
    print(f"start of an interpreter: {interpreter * 1e3:.1f} ms; a process: {process * 1e3:.1f} ms")
    ways = {"thread": in_thread, "interpreter": in_interpreter, "process": in_process}
    for name, way in ways.items():
        took = pinged(way, 50 if quick else 5000)
        print(f"no-op in another {name}, over pipes: {took * 1e6:.0f} us")
    for name, way in ways.items():
        one, two = (speed(way, count, 0.05 if quick else 1) for count in (1, 2))
        print(f"two of {name} that compute do {two / one:.2f} of the work of one")
    code = "import _interpreters; "
    code += "_interpreters.exec(_interpreters.create(), 'import os; os.abort()'); print('alive')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    print(f"after os.abort() in an interpreter its process has the status {done.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])
