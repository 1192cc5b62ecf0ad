"""The laws of LP-Fusion: one entry each, with a proof obligation that a test discharges.

`FINITE` in a condition means: the law holds for finite numbers, and is not used
where a constant that is infinite or huge, as in masks, takes part.
"""

from __future__ import annotations

from operator import neg

from canao.transforms.canao_simplify.fold_identities import (
    DivideByMultiplying,
    DropDoubleInverse,
    DropIdentities,
    JoinNumbersOfProduct,
)
from canao.transforms.canao_simplify.join_products import JoinProducts
from canao.transforms.canao_simplify.move_scales import MoveScaleIntoWeights
from canao.transforms.expand_composites import DivideAfterProduct
from canao.transforms.law_uses import law_of
from canao.transforms.lp_fusion.laws.algebra.algebra import AbsorbNegation, Regroup
from canao.transforms.lp_fusion.laws.algebra.distributivity import (
    JoinLinear,
    TakeOutDivisor,
    TakeOutFactor,
)
from canao.transforms.lp_fusion.laws.algebra.reductions import (
    TakeFactorOutOfReduction,
    TakeTermOutOfReduction,
)
from canao.transforms.lp_fusion.laws.algebra.share import JoinProductsOfWeight, ShareEqualOperations
from canao.transforms.lp_fusion.laws.fast.fast_table import FAST
from canao.transforms.lp_fusion.laws.law import LawEntry, Proof, Stage
from canao.transforms.lp_fusion.laws.local.products import (
    MoveBiasThroughProduct,
    MoveScaleIntoProduct,
    MoveScaleThroughProduct,
    RegroupProducts,
    TakeScaleOutOfProduct,
    TransposeProduct,
)
from canao.transforms.lp_fusion.laws.local.slices import SliceBeforeElementwise, SliceBeforeProduct

_M, _N, _K = 6, 8, 5
_WIDE, _ROW, _COLUMN = (_M, _N), (_N,), (_M, 1)
FINITE = "finite operands, no constant beyond 1e30"

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
        name=law_of(DropIdentities),
        rewrite=DropIdentities,
        condition="the operand is the identity that the operation declares",
        exact=True,
        stage=Stage.SIMPLIFY,
        proof=Proof(lambda a, b: (a + 0) * b / 1, lambda a, b: a * b, (_WIDE, _WIDE)),
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

