"""Creating an environment without blocking an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from wetlands.environments.cancellation import Cancellation

Result = TypeVar("Result")


async def in_a_thread(call: Callable[[], Result], cancellation: Cancellation) -> Result:
    """Await what a call returns, made on a thread of its own.

    Not one of the loop's executor: a creation can take minutes, and its few threads belong to the
    user. If the awaiting task is canceled, so is the call, and its end is waited for: then nothing
    of it is under way any more.

    Args:
        call: What is called; it ends early when the cancellation is used.
        cancellation: What ends it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop was closed, and nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="wetlands-create", daemon=True).start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancellation.cancel()
        await asyncio.wait([future])
        future.exception()  # it is expected, and nobody else will ask
        raise
