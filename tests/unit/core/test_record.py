"""What events and commands are made of."""

from __future__ import annotations

import pytest

from wetlands.core.record import record


@record
class Moved:
    """Somebody went somewhere."""

    who: int
    steps: float = 1.0

    def twice(self) -> Moved:
        return Moved(self.who, 2 * self.steps)


@record
class Rested:
    pass


def test_a_record_is_its_type_and_its_values() -> None:
    assert Moved(1) == Moved(1, steps=1.0) != Moved(2)
    assert len({Moved(1), Moved(1, 1.0), Moved(1).twice()}) == 2
    assert Rested() == Rested() != Moved(1)
    assert repr(Moved(3).twice()) == "Moved(who=3, steps=2.0)"
    assert (Moved.__doc__, Moved.__module__) == ("Somebody went somewhere.", __name__)


def test_a_record_has_its_fields_alone() -> None:
    with pytest.raises(AttributeError):
        Moved(1).speed = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Moved()  # type: ignore[call-arg]
    match Moved(4, 5.0):
        case Moved(who, steps):
            assert (who, steps) == (4, 5.0)
