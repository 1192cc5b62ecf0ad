"""Flat buffers of lowered modules, held as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, SSAValue

from canao.errors import VerificationError
from canao.interpreters.loop_arithmetic import dtype_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Buffer:
    """Flat memory with a name for messages."""

    name: str
    data: Array


def flat_of(array: Array, type_: Attribute) -> Array:
    """The elements of an argument in order; `VerificationError` unless they fit its type."""
    flat = np.ascontiguousarray(array).reshape(-1)
    assert isinstance(type_, MemRefType)
    if flat.dtype != dtype_of(type_) or flat.size != prod(type_.get_shape()):
        raise VerificationError(f"an argument of @main is {type_}, given {flat.dtype}[{flat.size}]")
    return flat


def unwritten(value: SSAValue) -> Array:
    """Memory that nothing has written: NaN where there is such a number."""
    assert isinstance(value.type, MemRefType)
    dtype = dtype_of(value.type)
    size = prod(value.type.get_shape())
    return np.full(size * dtype.itemsize, 0xFF, np.uint8).view(dtype)
