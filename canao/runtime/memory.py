"""Memory aligned for vector loads."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import suppress
from math import prod

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64
"""Bytes to which weights and the arena are aligned: a cache line, a full vector."""

_HUGE = 4 << 20


def aligned_empty(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """A new row-major array at an aligned address."""
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(kind).reshape(tuple(shape))


def lasting_empty(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """An aligned array meant to live long: large ones ask for huge pages."""
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    if size < _HUGE:
        return aligned_empty(shape, dtype)
    return _mapped(size).view(kind).reshape(tuple(shape))


def _mapped(size: int) -> npt.NDArray[np.uint8]:
    """Pages from the system, so that unused ones cost nothing and huge ones are possible."""
    pages = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without huge pages: ordinary ones do
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


def is_aligned(array: npt.NDArray[np.generic]) -> bool:
    """Whether emitted code can read the array where it is."""
    return array.size == 0 or (array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0)


def aligned(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The array itself if emitted code can read it in place, else a copy that it can."""
    return array if is_aligned(array) else aligned_copy(array)


def aligned_copy(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """A copy that emitted code can read in place."""
    copy = lasting_empty(array.shape, array.dtype)
    np.copyto(copy, array)
    return copy
