"""The laws that `fusion="fast"` adds: they give up accuracy for speed."""

from __future__ import annotations

from typing import Any

from canao.transforms.lp_fusion.laws.fast.strassen_winograd import MultiplyByStrassenWinograd
from canao.transforms.lp_fusion.laws.law import LawEntry, Proof

_M, _K, _N = 16, 20, 24
"""Half the rows, inner terms and columns of the product that the proof is about."""


def _quarters(value: Any, rows: int, columns: int) -> tuple[Any, Any, Any, Any]:
    """The quarters of a matrix of twice as many rows and columns, row by row."""
    return (
        value[:rows, :columns],
        value[:rows, columns:],
        value[rows:, :columns],
        value[rows:, columns:],
    )


def _strassen_winograd(x: Any, w: Any) -> tuple[Any, Any, Any, Any]:
    """The quarters of `x @ w`, as Winograd has them."""
    a11, a12, a21, a22 = _quarters(x, _M, _K)
    b11, b12, b21, b22 = _quarters(w, _K, _N)
    s1 = a21 + a22
    s2 = s1 - a11
    t1 = b12 - b11
    t2 = b22 - t1
    p1 = a11 @ b11
    p2 = a12 @ b21
    p3 = (a12 - s2) @ b22
    p4 = a22 @ (t2 - b21)
    p5 = s1 @ t1
    p6 = s2 @ t2
    p7 = (a11 - a21) @ (b22 - b12)
    return p1 + p2, p1 + p6 + p5 + p3, p1 + p6 + p7 - p4, p1 + p6 + p7 + p5


FAST: tuple[LawEntry, ...] = (
    LawEntry(
        name=MultiplyByStrassenWinograd.name,
        rewrite=MultiplyByStrassenWinograd,
        condition="finite operands; a constant matrix; even rows, inner terms and columns",
        exact=False,
        on_request=True,
        proof=Proof(
            lambda x, w: _quarters(x @ w, _M, _N),
            _strassen_winograd,
            ((2 * _M, 2 * _K), (2 * _K, 2 * _N)),
            constants=(1,),
            scalars=False,
        ),
        more=(
            Proof(
                lambda x, w, b, r: _quarters((x @ w + b) * r, _M, _N),
                lambda x, w, b, r: tuple(
                    (part + bias) * factor
                    for part, bias, factor in zip(
                        _strassen_winograd(x, w),
                        (b[:_N], b[_N:], b[:_N], b[_N:]),
                        _quarters(r, _M, _N),
                        strict=True,
                    )
                ),
                ((2 * _M, 2 * _K), (2 * _K, 2 * _N), (2 * _N,), (2 * _M, 2 * _N)),
                constants=(1, 2),
                scalars=False,
            ),
        ),
    ),
)
