"""Numpy functions that numpy itself lacks, or defines otherwise than the dialect.

They compute in the dtype of their operands, unless they say otherwise, and
never warn: infinities and NaN are ordinary results. Callers run them under
`np.errstate(all="ignore")`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.errors import FailedCheckError

Array = npt.NDArray[Any]

# W. J. Cody, "Rational Chebyshev approximations for the error function",
# Mathematics of Computation 23 (1969): numerators and denominators, highest
# degree first, for |x| <= 0.46875, for |x| <= 4, and for 1 / x**2 beyond.
_NEAR = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e00,
        1.13864154151050156e02,
        3.77485237685302021e02,
        3.20937758913846947e03,
    ),
    (
        1.0,
        2.36012909523441209e01,
        2.44024637934444173e02,
        1.28261652607737228e03,
        2.84423683343917062e03,
    ),
)
_MIDDLE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594e00,
        6.61191906371416295e01,
        2.98635138197400131e02,
        8.81952221241769090e02,
        1.71204761263407058e03,
        2.05107837782607147e03,
        1.23033935479799725e03,
    ),
    (
        1.0,
        1.57449261107098347e01,
        1.17693950891312499e02,
        5.37181101862009858e02,
        1.62138957456669019e03,
        3.29079923573345963e03,
        4.36261909014324716e03,
        3.43936767414372164e03,
        1.23033935480374942e03,
    ),
)
_FAR = (
    (
        1.63153871373020978e-2,
        3.05326634961232344e-1,
        3.60344899949804439e-1,
        1.25781726111229246e-1,
        1.60837851487422766e-2,
        6.58749161529837803e-4,
    ),
    (
        1.0,
        2.56852019228982242e00,
        1.87295284992346725e00,
        5.27905102951428412e-1,
        6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)
_NEAR_END, _MIDDLE_END, _FAR_END = 0.46875, 4.0, 6.0


def _rational(pair: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    above, below = (np.polyval(np.array(side), x) for side in pair)
    return above / below


def _erfc_far(x: Array) -> Array:
    inverse = 1.0 / (x * x)
    tail = (1.0 / sqrt(pi) - inverse * _rational(_FAR, inverse)) / x
    return np.exp(-x * x) * tail


def erf(a: Array) -> Array:
    """The error function, computed in float64 to within 1e-15 and rounded to a's dtype."""
    flat = a.astype(np.float64).reshape(-1)
    size = np.abs(flat)
    out = np.where(size >= _FAR_END, 1.0, np.nan)
    near = size <= _NEAR_END
    middle = (size > _NEAR_END) & (size <= _MIDDLE_END)
    far = (size > _MIDDLE_END) & (size < _FAR_END)
    out[near] = size[near] * _rational(_NEAR, size[near] ** 2)
    out[middle] = 1.0 - np.exp(-(size[middle] ** 2)) * _rational(_MIDDLE, size[middle])
    out[far] = 1.0 - _erfc_far(size[far])
    return np.copysign(out, flat).reshape(a.shape).astype(a.dtype)


def sigmoid(a: Array) -> Array:
    """`1 / (1 + e ** -a)`."""
    return 1 / (1 + np.exp(-a))


def divide(a: Array, b: Array) -> Array:
    """`a / b`; integers divide towards zero. A `FailedCheckError` for integers by zero."""
    if a.dtype.kind not in "iu":
        return np.divide(a, b)
    if not np.all(b):
        raise FailedCheckError("integer division by zero; correct the inputs")
    quotient = np.floor_divide(a, b)
    inexact = np.remainder(a, b) != 0
    return quotient + (inexact & ((a < 0) != (b < 0)))


def power(a: Array, b: Array) -> Array:
    """`a ** b`; negative powers of integers round towards zero."""
    if a.dtype.kind != "i":
        return np.power(a, b)
    whole = np.power(a, np.maximum(b, 0))
    sign = np.where(b % 2 == 0, 1, a)
    return np.where(b >= 0, whole, np.where(np.abs(a) == 1, sign, 0))


def cast(a: Array, dtype: np.dtype[Any]) -> Array:
    """Conversion of elements: to bool `a != 0`, to integers towards zero."""
    return a != 0 if dtype.kind == "b" else a.astype(dtype, copy=False)


def gather(table: Array, indices: Sequence[Array]) -> Array:
    """`out[i..., j...] = table[n0[i], n1[i], ..., j...]`; `FailedCheckError` out of range."""
    for index, extent in zip(indices, table.shape, strict=False):
        outside = (index < 0) | (index >= extent)
        if outside.any():
            raise FailedCheckError(
                f"index {index[outside].item(0)} is out of range for a table of {extent} rows; "
                f"look up numbers from 0 to {extent - 1}"
            )
    return np.asarray(table[tuple(indices)])


def softmax(a: Array, axis: int, masked_rows_to_zero: bool) -> Array:
    """`e ** (a - max a)` over its sum; rows of -inf give NaN, or zeros where asked."""
    if not a.size:
        return a
    largest = a.max(axis=axis, keepdims=True)
    if masked_rows_to_zero:
        largest = np.where(largest == -np.inf, 0, largest).astype(a.dtype)
    result = np.exp(a - largest)
    total = result.sum(axis=axis, keepdims=True)
    if masked_rows_to_zero:
        total = np.where(total == 0, 1, total).astype(a.dtype)
    result /= total
    return result


def layer_norm(
    a: Array, scale: Array, shift: Array, epsilon: float, overflow_to_zero: bool
) -> Array:
    """`(a - mean) / sqrt(variance + epsilon) * scale + shift` over the last dimension.

    NaN where the variance is beyond the type, unless `overflow_to_zero`.
    """
    if not a.size:
        return a
    centred = a - a.mean(axis=-1, keepdims=True)
    shifted = (centred * centred).mean(axis=-1, keepdims=True) + epsilon
    root = np.sqrt(shifted)
    centred *= 1 / root if overflow_to_zero else root / shifted
    centred *= scale
    centred += shift
    return centred


def gelu(a: Array, approximate: str) -> Array:
    """`a * P(X < a)` for a normal X, by erf ("none") or by tanh ("tanh")."""
    if approximate == "none":
        curve = erf(a * sqrt(0.5))
    else:
        curve = np.tanh(sqrt(2 / pi) * (a + 0.044715 * a * a * a))
    return 0.5 * a * (1 + curve)


def pack(a: Array, panel: int) -> Array:
    """`out[p, k, c] = a[k, p * panel + c]`, zero past the last column."""
    rows, columns = a.shape
    full, rest = divmod(columns, panel)
    out = np.zeros((full + (rest > 0), rows, panel), dtype=a.dtype)
    out[:full] = a[:, : full * panel].reshape(rows, full, panel).transpose(1, 0, 2)
    if rest:
        out[full, :, :rest] = a[:, full * panel :]
    return out
