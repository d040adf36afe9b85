"""Functions that the tests run in workers, in the syntax of Python 3.7."""

import ctypes
import functools
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref


def add(a, b=1):
    return a + b


def echo(*args, **kwargs):
    return args, kwargs


def version():
    return sys.version_info[:2]


def nothing():
    pass


class Shelf:
    @staticmethod
    def label(text):
        return "<" + text + ">"

    class Inner:
        @classmethod
        def name(cls):
            return cls.__qualname__


number = 5

# -- endings ------------------------------------------------------------------------------------


def fail(text="on purpose"):
    raise ValueError(text)


def fail_if_two(number):
    if number == 2:
        raise ValueError("two")
    return number


def steps(count, task):
    for step in range(count):
        task.update(current=step)
    return count


def fail_with_cause():
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("no such thing") from error


def leave(code):
    sys.exit(code)


def interrupt():
    raise KeyboardInterrupt


def close_generator():
    raise GeneratorExit("closed")


def die(status):
    os._exit(status)


def overflow():
    return overflow()


class PerverseError(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    @property
    def __class__(self):
        raise RuntimeError("no class")


def fail_perversely():
    raise PerverseError


def fail_at_length(size):
    raise ValueError("\U0001f40d" * size)


def fail_with_bytes():
    raise OSError("no file \udcff\udcfe")


def fail_in_a_chain(length, size):
    error = None
    for number in range(length):
        try:
            raise ValueError(str(number) + "\U0001f40d" * size) from error
        except ValueError as raised:
            error = raised
    raise error


# -- values -------------------------------------------------------------------------------------


def lock():
    return threading.Lock()


def nested_lock():
    return {"deep": [threading.Lock()]}


class Stubborn:
    def __reduce__(self):
        raise RuntimeError("no copies")


class Quitter:
    def __reduce__(self):
        sys.exit(3)


def stubborn():
    return Stubborn()


def quitter():
    return Quitter()


def closure():
    return lambda: 42


def big(size):
    return b"x" * size


# -- the handle ---------------------------------------------------------------------------------


def report(task):
    task.update("one", current=1, maximum=3)
    task.set_output("half", {"value": [1, 2]})
    task.log("a line", level="warning")
    task.log("another", level=logging.DEBUG)
    task.update(current=2)
    return "done"


def report_oddly(task):
    task.update(7, current=True, maximum=10**30)
    task.update("\udcff", current=float("inf"))
    wrong = []
    for value in ("5", b"5", object(), [1], 1j):
        try:
            task.update(current=value)
        except TypeError as error:
            wrong.append(str(error))
    return len(wrong)


def unsendable_output(task):
    try:
        task.set_output("lock", threading.Lock())
    except Exception as error:
        return type(error).__name__, str(error)


def unsendable_output_uncaught(task):
    task.set_output("lock", threading.Lock())


def unknown_level(task):
    task.log("text", level="loud")


def report_from_threads(count, each, task):
    def work(number):
        for step in range(each):
            task.update("thread", current=number, maximum=step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count * each


late = {"said": 0}


def leave_a_thread(path, task):
    """Leave a thread behind that talks until a file exists."""

    def work():
        while not os.path.exists(path):
            task.update("late")
            task.log("late")
            task.set_output("late", 1)
            late["said"] += 1
            time.sleep(0.001)

    late["said"] = 0
    late["thread"] = threading.Thread(target=work)
    late["thread"].start()


def heard_of_thread():
    return late["said"]


def join_thread():
    late["thread"].join()


def report_at_signals(count, task):
    """Be interrupted by a timer whose handler raises, wherever it hits, while reporting."""

    class HitError(BaseException):
        pass

    def hit(*_):
        task.log("hit")
        raise HitError

    before = signal.signal(signal.SIGALRM, hit)
    hits = 0
    while hits < count:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0003 + hits * 0.000001)  # once
            while True:
                task.set_output("key", b"value")
        except HitError:
            hits += 1
    signal.signal(signal.SIGALRM, before)
    return hits


# -- injection ----------------------------------------------------------------------------------


def _kind(task):
    return type(task).__name__ if type(task).__module__ == "worker_entry.handle" else task


def takes_keyword_only(a, *, task=None):
    return a, _kind(task)


def takes_positional(task):
    return _kind(task)


def takes_second(a, task="unset"):
    return a, _kind(task)


def takes_any_keywords(**kwargs):
    return sorted(kwargs)


def takes_any_positional(*task):
    return [_kind(each) for each in task]


def _wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@_wraps
def wrapped(a, task=None):
    return a, _kind(task)


partial = functools.partial(takes_second, "given")


class _Callable:
    __hash__ = None

    def __call__(self, task):
        return _kind(task)


unhashable = _Callable()
without_signature = dict


# -- cancellation -------------------------------------------------------------------------------


def _mark(path):
    with open(path, "w"):
        pass


def wait_for_cancel(path, acknowledge, then="return", task=None):
    _mark(path)
    asked = task.wait_for_cancel(30)
    if acknowledge:
        task.cancel()
    if then == "raise":
        raise ValueError("after all")
    if then == "exit":
        sys.exit(3)
    if then == "lock":
        return threading.Lock()
    return asked, task.cancel_requested


def asked_to_stop(task):
    return task.cancel_requested, task.wait_for_cancel(0)


def cancel_myself(task):
    task.cancel()
    return task.cancel_requested


# -- the process --------------------------------------------------------------------------------


def collects_garbage():
    """Make a ring of objects, then many others; say whether the ring is gone."""

    class Ring:
        pass

    one, others = Ring(), []
    one.itself, gone = one, weakref.ref(one)
    del one
    for _ in range(1_000_000):
        if gone() is None:
            return True
        others.append([])
    return False


def process_state():
    import __main__

    return {
        "pid": os.getpid(),
        "path": list(sys.path),
        "argv": list(sys.argv),
        "main": getattr(__main__, "__file__", ""),
        "thread": threading.current_thread() is threading.main_thread(),
        "flags": (sys.flags.isolated, sys.flags.no_user_site),
        "environ": sorted(os.environ),
    }


def can_import(*names):
    found = {}
    for name in names:
        try:
            module = __import__(name)
        except ImportError:
            found[name] = None
        else:
            found[name] = getattr(module, "__file__", "")
    return found


def read_stdin():
    return sys.stdin.read()


def say(text, stream="stdout"):
    print(text, file=getattr(sys, stream))


def close_descriptors(*numbers):
    for number in numbers:
        os.close(number)


def say_and_close(text):
    print(text)
    sys.stdout.flush()
    os.close(1)


class Something:
    pass


left = []


def fail_with_something(number):
    something = Something()
    left.append(weakref.ref(something))
    gc.disable()  # so that only the end of the last reference frees it
    raise ValueError(number)


def alive():
    return [reference() is not None for reference in left]


def print_then_close(text):
    sys.stdout = sys.__stdout__
    os.close(1)
    try:
        print(text)
    except OSError:
        return "raised"
    return "silent"


def replace_descriptor(number, path):
    with open(path, "wb") as file:
        os.dup2(file.fileno(), number)


def close_streams():
    sys.stdin.close()
    sys.stdout.close()
    sys.stderr.close()


def drop_streams():
    sys.stdin = sys.stdout = sys.stderr = None


def replace_stdlib():
    import json
    import pickle

    def broken(*args, **kwargs):
        raise RuntimeError("replaced")

    saved = []
    for module, names in (
        (json, ("dumps", "loads", "dump", "load")),
        (pickle, ("dumps", "loads")),
        (time, ("sleep", "time_ns")),
    ):
        for name in names:
            if hasattr(module, name):
                saved.append((module, name, getattr(module, name)))
                setattr(module, name, broken)
    late["saved"] = saved


def put_stdlib_back():
    for module, name, value in late.pop("saved"):
        setattr(module, name, value)


def lower_recursion_limit(limit):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    return before


def raise_alarm_later(seconds):
    def ring(*_):
        raise TimeoutError("the alarm of a task that is gone")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def busy_in_python(path):
    _mark(path)
    while True:
        pass


def busy_in_c(path):
    _mark(path)
    return sum(range(10**11))


def child(path, code, wait=True):
    """Start a child that outlives the call, and say who it is."""
    process = subprocess.Popen([sys.executable, "-I", "-c", code])
    with open(path + ".part", "w") as file:
        file.write(str(process.pid))
    os.rename(path + ".part", path)
    if wait:
        process.wait()
    return process.pid


def fork_and_return(task):
    """Come back from the function in the child as well."""
    pid = os.fork()
    if pid == 0:
        task.update("from the child")
        print("printed by the child")
        return "child"
    _, status = os.waitpid(pid, 0)
    return "parent", status


def fork_and_raise(how):
    pid = os.fork()
    if pid == 0:
        if how == "exit":
            sys.exit(7)
        raise ValueError("in the child")
    _, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status)


