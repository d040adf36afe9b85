"""A type that users register, for workers and tests alike."""

from __future__ import annotations

from typing import Any


class Circle:
    """Not to be pickled."""

    def __init__(self, radius: float) -> None:
        self.radius = radius
        self.made_by = "init"

    def __reduce__(self) -> Any:
        raise TypeError("no pickles of circles")


def reduce_circle(circle: Any) -> Any:
    return (circle.radius,)


def rebuild_circle(radius: float) -> Circle:
    circle = Circle(radius)
    circle.made_by = "rebuild"
    return circle


def grow(circle: Circle) -> Circle:
    assert circle.made_by == "rebuild"
    return Circle(circle.radius + 1)
