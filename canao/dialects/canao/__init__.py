"""The canao dialect: named tensor operations with laws and access patterns."""

from __future__ import annotations

from types import ModuleType

from xdsl.ir import Dialect

from canao.dialects.canao import conversion, defined, elementwise, functions, rounding
from canao.dialects.canao.composite import GeluOp, LayerNormOp, SoftmaxOp
from canao.dialects.canao.contract import MatmulOp
from canao.dialects.canao.conversion import CastOp, WrapOp
from canao.dialects.canao.defined import DefinedOp
from canao.dialects.canao.elementwise import (
    AbsOp,
    AddOp,
    AndOp,
    CompareOp,
    CosOp,
    DivOp,
    ElementwiseOp,
    ErfOp,
    ExpOp,
    LogOp,
    MaximumOp,
    MinimumOp,
    MulOp,
    NegOp,
    NotOp,
    OrOp,
    PowOp,
    ReciprocalOp,
    RsqrtOp,
    SelectOp,
    SigmoidOp,
    SinOp,
    SqrtOp,
    SubOp,
    TanhOp,
)
from canao.dialects.canao.functions import (
    AcoshOp,
    AcosOp,
    AsinhOp,
    AsinOp,
    Atan2Op,
    AtanhOp,
    AtanOp,
    CopysignOp,
    CoshOp,
    Exp2Op,
    Expm1Op,
    Log1pOp,
    Log2Op,
    Log10Op,
    SinhOp,
    TanOp,
)
from canao.dialects.canao.layer import LayerOp, YieldOp
from canao.dialects.canao.reduce import ReduceMaxOp, ReduceMinOp, ReduceSumOp
from canao.dialects.canao.reorganise import (
    BroadcastOp,
    ConcatOp,
    GatherOp,
    PackOp,
    ReshapeOp,
    SliceOp,
    TransposeOp,
)
from canao.dialects.canao.rounding import (
    CeilOp,
    FloorOp,
    FmodOp,
    KeepRoundingOp,
    RoundOp,
    TruncOp,
)
from canao.dialects.canao.source import ConstantOp, WeightOp
from canao.dialects.canao.symbolic import ExtentsAttr


def _operations(*modules: ModuleType) -> tuple[type[ElementwiseOp], ...]:
    """The elementwise operations that some modules define, by name: all that have one."""
    found = [
        op
        for module in modules
        for op in vars(module).values()
        if isinstance(op, type) and op.__module__ == module.__name__
        if issubclass(op, ElementwiseOp) and "name" in vars(op)
    ]
    return tuple(sorted(found, key=lambda op: op.__name__))


ELEMENTWISE_OPS = _operations(conversion, defined, elementwise, functions, rounding)
"""Every elementwise operation: a class with a name in one of these modules is one."""
DEFINED_OPS = tuple(op for op in ELEMENTWISE_OPS if issubclass(op, DefinedOp))
"""Those that are said in simpler ones."""

Canao = Dialect(
    "canao",
    [
        ConstantOp,
        WeightOp,
        *ELEMENTWISE_OPS,
        ReduceSumOp,
        ReduceMaxOp,
        ReduceMinOp,
        MatmulOp,
        TransposeOp,
        ReshapeOp,
        SliceOp,
        BroadcastOp,
        ConcatOp,
        GatherOp,
        PackOp,
        SoftmaxOp,
        LayerNormOp,
        GeluOp,
        LayerOp,
        YieldOp,
    ],
    [ExtentsAttr],
)

__all__ = [
    "DEFINED_OPS",
    "ELEMENTWISE_OPS",
    "AbsOp",
    "AcosOp",
    "AcoshOp",
    "AddOp",
    "AndOp",
    "AsinOp",
    "AsinhOp",
    "Atan2Op",
    "AtanOp",
    "AtanhOp",
    "BroadcastOp",
    "Canao",
    "CastOp",
    "CeilOp",
    "CompareOp",
    "ConcatOp",
    "ConstantOp",
    "CopysignOp",
    "CosOp",
    "CoshOp",
    "DivOp",
    "ErfOp",
    "Exp2Op",
    "ExpOp",
    "Expm1Op",
    "FloorOp",
    "FmodOp",
    "GatherOp",
    "GeluOp",
    "KeepRoundingOp",
    "LayerNormOp",
    "LayerOp",
    "Log1pOp",
    "Log2Op",
    "Log10Op",
    "LogOp",
    "MatmulOp",
    "MaximumOp",
    "MinimumOp",
    "MulOp",
    "NegOp",
    "NotOp",
    "OrOp",
    "PackOp",
    "PowOp",
    "ReciprocalOp",
    "ReduceMaxOp",
    "ReduceMinOp",
    "ReduceSumOp",
    "ReshapeOp",
    "RoundOp",
    "RsqrtOp",
    "SelectOp",
    "SigmoidOp",
    "SinOp",
    "SinhOp",
    "SliceOp",
    "SoftmaxOp",
    "SqrtOp",
    "SubOp",
    "TanOp",
    "TanhOp",
    "TransposeOp",
    "TruncOp",
    "WeightOp",
    "WrapOp",
    "YieldOp",
]
