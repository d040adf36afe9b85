"""Types of the standard library whose pickles differ between versions of Python."""

from __future__ import annotations

import array
import fractions
import importlib
import pathlib
import re
import sys
import uuid
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from worker_entry.portable.buffers import as_buffer, writeable

_FLAVOURS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
#: What makes the missing values of a `defaultdict`, by name.
_FACTORIES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)
}
#: What the memory of a view may be made of, as `struct` names it.
_FORMATS = frozenset("bBhHiIlLqQnNfdc?")


def reduce_path(protocol: int, path: Any) -> Any:
    """Take a path apart; 3.13 keeps their classes in another module."""
    return build_path, (type(path).__name__, str(path))


def build_path(flavour: str, text: str) -> Any:
    """Make a path; one of a foreign system becomes a pure one, as it names nothing here."""
    if flavour not in _FLAVOURS:
        raise ValueError(f"no kind of path: {flavour!r}")
    try:
        return getattr(pathlib, flavour)(text)
    except NotImplementedError:
        return getattr(pathlib, f"Pure{flavour}")(text)


def reduce_zone(protocol: int, zone: Any) -> Any:
    """Take a time zone of the IANA database apart, which must have a name."""
    if zone.key is None:
        raise TypeError("a ZoneInfo that was made from a file has no name to send")
    return build_zone, (zone.key,)


def build_zone(key: str) -> Any:
    """Make a time zone of what there is: `zoneinfo` came with Python 3.9."""
    for module in ("zoneinfo", "backports.zoneinfo"):
        try:
            return importlib.import_module(module).ZoneInfo(key)
        except ModuleNotFoundError as error:
            if error.name not in ("zoneinfo", "backports", "backports.zoneinfo"):
                raise
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    raise ImportError(
        f"the time zone {key!r} is a zoneinfo.ZoneInfo, which Python {version} lacks: install "
        "backports.zoneinfo there, or pass datetimes in UTC (datetime.timezone.utc)"
    )


def reduce_uuid(protocol: int, value: Any) -> Any:
    """Take a UUID apart; Python 3.8 changed its state."""
    return build_uuid, (value.int, value.is_safe.value)


def build_uuid(number: int, is_safe: Any) -> uuid.UUID:
    """Make a UUID."""
    return uuid.UUID(int=number, is_safe=uuid.SafeUUID(is_safe))


def reduce_fraction(protocol: int, value: Any) -> Any:
    """Take a fraction apart into numbers, not into a text that has to be read."""
    return build_fraction, (value.numerator, value.denominator)


def build_fraction(numerator: int, denominator: int) -> fractions.Fraction:
    """Make a fraction of whole numbers."""
    if type(numerator) is not int or type(denominator) is not int:
        raise TypeError("the parts of a fraction must be whole numbers")
    return fractions.Fraction(numerator, denominator)


def reduce_pattern(protocol: int, pattern: Any) -> Any:
    """Take a compiled regular expression apart."""
    return build_pattern, (pattern.pattern, int(pattern.flags))


def build_pattern(pattern: Any, flags: int) -> Any:
    """Compile a regular expression."""
    return re.compile(pattern, flags & ~re.DEBUG)


def reduce_default_dict(protocol: int, value: Any) -> Any:
    """Take a `defaultdict` apart; its factory by name where it is a builtin type."""
    factory = value.default_factory
    name = getattr(factory, "__name__", "")
    if factory is None or _FACTORIES.get(name) is factory:
        return build_default_dict, (name if factory else None,), None, None, iter(value.items())
    return value.__reduce__()


def build_default_dict(factory: str | None) -> Any:
    """Make an empty `defaultdict`."""
    return defaultdict(None if factory is None else _FACTORIES[factory])


def reduce_namespace(protocol: int, value: Any) -> Any:
    """Take a `SimpleNamespace` apart: its attributes follow, because they may refer to it."""
    if sys.version_info < (3, 8):  # whose pickle knows of no function that sets a state
        return build_namespace, (vars(value),)
    return build_namespace, ({},), vars(value), None, None, fill_namespace


def fill_namespace(value: Any, attributes: dict[str, Any]) -> None:
    """Give a `SimpleNamespace` its attributes."""
    if type(value) is not SimpleNamespace:
        raise TypeError(f"no SimpleNamespace, but a {type(value).__name__}")
    vars(value).update(attributes)


def build_namespace(attributes: dict[str, Any]) -> SimpleNamespace:
    """Make a `SimpleNamespace`."""
    return SimpleNamespace(**attributes)


def reduce_array(protocol: int, value: Any) -> Any:
    """Take an `array.array` apart; those of characters are of another size elsewhere."""
    if value.typecode in "uw":
        return value.__reduce_ex__(protocol)
    return build_array, (value.typecode, as_buffer(value, protocol))


def build_array(typecode: str, data: Any) -> Any:
    """Make an `array.array` of its memory."""
    made = array.array(typecode)
    made.frombytes(bytes(data) if isinstance(data, memoryview) else data)
    return made


def reduce_memoryview(protocol: int, view: Any) -> Any:
    """Take a view of memory apart: the bytes that it shows, in the order of C."""
    if view.format.lstrip("@") not in _FORMATS:
        raise TypeError(f"a memoryview of format {view.format!r} can't cross: pass a NumPy array")
    data = as_buffer(view if view.c_contiguous else view.tobytes(), protocol)
    return build_memoryview, (data, view.format.lstrip("@"), view.shape)


def build_memoryview(data: Any, form: str, shape: tuple[int, ...]) -> memoryview:
    """Make a view of memory, which can be written to."""
    if form not in _FORMATS:
        raise ValueError(f"no format of a memoryview: {form!r}")
    view: Any = memoryview(writeable(data)).cast("B")
    return view.cast(form, shape) if view.nbytes else view.cast(form)  # type: ignore[no-any-return]
