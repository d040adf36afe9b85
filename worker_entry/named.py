"""Named tuples that take a twentieth of the time to define: a worker does so at every start.

`typing.NamedTuple` compiles each annotation, and a constructor for each class. These have the
instances, fields, `_replace` and text of those, and one constructor for all of them: positional,
and without a count of its values, which is the type checker's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    try:
        from _collections import _tuplegetter as _field  # in C, since Python 3.8
    except ImportError:
        from operator import itemgetter

        def _field(place, text):
            return property(itemgetter(place), doc=text)

    class _Definition(type):
        def __new__(cls, name, bases, body):
            made = super().__new__(cls, name, bases, {"__slots__": (), **body})
            made._fields = tuple(getattr(made, "__annotations__", ()))
            for place, field in enumerate(made._fields):
                setattr(made, field, _field(place, f"Field {place}."))
            return made

    class NamedTuple(tuple, metaclass=_Definition):
        """A tuple whose items have names, in the order of the class's annotations."""

        def __new__(cls, *values: Any):
            return tuple.__new__(cls, values)

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            named = (f"{field}={value!r}" for field, value in zip(self._fields, self))
            return f"{type(self).__name__}({', '.join(named)})"

        def _replace(self, **values):
            unknown = sorted(values.keys() - set(self._fields))
            if unknown:
                raise ValueError(f"no fields of {type(self).__name__}: {unknown}")
            return type(self)(*map(values.get, self._fields, self))
