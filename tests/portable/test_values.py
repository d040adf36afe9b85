"""Values that go through a codec and come back the same."""

from __future__ import annotations

import copyreg
import datetime
import fractions
import pathlib
import pickle
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.portable import samples
from worker_entry.codec import Codec, CodecError
from worker_entry.portable import table
from worker_entry.portable.table import Table

BY_VALUE = Codec(5, True)
PLAIN = Codec(5, False)
OLD = Codec(4, False)


def crossed(value: Any, codec: Codec = PLAIN) -> Any:
    """Return what the other side gets."""
    return codec.loads([bytes(frame) for frame in codec.dumps(value)])


@pytest.mark.parametrize("codec", [BY_VALUE, PLAIN, OLD], ids=["by value", "plain", "protocol 4"])
@pytest.mark.parametrize("name", samples.names())
def test_every_sample_comes_back_as_it_went(name: str, codec: Codec) -> None:
    samples.check(name, crossed(samples.make(name), codec))


@pytest.mark.parametrize("codec", [PLAIN, OLD])
@pytest.mark.parametrize("name", samples.names())
def test_no_sample_names_what_is_private_to_a_version(name: str, codec: Codec) -> None:
    pickled = codec.dumps(samples.make(name))[0]
    for private in (b"numpy.core", b"numpy._core", b"numpy.random", b"pathlib", b"pandas._libs",
                    b"pandas.core", b"scipy.sparse", b"xarray."):  # fmt: skip
        assert private not in pickled


# -- anything, nested ------------------------------------------------------------------------------

_hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.complex_numbers(allow_nan=False) | st.uuids() | st.fractions()
    | st.decimals(allow_nan=False)
    | st.dates() | st.datetimes() | st.timedeltas() | st.timezones()
    | st.builds(pathlib.PurePosixPath, st.text()) | st.builds(slice, st.integers()).map(repr)
    | st.sampled_from([*samples.Color, samples.Access.READ, np.float32(0.5), np.int8(3)]),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3)
    | st.builds(samples.Frozen, inner),
    max_leaves=5,
)  # fmt: skip
_values = st.recursive(
    _hashable | st.binary().map(bytearray) | st.builds(range, st.integers(0, 9)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_hashable, inner, max_size=4)
        | st.builds(samples.Plain, inner)
        | st.builds(samples.Node, st.text(), st.lists(inner, max_size=2))
        | st.builds(samples.Point, inner, inner)
    ),
    max_leaves=12,
)


@given(_values)
def test_nested_values_come_back_equal(value: Any) -> None:
    for codec in (BY_VALUE, PLAIN, OLD):
        assert samples.difference(value, crossed(value, codec)) is None


@given(st.data())
def test_arrays_of_any_dtype_and_layout_come_back_equal(data: st.DataObject) -> None:
    from hypothesis.extra import numpy as st_numpy

    dtype = data.draw(st_numpy.scalar_dtypes() | st_numpy.array_dtypes(allow_subarrays=True))
    array = data.draw(st_numpy.arrays(dtype, st_numpy.array_shapes(min_dims=0, min_side=0)))
    array = array.transpose(data.draw(st.permutations(range(array.ndim))))
    if array.ndim:
        array = array[:: data.draw(st.sampled_from([1, 2, -1]))]
    for codec in (PLAIN, OLD):
        found = crossed(array, codec)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()
        assert found.flags.writeable


# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", ">i4", "M8[s]", "V8", "U2"])
def test_large_arrays_leave_their_memory_out_of_band_and_uncopied(order: Any, dtype: str) -> None:
    array = np.zeros((300, 200), dtype, order)
    seen: list[Any] = []

    class Watching:
        threshold = 1000

        def find(self, memory: Any) -> None:
            return None

        def pack(self, buffers: Any) -> list[Any]:
            seen.extend(np.frombuffer(buffer.raw(), "u1") for buffer in buffers)
            return [buffer.raw() for buffer in buffers]

        def unpack(self, frames: Any) -> list[Any]:
            return list(frames)

    codec = Codec(5, False, Watching())
    frames = codec.dumps({"x": [array]})
    assert len(frames) == 2
    assert len(frames[0]) < 500
    assert np.shares_memory(seen[0], array)
    found = codec.loads(frames)["x"][0]
    assert np.shares_memory(found, array), "the receiver copied"
    assert found.flags.writeable


def test_a_locked_array_is_sent_without_a_copy_and_arrives_open() -> None:
    array = np.zeros(100_000)
    array.flags.writeable = False
    found = crossed([array])[0]
    found[0] = 1
    assert not array.flags.writeable
    assert array[0] == 0
    locked = np.frombuffer(bytes(100_000), "u1")  # whose owner is locked, too
    crossed([locked])[0][0] = 1


