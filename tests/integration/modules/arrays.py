"""What workers do with big arrays."""

import os
import signal
import threading

import numpy as np

KEPT = {}


def echo(value):
    return value


def keep(name, array):
    KEPT[name] = array
    return float(array.sum())


def total(name):
    return float(KEPT[name].sum())


def drop():
    KEPT.clear()


def make(value, size):
    return np.full(size, value, "u1")


def publish(value, size, *, task):
    for number in range(3):
        task.set_output(f"part{number}", np.full(size, value + number, "u1"))
    return value


def fill(array, value):
    array[...] = value
    return array.flags.writeable


def first(array):
    return float(array.flat[0])


def fill_and_die(array):
    array[...] = 9
    os.kill(os.getpid(), signal.SIGKILL)


def fail(array):
    raise ValueError("no")


def cancel(array, *, task):
    task.cancel()
    return array


def hold(array, folder, name="gate"):
    open(os.path.join(folder, name + ".started"), "w").close()
    released = os.path.join(folder, name + ".released")
    while not os.path.exists(released):
        threading.Event().wait(0.01)
    return float(array.sum())


def flip(buffer):
    """Without NumPy: bytes in, other bytes out, both out of band."""
    import pickle

    return pickle.PickleBuffer(bytearray(buffer)[::-1])


def fork_and_drop():
    """Have a child drop its copies of what is kept."""
    pid = os.fork()
    if pid == 0:
        KEPT.clear()
        os._exit(0)
    os.waitpid(pid, 0)


def double(array):
    """Change an argument, and return it."""
    array *= 2
    return array


def keep_and_return(name, array):
    """Return what stays here as well."""
    keep(name, array)
    return array


def change_kept(name, value):
    """Change what was kept, and return it."""
    KEPT[name][:] = value
    return KEPT[name]


def overlapping(array):
    """Return two arrays in the same memory."""
    return [array[:-1000], array[1000:], array]


def publish_and_change(array, *, task):
    """Publish an argument, then change it."""
    task.set_output("before", array)
    array[:] = -1
    return array
