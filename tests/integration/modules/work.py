"""What the workers of these tests run. Standard library, syntax of the oldest worker Python."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

CALLS = []


def echo(value):
    return value


def add(a, b=0, *, c=0):
    return a + b + c


def pid(_=None):
    return os.getpid()


def fail(text="no"):
    raise ValueError(text)


def fail_with_cause():
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("outer") from error


def square_unless(value, bad=3):
    if value == bad:
        raise ValueError(f"bad item {value}")
    return value * value


# -- gates: files by which a test and its workers wait for each other ------------------------------


def _wait_for_file(path, stop=lambda: False):
    while not os.path.exists(path) and not stop():
        time.sleep(0.002)


def hold(folder, name="gate"):
    """Say that it runs, then wait to be released, deaf to anything else."""
    open(os.path.join(folder, name + ".started"), "w").close()
    _wait_for_file(os.path.join(folder, name + ".released"))
    return name


def hold_politely(folder, name="gate", *, task=None):
    """As `hold`, but acknowledge a cancellation."""
    open(os.path.join(folder, name + ".started"), "w").close()
    _wait_for_file(os.path.join(folder, name + ".released"), lambda: task.cancel_requested)
    if task.cancel_requested:
        task.cancel()
    return name


def count_call(folder, name="call"):
    """Leave a mark for every call."""
    number = len([f for f in os.listdir(folder) if f.startswith(name)])
    open(os.path.join(folder, f"{name}-{os.getpid()}-{number}"), "w").close()
    return number


# -- talking to the host ---------------------------------------------------------------------------


def report(steps, *, task=None):
    for i in range(1, steps + 1):
        task.update(f"step {i}", current=i, maximum=steps)
    return steps


def report_once(message=None, current=None, maximum=None, *, task=None):
    task.update(message, current=current, maximum=maximum)


def report_and_hold(folder, message, current, maximum, *, task=None):
    task.update(message, current=current, maximum=maximum)
    task.set_output("half", current)
    return hold(folder)


def publish(values, *, task=None):
    for key, value in values:
        task.set_output(key, value)
    return len(values)


def publish_bad(*, task=None):
    try:
        task.set_output("lock", threading.Lock())
    except Exception as error:
        return str(error)
    return None


def log_line(message, level=20, *, task=None):
    task.log(message, level=level)


def log_flood(count, *, task=None):
    for i in range(count):
        task.log(f"line {i}")


def from_threads(count, *, task=None):
    def work(number):
        task.update(f"from {number}")
        task.set_output(f"key-{number}", number)
        task.log(f"log {number}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_until_asked(*, task=None):
    asked = task.wait_for_cancel(10)
    if asked:
        task.cancel()
    return asked


def ignore_cancel(*, task=None):
    """Return normally though asked to stop."""
    return task.wait_for_cancel(10)


def cancel_and_raise(*, task=None):
    task.cancel()
    raise ValueError("after the acknowledgement")


def cancel_unasked(*, task=None):
    task.cancel()
    return "dropped"


def takes_task(*, task=None):
    return None if task is None else type(task).__name__


def takes_task_first(task, value):
    return type(task).__name__, value


def takes_no_task(value=1, **kwargs):
    return value, sorted(kwargs)


def late_speaker(folder, *, task=None):
    """Return while a thread keeps talking about this task."""

    def speak():
        _wait_for_file(os.path.join(folder, "speak"))
        task.update("from the past", current=99, maximum=100)
        open(os.path.join(folder, "spoken"), "w").close()

    threading.Thread(target=speak, daemon=True).start()
    return "returned"


# -- printing --------------------------------------------------------------------------------------


def say(text, stream="stdout"):
    print(text, file=getattr(sys, stream))


def say_without_newline(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def say_and_hold(folder, name):
    print("said by", name)
    return hold(folder, name)


def say_and_return(value):
    print("said with", type(value).__name__)
    return value


def flood(lines):
    for i in range(lines):
        sys.stdout.write(f"line {i} of many that nobody will ever want to read\n")
    sys.stdout.flush()
    return lines


def write_bytes(data):
    os.write(1, data)


def read_stdin():
    return sys.stdin.read()


# -- values ----------------------------------------------------------------------------------------


def unpicklable():
    return threading.Lock()


def of_a_foreign_type():
    import types

    module = types.ModuleType("a_module_that_only_the_worker_has")
    sys.modules[module.__name__] = module
    kind = type("Thing", (), {"__module__": module.__name__})
    module.Thing = kind
    # By reference, as a type of an installed package would go.
    import copyreg

    copyreg.pickle(kind, lambda thing: (_rebuild, (module.__name__,)))
    return module.Thing()


def _rebuild(name):
    return __import__(name)


class Bomb:
    def __reduce__(self):
        return eval, ("1/0",)


def explodes_in_the_host():
    return Bomb()


class Exiter:
    def __reduce__(self):
        return exec, ("raise SystemExit(3)",)


def exits_in_the_host():
    return Exiter()


class RudeError(Exception):
    def __str__(self):
        raise RuntimeError("no text for you")


def raise_rude():
    raise RudeError()


class UnpicklableError(Exception):
    def __init__(self):
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def raise_unpicklable():
    raise UnpicklableError()


def raise_cycle():
    error = ValueError("ring")
    other = KeyError("ring")
    error.__cause__, other.__cause__ = other, error
    raise error


def raise_long(size):
    raise ValueError("x" * size)


def recurse(depth=0):
    return recurse(depth + 1)


def nest(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


# -- ends ------------------------------------------------------------------------------------------


def sys_exit(code=0):
    sys.exit(code)


def interrupt():
    raise KeyboardInterrupt


def generator_exit():
    raise GeneratorExit


def die(how, note=""):
    """End this process in the way named."""
    if note:
        print(note, file=sys.stderr)
        sys.stderr.flush()
    if how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(10)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how.startswith("exit "):
        os._exit(int(how[5:]))
    raise AssertionError(how)


def stop_yourself():
    os.kill(os.getpid(), signal.SIGSTOP)


def fork_and_die():
    """Leave a child that holds all descriptors, and die."""
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def start_child():
    """Start a process that outlives the task; return its number."""
    code = "import time; time.sleep(60)"
    return subprocess.Popen([sys.executable, "-c", code]).pid


def hold_gil(seconds):
    """Sleep in C code with the GIL held."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def hold_gil_from(folder, seconds=60):
    open(os.path.join(folder, "gil.started"), "w").close()
    for _ in range(int(seconds)):
        ctypes.PyDLL(None).usleep(1000000)