def test_an_array_that_occurs_twice_is_sent_once() -> None:
    array = np.arange(100_000)
    frames = PLAIN.dumps([array, array])
    assert len(frames) == 2
    first, second = PLAIN.loads(frames)
    assert first is second


def map_of(folder: Path) -> Any:
    array = np.memmap(folder / "data.bin", "i4", "w+", offset=4096 + 8, shape=(50, 40))
    array[:] = np.arange(2000).reshape(50, 40)
    return array


@pytest.mark.parametrize(
    "view",
    [np.s_[:], np.s_[3:], np.s_[::2, ::-3], np.s_[5], np.s_[::-1, 4:5], np.s_[7, 3:4]],
    ids=str,
)
def test_a_memory_mapped_array_crosses_as_a_reference(tmp_path: Path, view: Any) -> None:
    mapped = map_of(tmp_path)
    part = mapped[view]
    (frame,) = PLAIN.dumps(part)
    assert len(frame) < 400
    found = PLAIN.loads([frame])
    assert type(found) is np.memmap
    assert (found == part).all()
    assert (str(found.filename), found.mode) == (str(mapped.filename), "r+")
    found[...] = -1
    assert (part == -1).all(), "not the same memory"
    again = crossed(found)  # a map of ours can be sent on
    assert (again == -1).all()
    assert again.shape == part.shape


def test_a_map_without_its_file_or_in_mode_c_crosses_as_data(tmp_path: Path) -> None:
    mapped = map_of(tmp_path)
    mapped.flush()
    copy = np.memmap(tmp_path / "data.bin", "i4", "c", offset=4104, shape=(50, 40))
    copy[0, 0] = 99
    found = crossed(copy)
    assert type(found) is np.ndarray
    assert found[0, 0] == 99
    (tmp_path / "data.bin").unlink()
    found = crossed(mapped)
    assert type(found) is np.ndarray
    assert found[0, 1] == 1


def test_a_read_only_map_arrives_read_only(tmp_path: Path) -> None:
    map_of(tmp_path).flush()
    reader = np.memmap(tmp_path / "data.bin", "i4", "r", shape=(5,))
    assert crossed(reader).mode == "r"
    assert not crossed(reader).flags.writeable


# -- the standard library --------------------------------------------------------------------------


def test_a_concrete_path_of_another_system_becomes_a_pure_one() -> None:
    from worker_entry.portable.standard import build_path

    foreign = "WindowsPath" if type(pathlib.Path()) is pathlib.PosixPath else "PosixPath"
    assert build_path(foreign, "a/b") == getattr(pathlib, f"Pure{foreign}")("a/b")
    with pytest.raises(ValueError, match="no kind of path"):
        build_path("os", "a")


def test_a_zone_without_a_name_says_so(tmp_path: Path) -> None:
    import zoneinfo

    source = next(
        Path(entry) / "UTC" for entry in zoneinfo.TZPATH if (Path(entry) / "UTC").exists()
    )
    with source.open("rb") as file, pytest.raises(CodecError, match="has no name to send"):
        PLAIN.dumps(zoneinfo.ZoneInfo.from_file(file))


def test_context_and_notes_of_an_exception_survive() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError:
            raise samples.SlottedError("outer", 9)  # noqa: B904
    except samples.SlottedError as error:
        found = crossed(error)
    assert (found.code, found.args) == (9, ("outer",))
    assert found.__context__.args == ("inner",)
    assert found.__cause__ is None
    assert not found.__suppress_context__


def test_an_exception_that_takes_other_arguments_than_it_hands_on_survives() -> None:
    error = samples.PairError("name", code=3)
    error.__cause__ = KeyError("why")
    error.partner = samples.PairError("other", code=4)  # type: ignore[attr-defined]
    for codec in (BY_VALUE, PLAIN, OLD):
        found = crossed(error, codec)
        assert type(found) is samples.PairError
        assert (found.name, found.code, found.args) == ("name", 3, ("name has 3",))
        assert found.__cause__.args == ("why",)
        assert found.partner.code == 4


def test_other_factories_of_a_default_dict_go_by_reference() -> None:
    import collections

    value = collections.defaultdict(fractions.Fraction, {1: fractions.Fraction(1, 2)})
    assert crossed(value) == value
    assert crossed(value)["new"] == 0


# -- the table -------------------------------------------------------------------------------------


def test_types_that_are_made_anew_do_not_pile_up() -> None:
    found = Table(5)
    for _ in range(table.LIMIT * 2):
        found[type("Temporary", (), {})]
    assert len(found) <= table.LIMIT


