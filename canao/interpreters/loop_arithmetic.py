"""Operations of lowered modules that compute a value from values, as numpy functions.

A scalar is a numpy scalar of its own dtype, so that f32 rounds as f32; an index
is a Python int; a vector is an array of one dimension. The interpreters that
xDSL ships compute with Python numbers, which have other precisions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    VectorType,
)
from xdsl.dialects.vector import CombiningKindFlag
from xdsl.ir import Attribute, Operation

from canao.dialects import canao_vector
from canao.errors import VerificationError
from canao.interpreters import numerics
from canao.storage_types import BY_ELEMENT

Function = Callable[..., Any]
Maker = Callable[[Any], Function]
"""Makes the function of an operation from its attributes and types."""

_DTYPES: dict[str, Any] = {
    "f32": np.float32,
    "f64": np.float64,
    "i1": np.bool_,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    **{element: stored.dtype for element, stored in BY_ELEMENT.items()},
}


def dtype_of(type_: Attribute) -> np.dtype[Any]:
    """The dtype of a scalar, of the lanes of a vector, or of the elements of a buffer."""
    element = getattr(type_, "element_type", type_)
    dtype = _DTYPES.get(str(element))
    if dtype is None:
        raise VerificationError(f"type {type_} cannot be interpreted; use a float or i1 to i64")
    return np.dtype(dtype)


# ------------------------------------------------------------------ constants


def _constant(op: arith.ConstantOp) -> Function:
    type_, value = op.result.type, op.value
    if isinstance(type_, IndexType) and isinstance(value, IntegerAttr):
        number = value.value.data
        return lambda: number
    if isinstance(value, DenseIntOrFPElementsAttr) and isinstance(type_, VectorType):
        array = np.array(value.get_values()).astype(dtype_of(type_))
        whole = np.broadcast_to(array if array.size > 1 else array[0], type_.get_shape())
        return lambda: whole
    if not isinstance(value, IntegerAttr | FloatAttr):
        raise VerificationError(f"a constant of type {type_} cannot be interpreted")
    scalar = dtype_of(type_).type(value.value.data)
    return lambda: scalar


# ---------------------------------------------------------------- comparisons

_ORDERS: dict[str, Function] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _either_nan(a: Any, b: Any) -> Any:
    return np.isnan(a) | np.isnan(b)


def _ordered(function: Function) -> Function:
    return lambda a, b: function(a, b) & ~_either_nan(a, b)


def _unordered(function: Function) -> Function:
    return lambda a, b: function(a, b) | _either_nan(a, b)


_FLOAT_PREDICATES: tuple[Function, ...] = (
    lambda a, b: np.zeros_like(a, np.bool_),
    *(_ordered(_ORDERS[p]) for p in ("eq", "gt", "ge", "lt", "le", "ne")),
    lambda a, b: ~_either_nan(a, b),
    *(_unordered(_ORDERS[p]) for p in ("eq", "gt", "ge", "lt", "le", "ne")),
    _either_nan,
    lambda a, b: np.ones_like(a, np.bool_),
)
_INTEGER_PREDICATES = ("eq", "ne", "lt", "le", "gt", "ge", "lt", "le", "gt", "ge")
_FIRST_UNSIGNED = 6


def _unsigned(a: Any) -> Any:
    """An integer as the unsigned number with its bits; truth values are unsigned."""
    if isinstance(a, int):
        return a % 2**64
    return a if a.dtype.kind == "b" else a.view(f"u{a.dtype.itemsize}")


def _cmpi(op: arith.CmpiOp) -> Function:
    number = op.predicate.value.data
    order = _ORDERS[_INTEGER_PREDICATES[number]]
    if number < _FIRST_UNSIGNED:
        return order
    return lambda a, b: order(_unsigned(a), _unsigned(b))


def _select(_: Operation) -> Function:
    return lambda condition, a, b: a if condition else b


# ---------------------------------------------------------------- conversions


def _converted(op: Operation) -> Function:
    """By value: to integers towards zero, truth values as 0 and 1."""
    dtype = dtype_of(op.results[0].type)
    return lambda a: a.astype(dtype)


def _signed(op: Operation) -> Function:
    """The same, but a truth value has its sign: -1."""
    dtype = dtype_of(op.results[0].type)
    return lambda a: -a.astype(dtype) if a.dtype.kind == "b" else a.astype(dtype)


def _zero_extended(op: Operation) -> Function:
    dtype = dtype_of(op.results[0].type)
    return lambda a: _unsigned(a).astype(dtype)


def _index_cast(op: arith.IndexCastOp) -> Function:
    return int if isinstance(op.result.type, IndexType) else dtype_of(op.result.type).type


def _bits(op: Operation) -> Function:
    dtype = dtype_of(op.results[0].type)
    return lambda a: a.view(dtype)


# --------------------------------------------------------------------- vectors

_COMBINERS: dict[CombiningKindFlag, Any] = {
    CombiningKindFlag.ADD: np.add,
    CombiningKindFlag.MUL: np.multiply,
    CombiningKindFlag.MAXIMUMF: np.maximum,
    CombiningKindFlag.MINIMUMF: np.minimum,
    CombiningKindFlag.MAXSI: np.maximum,
    CombiningKindFlag.MINSI: np.minimum,
    CombiningKindFlag.AND: np.bitwise_and,
    CombiningKindFlag.OR: np.bitwise_or,
    CombiningKindFlag.XOR: np.bitwise_xor,
}


def _reduction(op: vector.ReductionOp) -> Function:
    combine = _COMBINERS[op.kind.data]
    dtype = dtype_of(op.vector.type)

    def reduce(a: Any, start: Any = None) -> Any:
        total = combine.reduce(a, dtype=dtype)
        return total if start is None else combine(start, total)

    return reduce


def _broadcast(op: vector.BroadcastOp) -> Function:
    assert isinstance(op.vector.type, VectorType)
    shape = op.vector.type.get_shape()
    return lambda a: np.broadcast_to(a, shape)


def _place(op: vector.ExtractOp | vector.InsertOp, positions: tuple[Any, ...]) -> int:
    moving = iter(positions)
    (place,) = (p if isinstance(p, int) else next(moving) for p in op.get_mixed_position())
    return place


def _extract(op: vector.ExtractOp) -> Function:
    return lambda a, *at: a[_place(op, at)]


def _insert(op: vector.InsertOp) -> Function:
    def insert(element: Any, a: Any, *at: Any) -> Any:
        out = a.copy()
        out[_place(op, at)] = element
        return out

    return insert


def _shuffle(op: vector.ShuffleOp) -> Function:
    places = list(op.mask.get_values())
    return lambda a, b: np.concatenate([a, b])[places]


# ----------------------------------------------------------------------- table


def _always(function: Function) -> Maker:
    return lambda _: function


def _erf(a: Any) -> Any:
    return numerics.erf(np.asarray(a))[()]


def _power(a: Any, b: Any) -> Any:
    return numerics.power(np.asarray(a), np.asarray(b))[()]


_PLAIN: Mapping[type[Operation], Function] = {
    arith.AddfOp: np.add,
    arith.SubfOp: np.subtract,
    arith.MulfOp: np.multiply,
    arith.DivfOp: np.divide,
    arith.NegfOp: np.negative,
    arith.MaximumfOp: np.maximum,
    arith.MinimumfOp: np.minimum,
    arith.MaxnumfOp: np.fmax,
    arith.MinnumfOp: np.fmin,
    # an index is a Python int, for which operators are right and numpy functions are not
    arith.AddiOp: lambda a, b: a + b,
    arith.SubiOp: lambda a, b: a - b,
    arith.MuliOp: lambda a, b: a * b,
    arith.AndIOp: lambda a, b: a & b,
    arith.OrIOp: lambda a, b: a | b,
    arith.XOrIOp: lambda a, b: a ^ b,
    arith.ShLIOp: lambda a, b: a << b,
    arith.ShRSIOp: lambda a, b: a >> b,
    arith.DivSIOp: lambda a, b: numerics.divide(np.asarray(a), np.asarray(b))[()],
    arith.FloorDivSIOp: lambda a, b: a // b,
    arith.MaxSIOp: np.maximum,
    arith.MinSIOp: np.minimum,
    math.AbsFOp: np.abs,
    math.AbsIOp: np.abs,
    math.CeilOp: np.ceil,
    math.CosOp: np.cos,
    math.ErfOp: _erf,
    math.ExpOp: np.exp,
    math.FloorOp: np.floor,
    math.FmaOp: lambda a, b, c: a * b + c,
    math.IPowIOp: _power,
    math.LogOp: np.log,
    math.PowFOp: np.power,
    math.RoundEvenOp: np.rint,
    math.RsqrtOp: lambda a: (1 / np.sqrt(a)).astype(a.dtype),
    math.SinOp: np.sin,
    math.SqrtOp: np.sqrt,
    math.TanhOp: np.tanh,
    math.AcosOp: np.arccos,
    math.AcoshOp: np.arccosh,
    math.AsinOp: np.arcsin,
    math.AsinhOp: np.arcsinh,
    math.AtanOp: np.arctan,
    math.AtanhOp: np.arctanh,
    math.CoshOp: np.cosh,
    math.Exp2Op: np.exp2,
    math.ExpM1Op: np.expm1,
    math.Log10Op: np.log10,
    math.Log1pOp: np.log1p,
    math.Log2Op: np.log2,
    math.SinhOp: np.sinh,
    math.TanOp: np.tan,
    math.Atan2Op: np.arctan2,
    math.CopySignOp: np.copysign,
    math.TruncOp: np.trunc,
    vector.FMAOp: lambda a, b, c: a * b + c,
    canao_vector.FmodOp: np.fmod,
    canao_vector.InOrderOp: lambda a: a,
    canao_vector.KeepOp: lambda a: a,
    canao_vector.KeepRoundingOp: lambda a: a,
    canao_vector.SelectOp: np.where,
}

FUNCTIONS: dict[type[Operation], Maker] = {
    **{kind: _always(function) for kind, function in _PLAIN.items()},
    arith.ConstantOp: _constant,
    arith.CmpfOp: lambda op: _FLOAT_PREDICATES[op.predicate.value.data],
    arith.CmpiOp: _cmpi,
    arith.SelectOp: _select,
    arith.ExtFOp: _converted,
    arith.TruncFOp: _converted,
    arith.TruncIOp: _converted,
    arith.FPToSIOp: _converted,
    arith.ExtSIOp: _signed,
    arith.SIToFPOp: _signed,
    arith.ExtUIOp: _zero_extended,
    arith.UIToFPOp: _zero_extended,
    arith.IndexCastOp: _index_cast,
    arith.BitcastOp: _bits,
    vector.BitcastOp: _bits,
    vector.BroadcastOp: _broadcast,
    vector.ExtractOp: _extract,
    vector.InsertOp: _insert,
    vector.ReductionOp: _reduction,
    vector.ShuffleOp: _shuffle,
    canao_vector.CompareOp: lambda op: _ORDERS[op.predicate.data],
    canao_vector.ConvertOp: _converted,
}
"""For each operation, what makes the function from its operands' values to its result."""

__all__ = ["FUNCTIONS", "Function", "dtype_of"]
