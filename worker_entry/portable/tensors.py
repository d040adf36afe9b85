"""PyTorch's tensors in the memory of the CPU, through NumPy's arrays."""

from __future__ import annotations

import functools
from typing import Any

import torch

#: Dtypes that NumPy lacks, and those of the same size by which their memory goes.
_THROUGH = {"bfloat16": "int16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}
_DTYPES = frozenset(("float64", "float32", "float16", "bfloat16", "complex64", "complex128",
                     "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64",
                     "bool", "float8_e4m3fn", "float8_e5m2"))  # fmt: skip


def reduce_tensor(protocol: int, tensor: Any) -> Any:
    """Take a tensor apart."""
    if tensor.device.type != "cpu":
        raise TypeError(
            f"a tensor on the device {str(tensor.device)!r} can't cross: pass tensor.cpu()"
        )
    name = str(tensor.dtype).rpartition(".")[2]
    if tensor.layout is not torch.strided or name not in _DTYPES or tensor.is_quantized:
        return tensor.__reduce_ex__(protocol)
    if tensor.requires_grad and not tensor.is_leaf:
        raise TypeError("a tensor with a history of gradients can't cross: pass tensor.detach()")
    # Conjugate and negative views are promises that NumPy does not know.
    plain = tensor.detach().resolve_conj().resolve_neg()
    through = _THROUGH.get(name)
    array = (plain.contiguous().view(getattr(torch, through)) if through else plain).numpy()
    is_parameter = isinstance(tensor, torch.nn.Parameter)
    return build_tensor, (name, array, bool(tensor.requires_grad), is_parameter)


def build_tensor(name: str, array: Any, requires_grad: bool, is_parameter: bool) -> Any:
    """Make a tensor, a view of the memory that arrived."""
    dtype = build_dtype(name)
    tensor = torch.from_numpy(array)
    if name in _THROUGH:
        tensor = tensor.view(dtype)
    if tensor.dtype != dtype:
        raise ValueError(f"a tensor of {dtype} has other memory than {tensor.dtype}")
    if is_parameter:
        return torch.nn.Parameter(tensor, bool(requires_grad))
    return tensor.requires_grad_(bool(requires_grad)) if requires_grad else tensor


def reduce_dtype(protocol: int, dtype: Any) -> Any:
    """Name a dtype."""
    name = str(dtype).rpartition(".")[2]
    return (build_dtype, (name,)) if name in _DTYPES else dtype.__reduce__()


@functools.lru_cache(maxsize=None)
def build_dtype(name: str) -> Any:
    """Return a dtype of PyTorch."""
    if name not in _DTYPES or not hasattr(torch, name):
        raise TypeError(f"PyTorch {torch.__version__} has no dtype {name!r}")
    return getattr(torch, name)


def reduce_device(protocol: int, device: Any) -> Any:
    """Take a device apart."""
    return build_device, (str(device),)


def build_device(name: str) -> Any:
    """Make a device."""
    return torch.device(name)