def _square(x):
    return x * x


def pool(method):
    import multiprocessing

    with multiprocessing.get_context(method).Pool(2) as workers:
        return workers.map(_square, range(5))


def leave_pool_of_threads():
    from concurrent.futures import ThreadPoolExecutor

    late["executor"] = ThreadPoolExecutor(1)
    return late["executor"].submit(add, 1, 2).result()


def at_exit(path):
    import atexit

    atexit.register(_mark, path)


def handled_term():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))


def crash():
    ctypes.string_at(0)


def started_number(path):
    with open(path, "rb") as file:
        return int.from_bytes(file.read(8), sys.byteorder)


class Witness:
    """Unpickling it tells what the started-file held at that moment."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return started_number, (self.path,)


def which_cloudpickle():
    import cloudpickle

    return cloudpickle.__file__


def working_memory():
    return late.setdefault("memory", []) or late["memory"].append(1)


# -- for chunks ------------------------------------------------------------------------------------


def total(numbers):
    return sum(numbers)


def nap(seconds):
    time.sleep(seconds)
    return seconds


def use_pyzmq():
    """Use most of a package of which the worker itself has loaded a part."""
    import zmq
    import zmq.asyncio

    context = zmq.Context()
    one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    port = one.bind_to_random_port("tcp://127.0.0.1")
    other.connect(f"tcp://127.0.0.1:{port}")
    other.set(zmq.MAXMSGSIZE, 2**40)
    assert (other.get(zmq.MAXMSGSIZE), other.linger, other.type) == (2**40, -1, zmq.PAIR)
    assert isinstance(one.getsockopt(zmq.LAST_ENDPOINT), bytes)
    other.send_multipart([b"a", b"b"])
    frames = one.recv_multipart(copy=False)
    try:
        one.recv(zmq.NOBLOCK)
    except zmq.error.Again:
        frames.append(zmq.Frame(b"c"))
    one.close()
    other.close()
    context.term()
    assert all(type(frame) is zmq.Frame for frame in frames)
    assert issubclass(zmq.asyncio.Socket, zmq.backend.cython._zmq.Socket)
    assert type(zmq) is type(sys)
    return [frame.bytes for frame in frames]


def fail_without_descriptors():
    """Take all that there are, in the first task, and leave them open."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    kept = []
    while True:
        kept.append(os.open(os.devnull, os.O_RDONLY))


def forget_the_path():
    """Leave nothing by which a module can be found."""
    sys.path.clear()
    raise LookupError("lost")
