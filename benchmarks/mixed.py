"""Work of mixed length: are all cores busy, and does no task wait where it need not?"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from benchmarks import work
from benchmarks.bars import Bar
from benchmarks.part import Options, Part
from benchmarks.subject import POOL, WORK, environment, executor
from benchmarks.timeline import Span, busy_share, longest_pause
from benchmarks.timing import Series

BUSY, PAUSE = "cores busy with tasks of 0 to 100 ms", "idle worker while tasks waited"
EVEN = "cores busy with tasks of 10 ms"
#: Seconds of the tasks in a mix.
LENGTHS = (0.0, 0.001, 0.01, 0.1)
WORKERS = 2

Run = Callable[[Sequence[float]], list[Span]]


def measure(options: Options) -> list[Series]:
    """Measure the shares of time that went into user code, ours and the executor's."""
    with executor(WORKERS) as peer, environment(WORKERS) as env:

        def ours(lengths: Sequence[float]) -> list[Span]:
            tasks = [env.submit(WORK, "spin", (length,)) for length in lengths]
            return [task.wait_for().result for task in tasks]

        def theirs(lengths: Sequence[float]) -> list[Span]:
            futures = [peer.submit(work.spin, length) for length in lengths]
            return [future.result() for future in futures]

        found: list[Series] = []
        for name in ("", f", {POOL}"):
            found += [Series(f"{BUSY}{name}", "%"), Series(f"{PAUSE}{name}", "ms")]
            found += [Series(f"{EVEN}{name}", "%")]
        for number in range(options.choose(3)):
            _round(ours, found[:3], number, options)
            _round(theirs, found[3:], number, options)
        return found


def _round(run: Run, found: Sequence[Series], number: int, options: Options) -> None:
    busy, pause, even = found
    each = 2 if options.smoke else 40
    lengths = list(LENGTHS) * each
    random.Random(number).shuffle(lengths)
    spans = run(lengths)
    busy.values.append(busy_share(spans, WORKERS))
    pause.values.append(1e3 * longest_pause(spans, WORKERS))
    even.values.append(busy_share(run([0.01] * 3 * each), WORKERS))


PART = Part(
    "mixed",
    "tasks of mixed length",
    measure,
    bars=(
        Bar(BUSY, BUSY, 95, at_least=True),
        Bar(EVEN, EVEN, 95, at_least=True),
        Bar("longest time that a worker idled while tasks waited", PAUSE, 10),
    ),
)