def silent_for(seconds):
    time.sleep(seconds)
    return "spoke"


def chatter(seconds, pause, how="update", *, task=None):
    """Be at work for a while with a sign of life now and then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if how == "update":
            task.update("alive")
        elif how == "output":
            task.set_output("alive", True)
        else:
            task.log("alive", level="DEBUG")
        time.sleep(pause)
    return "done"


# -- surroundings ----------------------------------------------------------------------------------


def variable(name):
    return os.environ.get(name)


def variables():
    return dict(os.environ)


def interpreter():
    return sys.executable, tuple(sys.version_info[:2]), sys.prefix


def path():
    return list(sys.path)


def can_import(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def folder():
    return os.getcwd()


def on_main_thread():
    return threading.current_thread() is threading.main_thread()


def remember(value):
    CALLS.append(value)
    return list(CALLS)


def _private():
    return "private"


def chatter_until_released(folder, name="gate", *, task=None):
    """As `hold`, giving signs of life."""
    open(os.path.join(folder, name + ".started"), "w").close()
    while not os.path.exists(os.path.join(folder, name + ".released")):
        task.update("alive")
        time.sleep(0.05)
    return name


def fail_badly(*, task):
    """End with a failure that is none: what a worker could send that is broken, or hostile."""
    from worker_entry import protocol

    description = {"error": "broken", "traceback": 5, "cause": {"cause": {"traceback": 7}}}
    task._send(protocol.Failure(task._task, task._attempt, description))


class Counter:
    """Something of a type that the host lacks."""

    dropped = []  # noqa: RUF012

    def __init__(self, start=0, name="counter"):
        self.value = start
        self.name = name

    def __del__(self):
        Counter.dropped.append(self.name)

    def __reduce__(self):
        raise TypeError("stays where it is")


def make_counter(start=0, name="counter"):
    return Counter(start, name)


def count_up(counter, by=1):
    counter.value += by
    return counter.value


def count_up_in(things, path=None):
    if path is not None:
        hold(path)
    return [counter.value for counter in things["counters"]], os.getpid()


def dropped_counters():
    return sorted(Counter.dropped)


def make_and_cancel(*, task=None):
    task.cancel()
    return Counter(0, "canceled")


def trip(runs, times, how, value=None, task=None):
    """Fail ``times`` times, each as ``how`` says, one word for all runs or one for each."""
    with open(runs, "ab") as file:
        file.write(b"x")
    run = os.path.getsize(runs)
    task.update("run", run)
    if run > times:
        return run if value is None else int(sum(value))
    ways = how.split()
    how = ways[min(run, len(ways)) - 1]
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "exit":
        os._exit(0)
    elif how == "divide":
        return 1 / 0
    elif how == "linger":
        task.wait_for_cancel(30)
    raise RuntimeError(f"planned for run {run}")


def trip_once(runs, task=None):
    return trip(runs, 1, "raise", task=task)


def fail_when_released(folder):
    hold(folder)
    raise RuntimeError("planned")


# -- limits ----------------------------------------------------------------------------------------

_hoard = []


def hoard(megabytes, *, task=None):
    """Take memory and keep it beyond the task."""
    _hoard.append(b"x" * (megabytes * 2**20))
    return os.getpid()


def gobble(folder):
    """Take more and more memory, and never give any back."""
    open(os.path.join(folder, "gobble.started"), "w").close()
    while True:
        hoard(8)
        time.sleep(0.005)


def out_of_memory():
    raise MemoryError("planned")


def oom_score():
    with open("/proc/self/oom_score_adj") as file:
        return int(file.read())


def hog(megabytes, seconds):
    """Take memory, and give it back after a while."""
    taken = b"x" * (megabytes * 2**20)
    time.sleep(seconds)
    return len(taken)


def close_streams():
    """Close what the next task needs to print."""
    os.close(1)
    os.close(2)
    return "closed"


# -- for chunks of map() ---------------------------------------------------------------------------

GROWN = []


def grow(item):
    if item == 1:
        del GROWN[:]
    GROWN.append(item)
    return GROWN


def append_one(items):
    items.append(1)
    return items


def nap(seconds):
    time.sleep(seconds)


def _ran(folder, item):
    with open(os.path.join(folder, f"ran{item}"), "x"):
        pass


def hold_third(folder_item):
    folder, item = folder_item
    if item == 3:
        open(os.path.join(folder, "held"), "w").close()
        _wait_for_file(os.path.join(folder, "gate.released"))
        os.remove(os.path.join(folder, "held"))
    _ran(folder, item)
    return item


def mark_and_die_at(folder_item_end):
    folder, item, end = folder_item_end
    _ran(folder, item)
    if item == end:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def lock_at_two(item):
    return threading.Lock() if item == 2 else item


def code_at_two(item):
    return CALLS.append if item == 2 else item


def fork_at_two(folder_item):
    folder, item = folder_item
    if item == 2 and os.fork() == 0:
        open(os.path.join(folder, "child"), "w").close()
        return item
    _ran(folder, item)
    return item


def do(number_kind):
    number, kind = number_kind
    if kind == "slow":
        time.sleep(0.006)
    if kind == "fail":
        raise ValueError(number)
    if kind == "lock":
        return threading.Lock()
    return {"list": [number], "large": bytes(300000)}.get(kind, number)
