"""What users do with signals, in a worker that is idle afterwards."""

import asyncio
import gc
import os
import signal
import socket
import threading
import time


def note_signals(path):
    """Have a byte written for every SIGUSR1."""

    def note(number, frame):
        with open(path, "ab") as file:
            file.write(b"x")

    signal.signal(signal.SIGUSR1, note)


def have_a_thread_take_one(path):
    """The main thread is asleep in the kernel then, and is not woken by it."""

    def take():
        while not os.path.exists(path):
            time.sleep(0.001)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    threading.Thread(target=take, daemon=True).start()


def handle_one_in_asyncio():
    """Leaves no descriptor to be woken by behind, whatever there was before."""

    async def wait():
        got = asyncio.Event()
        asyncio.get_event_loop().add_signal_handler(signal.SIGUSR2, got.set)
        os.kill(os.getpid(), signal.SIGUSR2)
        await got.wait()

    asyncio.run(wait())


def _bell():
    return next(o for o in gc.get_objects() if type(o).__name__ == "SignalBell")


def close_ends(which):
    """Close what signals wake the worker by, as code that closes all it does not know may."""
    ends = list(_bell().ends)
    for end in which:
        os.close(ends[end])


def take_number_of_end(which):
    """Have something of ours there, with something to read."""
    ours, other = socket.socketpair()
    ours.setblocking(False)
    other.send(b"mine")
    os.dup2(ours.fileno(), _bell().ends[which])
    kept[:] = [ours, other]


def read_what_is_there():
    return kept[0].recv(100)


kept = []


def leave_a_descriptor_to_be_woken_by():
    ours, other = socket.socketpair()
    ours.setblocking(False)
    kept[:] = [ours, other]
    signal.set_wakeup_fd(ours.fileno())


def wakeup_descriptor():
    """Return where signals are written while a task runs."""
    return signal.set_wakeup_fd(-1)


def other_end_has_got():
    """Return what has been written into what has the number of an end."""
    kept[1].setblocking(False)
    os.kill(os.getpid(), signal.SIGUSR1)
    try:
        return kept[1].recv(100)
    except BlockingIOError:
        return b""


def take_number_with_nothing_to_read():
    ours, other = socket.socketpair()
    os.dup2(ours.fileno(), _bell().ends[0])
    kept[:] = [ours, other]


def take_it_back():
    return signal.set_wakeup_fd(-1) == kept[0].fileno()
