"""Every operation of the dialect beside the function of PyTorch that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from xdsl.dialects.builtin import IntegerType, TensorType
from xdsl.ir import Block, Operation, SSAValue

from canao.dialects import canao
from canao.dialects.canao.defined import SoftsignOp
from canao.dialects.canao.elementwise import Predicate
from canao.dialects.canao.source import element_of_dtype

FLOATS = ("float32", "float64")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
NUMBERS = (*FLOATS, *INTEGERS)
DTYPES = (*NUMBERS, "bool")

ROUNDED = {"float32": 2e-6, "float64": 1e-13}
"""How far a function may be from PyTorch's, relative to its result."""

Make = Callable[..., Operation]


@dataclass(frozen=True)
class Form:
    """One use of an operation: its operands, and what PyTorch makes of them."""

    name: str
    make: Make
    """The operation on values of the IR."""
    torch: Callable[..., Tensor]
    """The function of the same operands; its result is compared as it is."""
    dtypes: tuple[str, ...] = NUMBERS
    operands: tuple[str, ...] = ("any",)
    """What each operand holds: see `elements`; `where` and `rows` have dtypes of their own."""
    exact: bool = True
    """Whether every bit is the same; otherwise `ROUNDED` is allowed."""
    terms: Callable[..., Tensor] | None = None
    """The size of what is added up in a result, of which rounding errors are a part."""
    signed_zeros: bool = True
    """Whether PyTorch tells 0.0 and -0.0 apart in the result."""

    @property
    def kind(self) -> type[Operation]:
        """The operation."""
        shapes = [fixed_shape(role, 2, 4) for role in self.operands]
        dtypes = [dtype_of(role, self.dtypes[0]) for role in self.operands]
        return type(self.make(*arguments(dtypes, shapes)))


_SHAPES: dict[str, Callable[[int, int], tuple[int, ...]]] = {
    "last": lambda rows, columns: (columns,),
    "rows": lambda rows, columns: (3 * min(rows, 1),),
    "turned": lambda rows, columns: (columns, 2),
}
"""The shapes of operands beside one of rows and columns, if they are fixed."""

BROADCAST = frozenset({"other", "divisor", "where"})
"""Operands that take any shape that broadcasts to that of the first."""


def fixed_shape(role: str, rows: int, columns: int) -> tuple[int, ...]:
    """The shape of an operand that does not broadcast."""
    return _SHAPES.get(role, lambda r, c: (r, c))(rows, columns)


def arguments(dtypes: Sequence[str], shapes: Sequence[Sequence[int]]) -> list[SSAValue]:
    """Values of the given types."""
    types = [TensorType(element_of_dtype(d), s) for d, s in zip(dtypes, shapes, strict=True)]
    return list(Block(arg_types=types).args)


def dtype_of(role: str, dtype: str) -> str:
    """The dtype of an operand in a form for `dtype`."""
    return {"where": "bool", "rows": "int64"}.get(role, dtype)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return a / b
    # PyTorch ends the process at the least integer by -1, which is itself
    one = torch.ones((), dtype=b.dtype)
    minus = (b < 0) & (b == -one)
    return torch.where(minus, -a, torch.div(a, torch.where(minus, one, b), rounding_mode="trunc"))


def _fmod(a: Tensor, b: Tensor) -> Tensor:
    """PyTorch's vectors give NaN where the quotient overflows: the C library does not."""
    with np.errstate(invalid="ignore"):
        exact = torch.from_numpy(np.asarray(np.fmod(a.numpy(), b.numpy())))
    result = torch.fmod(a, b)
    overflows = torch.isnan(result) & torch.isfinite(a) & torch.isfinite(b) & (b != 0)
    return torch.where(overflows, exact, result)