LINEAR: tuple[LawEntry, ...] = (
    LawEntry(
        name=JoinLinear.name,
        rewrite=JoinLinear,
        condition=f"{FINITE}; operands of one shape; results have one use; no terms cancel",
        exact=False,
        proof=Proof(
            lambda x, y, w: x @ w + y @ w,
            lambda x, y, w: (x + y) @ w,
            ((_M, _K), (_M, _K), (_K, _N)),
        ),
        more=(
            Proof(
                lambda x, v, w: x @ v - x @ w,
                lambda x, v, w: x @ (v - w),
                ((_M, _K), (_K, _N), (_K, _N)),
                constants=(1, 2),
            ),
            Proof(
                lambda x, y: x.sum(1) + y.sum(1),
                lambda x, y: (x + y).sum(1),
                (_WIDE, _WIDE),
                scalars=False,
            ),
        ),
    ),
    LawEntry(
        name=TakeFactorOutOfReduction.name,
        rewrite=TakeFactorOutOfReduction,
        condition=f"{FINITE}; the factor has length 1 along the reduced axes",
        exact=False,
        proof=Proof(
            lambda x, s: (x * s).sum(0), lambda x, s: s * x.sum(0), (_WIDE, _ROW), scalars=False
        ),
        more=(
            Proof(
                lambda x, s: (x / s).sum(0), lambda x, s: x.sum(0) / s, (_WIDE, ()), scalars=False
            ),
            Proof(lambda x: (-x).sum(1), lambda x: -x.sum(1), (_WIDE,), scalars=False),
        ),
    ),
    LawEntry(
        name=TakeTermOutOfReduction.name,
        rewrite=TakeTermOutOfReduction,
        condition=f"{FINITE}; the term has length 1 along the reduced axes, "
        "and does not come of what is left",
        exact=False,
        proof=Proof(
            lambda x, b: (x + b).sum(0),
            lambda x, b: x.sum(0) + b * _M,
            (_WIDE, _ROW),
            scalars=False,
        ),
    ),
    LawEntry(
        name=RegroupProducts.name,
        rewrite=RegroupProducts,
        condition="the inner product has one use",
        exact=False,
        proof=Proof(
            lambda x, v, w: (x @ v) @ w,
            lambda x, v, w: x @ (v @ w),
            ((_M, _K), (_K, _N), (_N, 3)),
            constants=(1, 2),
        ),
        more=(
            Proof(
                lambda a, b, c: (a @ b) @ c,
                lambda a, b, c: a @ (b @ c),
                ((_M, _N), (_N, _M), (_M, 1)),
            ),
        ),
    ),
    LawEntry(
        name=MoveBiasThroughProduct.name,
        rewrite=MoveBiasThroughProduct,
        condition="constant bias and weight; the sum has one use",
        exact=False,
        proof=Proof(
            lambda x, a, w, b: (x + a) @ w + b,
            lambda x, a, w, b: x @ w + (a @ w + b),
            ((_M, _K), (_M, _K), (_K, _N), (_N,)),
            constants=(1, 2, 3),
        ),
        more=(
            Proof(
                lambda x, a, w, b: (x - a) @ w + b,
                lambda x, a, w, b: x @ w + (b - a @ w),
                ((_M, _K), (_M, _K), (_K, _N), (_N,)),
                constants=(1, 2, 3),
            ),
            Proof(
                lambda x, v, a, w: (x @ v + a) @ w,
                lambda x, v, a, w: x @ (v @ w) + a @ w,
                ((_M, _K), (_K, _N), (_M, _N), (_N, 3)),
                constants=(1, 2, 3),
            ),
        ),
    ),
    LawEntry(
        name=MoveScaleThroughProduct.name,
        rewrite=MoveScaleThroughProduct,
        condition="constant scale, one number a column, and constant weight; one use",
        exact=False,
        proof=Proof(
            lambda x, s, w: (x * s) @ w,
            lambda x, s, w: x @ (s.T * w),
            ((_M, _K), (1, _K), (_K, _N)),
            constants=(1, 2),
            scalars=False,
        ),
        more=(
            Proof(
                lambda x, s, w: (x / s) @ w,
                lambda x, s, w: x @ (w / s),
                ((_M, _K), (), (_K, _N)),
                constants=(1, 2),
            ),
        ),
    ),
    LawEntry(
        name=MoveScaleIntoProduct.name,
        rewrite=MoveScaleIntoProduct,
        condition="constant scale, one number a column, weight and bias; one use",
        exact=False,
        proof=Proof(
            lambda x, w, b, s: (x @ w + b) * s,
            lambda x, w, b, s: x @ (w * s) + b * s,
            ((_M, _K), (_K, _N), (_N,), (_N,)),
            constants=(1, 2, 3),
        ),
        more=(
            Proof(
                lambda x, w, s: (x @ w) / s,
                lambda x, w, s: x @ (w / s),
                ((_M, _K), (_K, _N), (_N,)),
                constants=(1, 2),
            ),
        ),
    ),
    LawEntry(
        name=TakeScaleOutOfProduct.name,
        rewrite=TakeScaleOutOfProduct,
        condition="one number a row of the left operand or a column of the right; one use",
        exact=False,
        proof=Proof(
            lambda x, s, w: (x * s) @ w,
            lambda x, s, w: (x @ w) * s,
            ((_M, _N), (_M, 1), (_N, 3)),
        ),
    ),
    LawEntry(
        name=TransposeProduct.name,
        rewrite=TransposeProduct,
        condition="operands that depend on inputs; the transposes have one use",
        exact=True,
        proof=Proof(
            lambda a, b: a.T @ b.T, lambda a, b: (b @ a).T, ((_N, 3), (2, _N)), scalars=False
        ),
    ),
    LawEntry(
        name=SliceBeforeElementwise.name,
        rewrite=SliceBeforeElementwise,
        condition="the operation has one use, and no axis is cut along which it mixes elements",
        exact=True,
        proof=Proof(
            lambda a, b: (a * b)[1:3], lambda a, b: a[1:3] * b, (_WIDE, _ROW), scalars=False
        ),
    ),
    LawEntry(
        name=SliceBeforeProduct.name,
        rewrite=SliceBeforeProduct,
        condition="the product has one use",
        exact=True,
        proof=Proof(
            lambda x, w: (x @ w)[1:3], lambda x, w: x[1:3] @ w, ((_M, _K), (_K, _N)), scalars=False
        ),
    ),
    LawEntry(
        name=JoinProductsOfWeight.name,
        rewrite=JoinProductsOfWeight,
        condition="a constant matrix larger than what is copied; both inputs before both products",
        exact=True,
        proof=Proof(
            lambda x, y, w: (x @ w) * (y @ w),
            lambda x, y, w: (x @ w) * (y @ w),
            ((1, 64), (1, 64), (64, 48)),
            constants=(2,),
        ),
    ),
    LawEntry(
        name=law_of(JoinProducts),
        rewrite=JoinProducts,
        condition="constant matrices, an input that is none",
        exact=True,
        stage=Stage.SIMPLIFY,
        proof=Proof(
            lambda x, v, w: (x @ v) * (x @ w),
            lambda x, v, w: (x @ v) * (x @ w),
            ((_M, _K), (_K, _N), (_K, _N)),
            constants=(1, 2),
        ),
    ),
    LawEntry(
        name=law_of(MoveScaleIntoWeights),
        rewrite=MoveScaleIntoWeights,
        condition="a number from 1e-18 to 1e18 in size; no value on the way has another use",
        exact=False,
        stage=Stage.SIMPLIFY,
        proof=Proof(
            lambda x, w, b: (x @ w + b) * 0.5,
            lambda x, w, b: x @ (w * 0.5) + b * 0.5,
            ((_M, _K), (_K, _N), (_N,)),
            constants=(1, 2),
        ),
    ),
    LawEntry(
        name=law_of(DivideAfterProduct),
        rewrite=DivideAfterProduct,
        condition="one divisor a row; fewer columns than rows in the right operand; one use",
        exact=False,
        stage=Stage.EXPAND,
        proof=Proof(
            lambda x, t, w: (x / t) @ w,
            lambda x, t, w: (x @ w) / t,
            ((_M, _N), (_M, 1), (_N, 3)),
        ),
    ),
)
"""Laws of linear maps: products, sums over axes, transposes and slices."""

LAWS: tuple[LawEntry, ...] = (*ALGEBRA, *LINEAR, *FAST)
