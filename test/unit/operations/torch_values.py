"""What operations of `torch_forms` are called with, and how their results are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from unit.operations.torch_forms import BROADCAST, FLOATS, ROUNDED, Form, dtype_of, fixed_shape
from unit.strategies import Array

_MOST = {"float32": float(np.finfo("f4").max), "float64": float(np.finfo("f8").max)}
_LEAST = {"float32": float(np.finfo("f4").tiny), "float64": float(np.finfo("f8").tiny)}
_PLAIN = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, 0.1, 3.0, -2.0)
_MILD = st.sampled_from(_PLAIN) | st.floats(-4, 4, width=16)
_SPECIAL = (np.nan, np.inf, -np.inf)
_FAR = (1e-3, 88.9, -104.0, 1e30, -1e30, 16777217.0, 2.0**63)


def _floats(role: str, dtype: str) -> st.SearchStrategy[float]:
    if role in {"mild", "last"}:
        return _MILD
    if role in {"summed", "turned"}:
        return _MILD | st.sampled_from(_SPECIAL)
    if role.startswith("within "):
        limits = np.iinfo(role.removeprefix("within "))
        return st.floats(max(-1000.5, limits.min), min(1000.5, limits.max), width=32)
    most, least = _MOST[dtype], _LEAST[dtype]
    edges = (most, -most, least, -least, least / 8, -least / 64, *_SPECIAL, *_FAR)
    width = 32 if dtype == "float32" else 64
    return st.sampled_from(edges) | _MILD | st.floats(width=width)


def _integers(role: str, dtype: str, rows: int) -> st.SearchStrategy[int]:
    if role == "rows":
        return st.integers(0, max(0, rows - 1))
    limits = np.iinfo(dtype)
    least, most = int(limits.min), int(limits.max)
    edges = [least, least + 1, most, most - 1, most // 2, 0, 1, 2, 3, 7]
    edges += [-1, -2, -7] if least else [200, 254]
    numbers = st.sampled_from(edges) | st.integers(least, most)
    return numbers.filter(bool) if role == "divisor" else numbers


def elements(role: str, dtype: str, rows: int) -> st.SearchStrategy[Any]:
    """The elements of an operand.

    `any`, `other`: extremes and all others; `divisor`: no 0 among integers; `summed`, `turned`: no
    sum of finite numbers overflows; `mild`, `last`: small finite numbers; `within DTYPE`: what
    that type holds; `rows`: numbers of rows; `where`: truth values.
    """
    kind = dtype_of(role, dtype)
    if kind == "bool":
        return st.booleans()
    return _floats(role, kind) if kind in FLOATS else _integers(role, kind, rows)


@st.composite
def operands(draw: st.DrawFn, form: Form, dtype: str, shape: tuple[int, int]) -> list[Array]:
    """What a form is called with, if its first operand, or its result, has a shape."""
    rows, columns = shape
    thinner = st.sampled_from([shape, (columns,), (rows, 1), (1,), ()])
    arrays: list[Array] = []
    for role in form.operands:
        size = draw(thinner) if role in BROADCAST else fixed_shape(role, *shape)
        drawn = st_numpy.arrays(dtype_of(role, dtype), size, elements=elements(role, dtype, rows))
        arrays.append(draw(drawn))
    return arrays


def expected(form: Form, arrays: Sequence[Array]) -> Array:
    """What PyTorch makes of them."""
    return form.torch(*map(torch.from_numpy, arrays)).numpy()


def compare(form: Form, arrays: Sequence[Array], found: Array, *, digits: float = 1) -> None:
    """`found` is PyTorch's result, or off by at most `digits` times what `ROUNDED` says."""
    wanted = expected(form, arrays)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    if not wanted.size:
        return
    if wanted.dtype.kind != "f" or form.exact:
        np.testing.assert_array_equal(found, wanted)
    else:
        name = wanted.dtype.name
        error = digits * ROUNDED[name]
        terms = form.terms(*map(torch.from_numpy, arrays)).numpy() if form.terms else wanted
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(found[~finite], wanted[~finite])
        allowed = error * np.abs(np.broadcast_to(terms, wanted.shape)[finite]) + _LEAST[name]
        off = np.abs(found[finite].astype("f8") - wanted[finite])
        assert (off <= allowed).all(), (found[finite][off > allowed], wanted[finite][off > allowed])
    if form.exact and form.signed_zeros and wanted.dtype.kind == "f":
        known = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(found[known]), np.signbit(wanted[known]))
