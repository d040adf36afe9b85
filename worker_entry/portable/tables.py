"""Tables of Arrow and of polars, as Arrow's own stream of bytes, whose format is stable.

polars is asked for the oldest form that it writes, which older versions of it can read.
"""

from __future__ import annotations

import io
from typing import Any

from worker_entry.portable.buffers import as_buffer


def reduce_arrow(protocol: int, table: Any) -> Any:
    """Take a table or batch of pyarrow apart."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    is_batch = isinstance(table, pa.RecordBatch)
    return build_arrow, (as_buffer(memoryview(sink.getvalue()), protocol), is_batch)


def build_arrow(stream: Any, is_batch: bool) -> Any:
    """Make a table or batch of pyarrow: a view of the memory that arrived."""
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        return reader.read_next_batch() if is_batch else reader.read_all()


def reduce_polars(protocol: int, table: Any) -> Any:
    """Take a frame or series of polars apart."""
    import polars as pl

    is_series = isinstance(table, pl.Series)
    frame = table.to_frame() if is_series else table
    objects = [name for name, dtype in zip(frame.columns, frame.dtypes) if dtype == pl.Object]
    if objects:
        raise TypeError(f"the column {objects[0]!r} holds Python objects, which polars can't write")
    file = io.BytesIO()
    options: dict[str, Any] = {}
    if hasattr(pl, "CompatLevel"):
        options["compat_level"] = pl.CompatLevel.oldest()
    frame.write_ipc(file, **options)
    return build_polars, (as_buffer(file.getbuffer(), protocol), is_series)


def build_polars(data: Any, is_series: bool) -> Any:
    """Make a frame or series of polars."""
    import polars as pl

    frame = pl.read_ipc(io.BytesIO(data))
    return frame.to_series() if is_series else frame
