"""Affine maps as Python functions: built once, called for every access."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

Place = Callable[[Sequence[int]], int]

_BINARY: dict[AffineBinaryOpKind, Callable[[int, int], int]] = {
    AffineBinaryOpKind.Add: lambda a, b: a + b,
    AffineBinaryOpKind.Mul: lambda a, b: a * b,
    AffineBinaryOpKind.Mod: lambda a, b: a % b,
    AffineBinaryOpKind.FloorDiv: lambda a, b: a // b,
    AffineBinaryOpKind.CeilDiv: lambda a, b: -(-a // b),
}


def _linear(expr: AffineExpr, dims: int) -> tuple[dict[int, int], int] | None:
    """Coefficients and constant of an expression without divisions."""
    if isinstance(expr, AffineConstantExpr):
        return {}, expr.value
    if isinstance(expr, AffineDimExpr):
        return {expr.position: 1}, 0
    if isinstance(expr, AffineSymExpr):
        return {dims + expr.position: 1}, 0
    assert isinstance(expr, AffineBinaryOpExpr)
    left, right = _linear(expr.lhs, dims), _linear(expr.rhs, dims)
    if left is None or right is None:
        return None
    if expr.kind is AffineBinaryOpKind.Add:
        sums = dict(left[0])
        for n, c in right[0].items():
            sums[n] = sums.get(n, 0) + c
        return sums, left[1] + right[1]
    if expr.kind is AffineBinaryOpKind.Mul and not right[0]:
        return {n: c * right[1] for n, c in left[0].items()}, left[1] * right[1]
    return None


def _place(expr: AffineExpr, dims: int) -> Place:
    """A function from the operands of a map to the value of one result."""
    linear = _linear(expr, dims)
    if linear is not None:
        terms, constant = tuple(linear[0].items()), linear[1]
        return lambda at: constant + sum([at[n] * c for n, c in terms])
    assert isinstance(expr, AffineBinaryOpExpr)
    left, right = _place(expr.lhs, dims), _place(expr.rhs, dims)
    combine = _BINARY[expr.kind]
    return lambda at: combine(left(at), right(at))


def places_of(map_: AffineMap) -> list[Place]:
    """A function for each result of a map: from its operands, symbols last, to a number."""
    return [_place(result, map_.num_dims) for result in map_.results]
