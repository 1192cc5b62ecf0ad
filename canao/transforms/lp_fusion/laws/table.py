"""The laws of LP-Fusion: one entry each, with a proof obligation that a test discharges."""

from __future__ import annotations

from operator import neg

from canao.transforms.canao_simplify.fold_identities import (
    DivideByMultiplying,
    DropDoubleInverse,
    DropIdentities,
    JoinNumbersOfProduct,
)
from canao.transforms.law_uses import law_of
from canao.transforms.lp_fusion.laws.algebra.algebra import AbsorbNegation, Regroup
from canao.transforms.lp_fusion.laws.algebra.distributivity import (
    TakeOutDivisor,
    TakeOutFactor,
)
from canao.transforms.lp_fusion.laws.algebra.share import ShareEqualOperations
from canao.transforms.lp_fusion.laws.fast.fast_table import FAST
from canao.transforms.lp_fusion.laws.law import FINITE, LawEntry, Proof, Stage
from canao.transforms.lp_fusion.laws.linear_table import LINEAR
from canao.transforms.lp_fusion.laws.local.extrema import TakeTermOutOfExtremum

_WIDE, _ROW, _COLUMN = (6, 8), (8,), (6, 1)

ALGEBRA: tuple[LawEntry, ...] = (
    LawEntry(
        name=ShareEqualOperations.name,
        rewrite=ShareEqualOperations,
        condition="equal operands, in any order if the operation commutes",
        exact=True,
        proof=Proof(
            lambda a, b, c: (a + b) * c / (b + a),
            lambda a, b, c: (a + b) * c / (a + b),
            (_WIDE, _WIDE, _ROW),
        ),
    ),
    LawEntry(
        name=Regroup.name,
        rewrite=Regroup,
        condition=f"{FINITE}; inner results have one use",
        exact=False,
        proof=Proof(lambda x, s, t: (x * s) * t, lambda x, s, t: x * (s * t), (_WIDE, _ROW, _ROW)),
        more=(
            Proof(
                lambda x, a, b: (x + a) - b,
                lambda x, a, b: x + (a - b),
                (_WIDE, _ROW, _ROW),
                constants=(1, 2),
            ),
            Proof(lambda x, s, t: (x / s) / t, lambda x, s, t: x / (s * t), (_WIDE, _ROW, _ROW)),
        ),
    ),
    LawEntry(
        name=AbsorbNegation.name,
        rewrite=AbsorbNegation,
        condition="none",
        exact=True,
        proof=Proof(lambda a, b: a + (-b), lambda a, b: a - b, (_WIDE, _WIDE)),
        more=(
            Proof(lambda a, b: a - (-b), lambda a, b: a + b, (_WIDE, _WIDE)),
            Proof(lambda a, b: (-a) * (-b), lambda a, b: a * b, (_WIDE, _WIDE)),
        ),
    ),
    LawEntry(
        name=TakeOutFactor.name,
        rewrite=TakeOutFactor,
        condition=f"{FINITE}; the outer operation distributes over the inner; no terms cancel",
        exact=False,
        proof=Proof(
            lambda x, g, h: x * g + h * x, lambda x, g, h: x * (g + h), (_WIDE, _WIDE, _WIDE)
        ),
        more=(
            Proof(
                lambda x, g, h, k: x * g - x * h + k * x,
                lambda x, g, h, k: x * (g - h + k),
                (_WIDE, _ROW, _COLUMN, _WIDE),
            ),
            Proof(
                lambda x, f, g, h: x * g + f * g + x * h + f * h,
                lambda x, f, g, h: (x + f) * (g + h),
                (_WIDE, _WIDE, _WIDE, _WIDE),
            ),
            Proof(
                lambda x, g, h: x * g + x * h + x,
                lambda x, g, h: x * (g + h + 1),
                (_WIDE, _WIDE, _WIDE),
            ),
        ),
    ),
    LawEntry(
        name=TakeOutDivisor.name,
        rewrite=TakeOutDivisor,
        condition=f"{FINITE}; floating-point numbers; no terms cancel",
        exact=False,
        proof=Proof(
            lambda x, y, c: x / c + y / c, lambda x, y, c: (x + y) / c, (_WIDE, _WIDE, _ROW)
        ),
        more=(
            Proof(lambda x, y, c: x / c - y / c, lambda x, y, c: (x - y) / c, (_WIDE, _WIDE, ())),
        ),
    ),
    LawEntry(
        name=TakeTermOutOfExtremum.name,
        rewrite=TakeTermOutOfExtremum,
        condition="a constant, finite term",
        exact=True,
        proof=Proof(
            lambda x, y, c: (x + c).max(c + y),
            lambda x, y, c: x.max(y) + c,
            (_WIDE, _WIDE, _ROW),
            constants=(2,),
        ),
        more=(Proof(lambda x, y: (x + 3).min(y + 3), lambda x, y: x.min(y) + 3, (_WIDE, _ROW)),),
    ),
    LawEntry(
        name=law_of(DropIdentities),
        rewrite=DropIdentities,
        condition="the operand is the identity that the operation declares, with its sign if "
        "a result shows that of a zero",
        exact=True,
        stage=Stage.SIMPLIFY,
        proof=Proof(lambda a, b: (a - 0) * b / 1, lambda a, b: a * b, (_WIDE, _WIDE)),
        more=(
            Proof(
                lambda a, b: (a + 0).sum(0) + b,
                lambda a, b: a.sum(0) + b,
                (_WIDE, _ROW),
                scalars=False,
            ),
        ),
    ),
    LawEntry(
        name=law_of(DropDoubleInverse),
        rewrite=DropDoubleInverse,
        condition="none",
        exact=True,
        stage=Stage.SIMPLIFY,
        proof=Proof(lambda a, b: neg(-a) + b, lambda a, b: a + b, (_WIDE, _WIDE)),
    ),
    LawEntry(
        name=law_of(JoinNumbersOfProduct),
        rewrite=JoinNumbersOfProduct,
        condition="two numbers whose product is normal; the inner product has one use",
        exact=False,
        stage=Stage.SIMPLIFY,
        proof=Proof(lambda a: (a * 3) * 0.5, lambda a: a * 1.5, (_WIDE,)),
    ),
    LawEntry(
        name=law_of(DivideByMultiplying),
        rewrite=DivideByMultiplying,
        condition="a number; it and its inverse are normal",
        exact=False,
        stage=Stage.SIMPLIFY,
        proof=Proof(lambda a: a / 8, lambda a: a * 0.125, (_WIDE,)),
    ),
)
"""Associativity, commutativity, distributivity, identities and inverses."""

LAWS: tuple[LawEntry, ...] = (*ALGEBRA, *LINEAR, *FAST)
