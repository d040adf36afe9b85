"""The values that are drawn in the world of `PoolWorld`."""

from __future__ import annotations

import math

from chances import made, one_of, or_none, whole

from wetlands.core.events import Outcome

# Halves and whole seconds: sums are exact, so that the books and the core agree to the bit.
GRACES = one_of(0.0, 1.0, 3.0, 20.0)
PATIENCES = one_of(math.inf, math.inf, 0.0, 2.0, 5.0, 30.0)
DELAYS = one_of(0.0, 0.0, 0.0, 0.0, 7.0)  #: a message that was late in being read
#: How processes behave at the end: well; listening to nothing but a kill; not even to that;
#: dying of themselves.
WORLDS = ["fair", "hostile", "undead", "mortal"]
MAYBE = one_of(False, True)
RARELY = one_of(False, False, False, True)
PICKS = whole(0, 11)
KINDS = one_of(None, "quick", "quick", "quick", "slow", "uneven")
LAST_WORDS = one_of(Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELED)
CONFIGS = made(
    dict,
    size=whole(1, 3),
    startup_timeout=one_of(8.0),
    worker_timeout=one_of(math.inf, 6.0),
    frozen_timeout=one_of(math.inf, math.inf, 1.0, 3.0),
    look_period=one_of(1.0, 2.0),
    interrupt_grace=one_of(1.0, 25.0),
    stop_grace=one_of(0.5, 2.0),
    kill_retry=one_of(1.0, 12.0),
    kill_limit=whole(1, 3),
    delivery_limit=whole(1, 3),
    poison_limit=whole(1, 3),
    max_tasks=one_of(*[math.inf] * 7, 1, 3),
    max_memory=one_of(math.inf, math.inf, math.inf, 10.0),
    memory_share=one_of(0.5),
    idle_timeout=one_of(math.inf, 4.0),
    credit=one_of(0.5, 1.0),
    credit_limit=one_of(1, 2, 4, 4, 9, 9, 9),
    stall_timeout=one_of(2.0, 13.0),
    wake=one_of(0.0, 0.5),
    relay=one_of(0.25, 3.0, 8.0, 8.0),
    restart_limit=one_of(0, 1, 2, 6),
    backoff_base=one_of(0.0, 1.0, 1.0),
    backoff_cap=one_of(3.0),
    stable_after=one_of(10.0),
)
#: Mostly none; with numbers of which every sum and product is exact.
PLANS = or_none(
    made(
        dict,
        on_error=one_of(0, 1, 2),
        on_lost=one_of(0, 1, 2, 5),
        delay=one_of(0.0, 1.0, 4.0),
        backoff=one_of(1.0, 2.0),
        max_delay=one_of(1.5, 8.0, math.inf),
        judged=MAYBE,
    )
)
#: How runs end: with an error, with the worker, with the worker before it began, and with an error
#: though something else was wanted.
FATES = ["fail", "fail", "fail", "die", "die", "miss", "miss", "cancel"]
VICTIMS = one_of(
    lambda process: True,
    lambda process: process.kills,
    lambda process: process.held,
    lambda process: process.held and process.began != process.held,
)