def test_what_others_registered_is_used_and_late_registrations_are_seen() -> None:
    class Own:
        pass

    try:
        with pytest.raises(CodecError):
            PLAIN.dumps(Own())
        copyreg.pickle(Own, lambda value: (uuid.UUID, ("1" * 32,)))  # type: ignore[arg-type]
        assert crossed(Own()) == uuid.UUID("1" * 32)
    finally:
        copyreg.dispatch_table.pop(Own)


def test_functions_still_go_by_value_beside_portable_values() -> None:
    here = pathlib.Path("x")
    found = crossed([lambda: here, np.arange(3), {"p": here}], BY_VALUE)
    assert found[0]() == here
    assert found[1].tolist() == [0, 1, 2]


def test_names_that_moved_are_found() -> None:
    # As a pickle of the user's own classes may hold them: arrays themselves never do.
    for module in ("numpy._core.multiarray", "numpy.core.multiarray"):
        pickled = f"c{module}\n_reconstruct\n.".encode()
        assert callable(PLAIN.loads([pickled]))
    assert PLAIN.loads([b"cpathlib._local\nPurePath\n."]) is pathlib.PurePath
    with pytest.raises(CodecError, match="no_such"):
        PLAIN.loads([b"cnumpy._core.multiarray\nno_such\n."])


def test_an_ndarray_subclass_of_a_user_goes_by_reference_to_it() -> None:
    array = np.arange(3).view(Tagged)
    found = crossed(array)
    assert type(found) is Tagged
    assert found.tolist() == [0, 1, 2]


class Tagged(np.ndarray):
    pass


def test_no_time_zone_is_made_of_a_path() -> None:
    from worker_entry.portable.standard import build_zone

    with pytest.raises((ValueError, OSError)):
        build_zone("../../etc/passwd")
    assert build_zone("UTC").utcoffset(datetime.datetime.now()) == datetime.timedelta(0)


def test_pickles_of_the_codec_are_plain_pickles_otherwise() -> None:
    assert pickle.loads(PLAIN.dumps([1, {"a": samples.Point(1, 2)}])[0]) == [1, {"a": (1, 2)}]


def test_texts_of_arrow_are_read_without_pyarrow_too() -> None:
    pandas = pytest.importorskip("pandas")
    from worker_entry.portable.columns import build_array

    data = np.frombuffer("añb".encode(), np.uint8)
    places, gaps = np.array([0, 1, 3, 3, 4]), np.array([False, False, True, False])
    found = build_array("packed", data, places, gaps, None, "NA")
    assert found.tolist() == ["a", "ñ", pandas.NA, "b"]


@pytest.mark.parametrize(
    ("data", "places", "gaps"),
    [
        (b"ab", [0, 5, 2], 2),
        (b"ab", [0, -1, 2], 2),
        (b"ab", [1, 1, 2], 2),
        (b"ab", [0, 1, 1], 2),
        (b"ab", [0, 1, 2], 3),
        (b"\xff\xfe", [0, 1, 2], 2),
    ],
)
def test_texts_that_are_none_are_refused(data: bytes, places: list[int], gaps: int) -> None:
    pytest.importorskip("pandas")
    from worker_entry.portable.columns import build_array

    array = np.frombuffer(data, np.uint8)
    with pytest.raises(ValueError, match=r"places|decode|UTF8"):
        build_array("packed", array, np.array(places), np.zeros(gaps, bool), None, "NA")


@pytest.mark.parametrize("codec", [BY_VALUE, PLAIN, OLD], ids=["by value", "plain", "protocol 4"])
def test_what_refers_to_itself_comes_back_so(codec: Codec) -> None:
    space = types.SimpleNamespace(a=1)
    space.me, space.b = [space], 2
    found = crossed(space, codec)
    assert found.me[0] is found
    assert (found.a, found.b) == (1, 2)

    error, cause = ValueError("no"), KeyError("k")
    error.me = {"me": error}  # type: ignore[attr-defined]
    error.__cause__, cause.__context__ = cause, error
    back = crossed(error, codec)
    assert back.me["me"] is back
    assert back.__cause__.__context__ is back
    assert (str(back), back.__suppress_context__) == ("no", True)


def test_only_what_they_are_for_is_filled() -> None:
    from worker_entry.portable import errors, standard

    with pytest.raises(TypeError, match="no SimpleNamespace, but a module"):
        standard.fill_namespace(errors, {"a": 1})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no builtin exception, but a type"):
        errors.fill_error(ValueError, (None, (None, None, False)))
