"""xarray's objects, by their variables.

Data of another kind than NumPy's, of dask say, are pickled as these are. Indexes are made again of
the coordinates, those of several levels among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr


def reduce_variable(protocol: int, variable: Any) -> Any:
    """Take a variable apart."""
    cls = type(variable).__name__
    return build_variable, (cls, *_parts(variable))


def build_variable(cls: str, dims: Any, data: Any, attrs: Any, encoding: Any) -> Any:
    """Make a variable."""
    make = xr.IndexVariable if cls == "IndexVariable" else xr.Variable
    return make(dims, data, attrs, encoding)


def _parts(variable: Any) -> tuple[Any, ...]:
    index = variable.to_index() if isinstance(variable, xr.IndexVariable) else None
    if isinstance(index, pd.MultiIndex):
        data: Any = index
    else:
        held = variable.data
        data = variable.values if isinstance(held, np.ndarray) else held
    return tuple(variable.dims), data, dict(variable.attrs), dict(variable.encoding)


def reduce_dataset(protocol: int, dataset: Any) -> Any:
    """Take a `Dataset` apart."""
    variables = {name: _parts(dataset.variables[name]) for name in dataset.data_vars}
    extras = (dict(dataset.attrs), dict(dataset.encoding))
    return build_dataset, (variables, _coordinates(dataset), *extras)


def build_dataset(variables: Any, coordinates: Any, attrs: Any, encoding: Any) -> Any:
    """Make a `Dataset`."""
    made = {name: xr.Variable(*parts) for name, parts in variables.items()}
    dataset = xr.Dataset(made, attrs=attrs)
    dataset.encoding = encoding
    return _with_coordinates(dataset, coordinates)


def reduce_data_array(protocol: int, array: Any) -> Any:
    """Take a `DataArray` apart."""
    return build_data_array, (_parts(array.variable), _coordinates(array), array.name)


def build_data_array(parts: Any, coordinates: Any, name: Any) -> Any:
    """Make a `DataArray`."""
    dims, data, attrs, encoding = parts
    array = xr.DataArray(data, dims=dims, attrs=attrs, name=name)
    array.encoding = encoding
    return _with_coordinates(array, coordinates)


def _coordinates(thing: Any) -> dict[Any, Any]:
    """Return the coordinates; the levels of an index are in the one that has them all."""
    found: dict[Any, Any] = {}
    levels: set[Any] = set()
    for name, coordinate in thing.coords.items():
        parts = _parts(coordinate.variable)
        is_index = name in thing.indexes
        if isinstance(parts[1], pd.MultiIndex):
            if name not in parts[0]:
                continue  # a level
            levels.update(parts[1].names)
        found[name] = (is_index, parts)
    return {name: parts for name, parts in found.items() if name not in levels}


def _with_coordinates(thing: Any, coordinates: dict[Any, Any]) -> Any:
    for name, (_, (dims, data, attrs, encoding)) in coordinates.items():
        if isinstance(data, pd.MultiIndex):
            if hasattr(xr, "Coordinates"):
                thing = thing.assign_coords(xr.Coordinates.from_pandas_multiindex(data, name))
            else:
                thing = thing.assign_coords({name: data})
        else:
            thing = thing.assign_coords({name: xr.Variable(dims, data, attrs, encoding)})
    return thing