def _in_double(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """For functions that PyTorch's float32 vectors give up before their results overflow."""
    return lambda a: function(a.double()).to(a.dtype)


def _erf_gelu(a: Tensor) -> Tensor:
    return F.gelu(a.double()).to(a.dtype)


def _terms_of_layer_norm(a: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    deviation = (a.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    return scale.abs() * (1 + a.abs().amax(1, keepdim=True) / deviation) + shift.abs()


def _masked_softmax(a: Tensor) -> Tensor:
    empty = (a == -torch.inf).all(1, keepdim=True)
    return torch.where(empty, torch.zeros((), dtype=a.dtype), a.softmax(1))


def _unary(
    kind: Any,
    function: Callable[[Tensor], Tensor],
    dtypes: tuple[str, ...] = FLOATS,
    exact: bool = True,
) -> Form:
    return Form(kind.name, kind, function, dtypes, exact=exact)


def _binary(
    kind: Any,
    function: Callable[..., Tensor],
    dtypes: tuple[str, ...] = NUMBERS,
    second: str = "other",
    exact: bool = True,
    signed_zeros: bool = True,
) -> Form:
    operands = ("any", second)
    return Form(kind.name, kind, function, dtypes, operands, exact=exact, signed_zeros=signed_zeros)


def _cast(to: str, role: str, dtypes: tuple[str, ...]) -> Form:
    return Form(
        f"canao.cast to {to}",
        lambda a: canao.CastOp(a, element_of_dtype(to)),
        lambda a: a.to(getattr(torch, to)),
        dtypes,
        (role,),
    )


def _narrow(dtype: str) -> IntegerType:
    element = element_of_dtype(dtype)
    assert isinstance(element, IntegerType)
    return element


def _reduction(kind: Any, axes: list[int], function: Callable[..., Tensor], **more: Any) -> Form:
    return Form(f"{kind.name} of {axes}", lambda a: kind(a, axes), function, **more)


_EXACT_FUNCTIONS = (
    _unary(canao.AbsOp, torch.abs, dtypes=NUMBERS),
    _unary(canao.CeilOp, torch.ceil),
    _unary(canao.FloorOp, torch.floor),
    _unary(canao.KeepRoundingOp, torch.clone),
    _unary(canao.NegOp, torch.neg, dtypes=NUMBERS),
    _unary(canao.NotOp, torch.bitwise_not, dtypes=(*INTEGERS, "bool")),
    _unary(canao.ReciprocalOp, torch.reciprocal),
    _unary(canao.RoundOp, torch.round),
    _unary(canao.TruncOp, torch.trunc),
)
_FUNCTIONS = tuple(
    _unary(kind, function, exact=False)
    for kind, function in (
        (canao.AcosOp, torch.acos),
        (canao.AcoshOp, torch.acosh),
        (canao.AsinOp, torch.asin),
        (canao.AsinhOp, torch.asinh),
        (canao.AtanOp, torch.atan),
        (canao.AtanhOp, torch.atanh),
        (canao.CosOp, torch.cos),
        (canao.CoshOp, _in_double(torch.cosh)),
        (canao.ErfOp, torch.erf),
        (canao.Exp2Op, torch.exp2),
        (canao.ExpOp, torch.exp),
        (canao.Expm1Op, torch.expm1),
        (canao.Log10Op, torch.log10),
        (canao.Log1pOp, torch.log1p),
        (canao.Log2Op, torch.log2),
        (canao.LogOp, torch.log),
        (canao.RsqrtOp, torch.rsqrt),
        (canao.SigmoidOp, torch.sigmoid),
        (canao.SinOp, torch.sin),
        (canao.SinhOp, _in_double(torch.sinh)),
        (SoftsignOp, F.softsign),
        (canao.SqrtOp, torch.sqrt),
        (canao.TanOp, torch.tan),
        (canao.TanhOp, torch.tanh),
    )
)
_BINARY = (
    _binary(canao.AddOp, torch.add),
    _binary(canao.AndOp, torch.bitwise_and, dtypes=(*INTEGERS, "bool")),
    _binary(canao.Atan2Op, torch.atan2, dtypes=FLOATS, exact=False),
    _binary(canao.CopysignOp, torch.copysign, dtypes=FLOATS),
    _binary(canao.DivOp, _divide, second="divisor"),
    _binary(canao.FmodOp, _fmod, dtypes=FLOATS),
    _binary(canao.MaximumOp, torch.maximum, signed_zeros=False),
    _binary(canao.MinimumOp, torch.minimum, signed_zeros=False),
    _binary(canao.MulOp, torch.mul),
    _binary(canao.OrOp, torch.bitwise_or, dtypes=(*INTEGERS, "bool")),
    _binary(canao.PowOp, torch.pow, dtypes=FLOATS, exact=False),
    _binary(canao.PowOp, torch.pow, dtypes=INTEGERS),
    _binary(canao.SubOp, torch.sub),
    *(
        Form(
            f"canao.cmp {predicate}",
            lambda a, b, p=predicate: canao.CompareOp(p, a, b),
            getattr(torch, predicate),
            DTYPES,
            ("any", "other"),
        )
        for predicate in Predicate
    ),
    Form("canao.select", canao.SelectOp, torch.where, DTYPES, ("where", "any", "other")),
)
_CONVERSIONS = (
    *(_cast(to, "any", (*INTEGERS, "bool")) for to in DTYPES),
    *(_cast(to, "any", FLOATS) for to in (*FLOATS, "bool")),
    *(_cast(to, f"within {to}", FLOATS) for to in INTEGERS),
    *(
        Form(
            f"canao.wrap to {to}",
            lambda a, to=to: canao.WrapOp(a, _narrow(to)),
            lambda a, to=to: a.to(getattr(torch, to)).to(a.dtype),
            ("int64",),
        )
        for to in INTEGERS
        if to != "int64"
    ),
)
_REDUCTIONS = tuple(
    form
    for axes in ([0], [1], [0, 1])
    for form in (
        _reduction(
            canao.ReduceSumOp,
            axes,
            lambda a, axes=axes: torch.sum(a, axes, keepdim=True, dtype=a.dtype),
            operands=("summed",),
            terms=lambda a, axes=axes: a.abs().sum(axes, keepdim=True),
            exact=False,
        ),
        *(
            _reduction(
                kind,
                axes,
                lambda a, axes=axes, function=function: function(a, axes, keepdim=True),
                signed_zeros=False,
                dtypes=DTYPES,
            )
            for kind, function in (
                (canao.ReduceMaxOp, torch.amax),
                (canao.ReduceMinOp, torch.amin),
            )
        ),
    )
)
_MOVES = (
    Form("canao.broadcast", lambda a: canao.BroadcastOp(a, [3, *a.type.get_shape()]),
         lambda a: a.expand(3, *a.shape), DTYPES),
    Form("canao.concat", lambda a, b: canao.ConcatOp([a, b], 1),
         lambda a, b: torch.cat([a, b], 1), DTYPES, ("any", "any")),
    Form("canao.gather", lambda a, n: canao.GatherOp(a, [n]),
         lambda a, n: a[n], DTYPES, ("any", "rows")),
    Form("canao.reshape", lambda a: canao.ReshapeOp(a, a.type.get_shape()[::-1]),
         lambda a: a.reshape(a.shape[::-1]), DTYPES),
    Form("canao.slice", lambda a: canao.SliceOp(a, [0, 0], *_odd_columns(a)),
         lambda a: a[:, ::2], DTYPES),
    Form("canao.transpose", lambda a: canao.TransposeOp(a, [1, 0]), lambda a: a.T, DTYPES),
)  # fmt: skip
_SUMS = (
    Form("canao.matmul", lambda a, b: canao.MatmulOp(a, b), torch.matmul, NUMBERS,
         ("summed", "turned"), exact=False, terms=lambda a, b: a.abs() @ b.abs()),
    Form("canao.softmax", lambda a: canao.SoftmaxOp(a, 1), lambda a: a.softmax(1), FLOATS,
         exact=False),
    Form("canao.softmax of masked rows", lambda a: canao.SoftmaxOp(a, 1, True),
         _masked_softmax, FLOATS, exact=False),
    Form("canao.layer_norm", lambda a, s, t: canao.LayerNormOp(a, s, t, 1e-5),
         lambda a, s, t: F.layer_norm(a, s.shape, s, t, 1e-5), FLOATS, ("mild", "last", "last"),
         exact=False, terms=_terms_of_layer_norm),
    Form("canao.gelu", canao.GeluOp, _erf_gelu, FLOATS, exact=False, terms=torch.abs),
    Form("canao.gelu by tanh", lambda a: canao.GeluOp(a, "tanh"),
         lambda a: F.gelu(a.double(), approximate="tanh").to(a.dtype), FLOATS, exact=False,
         terms=torch.abs),
)  # fmt: skip

FORMS: tuple[Form, ...] = (
    *_EXACT_FUNCTIONS,
    *_FUNCTIONS,
    *_BINARY,
    *_CONVERSIONS,
    *_REDUCTIONS,
    *_MOVES,
    *_SUMS,
)

NO_FUNCTIONS = (
    canao.ConstantOp,
    canao.WeightOp,
    canao.PackOp,
    canao.LayerOp,
    canao.YieldOp,
)
"""Data, a layout of weights, and structure: PyTorch has no such functions."""


def _odd_columns(a: Any) -> tuple[list[int], list[int]]:
    rows, columns = a.type.get_shape()
    return [rows, (columns + 1) // 2], [1, 2]
