"""What a user may have in a script or notebook: loaded by the tests as such, not imported.

A sample is called without arguments; in a worker it must return what it returns here, or raise
the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import functools
import math
import operator
import os.path
import xml.etree.ElementTree
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

LIMIT = 10
SHARED = [1]
data = {"a": Path("x") / "y", "when": datetime.date(2020, 1, 2)}
T = TypeVar("T")


def globals_and_modules():
    return [LIMIT, str(data["a"]), data["when"].year, math.floor(2.5), os.path.join("a", "b")]


def submodule():
    return xml.etree.ElementTree.fromstring("<a/>").tag


def even(n=4):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


@functools.lru_cache(maxsize=5)
def fibonacci(n=20):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def defaults(a=LIMIT, *rest, b={"x": 1}, **more):  # noqa: B006
    b["x"] += 1
    return [a, rest, b["x"], more]


def annotated(x: int | list[str] = 3, *, y: Nowhere = 4) -> dict[str, Unknown]:  # noqa: F821
    def inner(z: Nothing | None = None) -> str | None:  # noqa: F821
        return z

    return [x, y, inner()]


def multiline():
    text = """
  not indented
        """
    return (
        text
        + """
x"""
    )


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return ["logged", function.__name__, LIMIT, function(*args, **kwargs)]

    return wrapper


def repeated(times):
    def decorate(function):
        def wrapper(*args):
            return [function(*args) for _ in range(times)]

        return wrapper

    return decorate


@logged
@repeated(2)
@logged
def decorated(x=1, *, y=LIMIT):
    return x + y


@contextlib.contextmanager
def context():
    yield LIMIT


def uses_context():
    with context() as found:
        return found


def counting():
    n = 0

    def up():
        nonlocal n
        n += 1
        return n

    def down():
        nonlocal n
        n -= 1
        return n

    def both():
        return [up(), up(), down(), n]

    return both


def recursive_closure():
    def factorial(n=5):
        return 1 if n < 2 else n * factorial(n - 1)

    return factorial


def late_cell():
    def f():
        return [g(), h() if LIMIT == 0 else None]

    def g():
        return "g"

    if LIMIT == 0:
        h = g
    return f


def shares_a_value():
    return SHARED is sharing() and sharing.__defaults__[0] is SHARED


def sharing(x=SHARED):
    return x


def numbers(n):
    yield from range(n)


def generator():
    return list(numbers(3))


async def coroutine():
    return LIMIT


def runs_a_coroutine():
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine())
    finally:
        loop.close()


Point = namedtuple("Point", "x y")


class Pair(NamedTuple):
    left: int
    right: str = "r"

    def both(self):
        return [self.left, self.right]


class Color(enum.Enum):
    RED = 1
    BLUE = LIMIT


def make_node():
    return Node(1)


@dataclass
class Base:
    a: int | None = 1
    K: ClassVar[int] = 5

    def hi(self):
        return f"hi {self.a} {LIMIT}"


@dataclass
class Node(Base):
    b: Node | None = None
    kids: list[Node] = field(default_factory=list)
    maker: Any = field(default_factory=lambda: make_node)

    @staticmethod
    def seven():
        return Node(7)

    @property
    def doubled(self):
        return 2 * self.a

    def hi(self):
        return super().hi() + "!" + str(self.__secret())

    def __secret(self):
        return math.floor(LIMIT / 3)

    class Inner(OrderedDict):
        tag = "inner"


class Box(Generic[T]):
    def __init__(self, content):
        self.content = content


def classes():
    node = Node(3, kids=[Node(1)])
    fields = [each.name for each in dataclasses.fields(node)]
    more = [Point(1, 2).y, Color.BLUE.value, Node.K, Pair(1).both(), Box(5).content]
    return [node.hi(), Node.seven().doubled, fields, node.maker().a, Node.Inner.tag, more]


def names_of_classes():
    return [Node.__module__, Node.__qualname__, Node.hi.__qualname__, repr(Color.RED), str(Base())]


class Meta(type):
    def __new__(mcs, name, bases, namespace, **options):
        made = super().__new__(mcs, name, bases, namespace)
        made.options = options
        return made

    def __init__(cls, name, bases, namespace, **options):
        super().__init__(name, bases, namespace)


class WithMeta(metaclass=Meta, flag=LIMIT):
    registry = defaultdict(list)  # noqa: RUF012
    squares = [n * n for n in range(3)]  # noqa: RUF012


def metaclass():
    return [WithMeta.options, WithMeta.squares, dict(WithMeta.registry)]


class CustomError(ValueError):
    pass


def catches():
    try:
        raise CustomError("x")
    except CustomError as error:
        return repr(error)


def local_classes():
    prefix = "p"

    class A:
        def who(self):
            return prefix + "A"

    class B(A):
        def who(self):
            return super().who() + "B" + B.__qualname__

        def again(self):
            return B()

    return lambda: B().again().who()


class Adder:
    def __init__(self, n):
        self.n = n

    def __call__(self, x=1):
        return self.n + x + LIMIT

    def add(self, x=2):
        return self(x)

    @classmethod
    def make(cls, n=3):
        return cls(n).n


INSTANCE = Adder(1)


def instance():
    return INSTANCE(5)


table = {"even": even, "adder": Adder}


def functions_in_containers():
    return [table["even"](2), table["adder"](1)(1)]


a_lambda = lambda x=1: x + LIMIT  # noqa: E731


def raises():
    return 1 / (LIMIT - 10)


def in_a_helper():
    return raises()


SAMPLES = [
    globals_and_modules, submodule, even, fibonacci, defaults, annotated, multiline, decorated,
    uses_context, counting(), recursive_closure(), late_cell(), shares_a_value, generator,
    runs_a_coroutine, classes, names_of_classes, metaclass, catches, local_classes(), INSTANCE,
    INSTANCE.add, Adder.make, instance, functions_in_containers, a_lambda,
    functools.partial(annotated, 5, y=1), operator.methodcaller("upper"),
]  # fmt: skip
