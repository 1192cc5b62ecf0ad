"""Whether two programs computed the same, but for rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from canao.runtime.module import Array

_ROUNDING = {"float16": (4e-3, 2e-3), "float32": (1e-3, 1e-4), "float64": (1e-3, 1e-4)}
"""Differences below this share of a number, or of the largest of its array, are rounding: sums
are ordered in many ways, and what follows them may magnify it. A wrong element is far off. By
dtype: neighbouring halves differ by 1e-3 already."""


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
    if mine.dtype.kind != "f":
        return np.asarray(mine != other)
    finite = np.abs(other[np.isfinite(other)], dtype=np.float64)
    scale = float(finite.max()) if finite.size else 0.0
    relative, of_largest = _ROUNDING[other.dtype.name]
    near = np.isclose(mine, other, rtol=relative, atol=of_largest * scale, equal_nan=True)
    return ~near
