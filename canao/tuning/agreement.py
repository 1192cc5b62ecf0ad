"""Whether two programs computed the same, but for rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from canao.runtime.module import Array
from canao.storage_types import STORAGE_TYPES

_ROUNDING = {
    "float32": (1e-3, 1e-4),
    "float64": (1e-3, 1e-4),
    **{stored.name: (4 * stored.spacing, 2 * stored.spacing) for stored in STORAGE_TYPES.values()},
}
"""Differences below this share of a number, or of the largest of its array, are rounding: sums
are ordered in many ways, and what follows them may magnify it. A wrong element is far off. By
dtype: of types of memory, neighbours are far apart."""


def disagreement(found: Sequence[Array], expected: Sequence[Array]) -> str:
    """What differs most between two sets of outputs; empty if nothing does.

    Floating-point numbers may differ by rounding, all others must be equal.
    """
    for n, (mine, other) in enumerate(zip(found, expected, strict=True)):
        wrong = _differs(mine, other)
        if wrong.any():
            at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            place = ", ".join(map(str, at))
            return (
                f"{int(wrong.sum())} of {wrong.size} elements of output {n} are wrong: "
                f"[{place}] is {mine[at]} and should be {other[at]}"
            )
    return ""


def _differs(mine: Array, other: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if mine.dtype.kind == "b":
        # A byte that is neither 0 nor 1 is no bool, and numpy would not see it.
        return np.asarray(mine.view(np.uint8) != other.view(np.uint8))
    if other.dtype.name not in _ROUNDING:
        return np.asarray(mine != other)
    relative, of_largest = _ROUNDING[other.dtype.name]
    found, expected = mine.astype(np.float64), other.astype(np.float64)
    scale = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    near = np.isclose(found, expected, rtol=relative, atol=of_largest * scale, equal_nan=True)
    return ~near
