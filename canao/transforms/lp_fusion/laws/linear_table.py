"""Laws of linear maps, an entry each; see `table`."""

from __future__ import annotations

from canao.transforms.canao_simplify.products.fold_linear_maps import FoldLinearMaps
from canao.transforms.canao_simplify.products.join_products import JoinProducts
from canao.transforms.canao_simplify.products.move_scales import MoveScaleIntoWeights
from canao.transforms.expand_composites import DivideAfterProduct
from canao.transforms.law_uses import law_of
from canao.transforms.lp_fusion.laws.algebra.distributivity import JoinLinear
from canao.transforms.lp_fusion.laws.algebra.reductions import (
    TakeFactorOutOfReduction,
    TakeTermOutOfReduction,
)
from canao.transforms.lp_fusion.laws.algebra.share import JoinProductsOfWeight
from canao.transforms.lp_fusion.laws.law import FINITE, LawEntry, Proof, Stage
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
_WIDE, _ROW = (_M, _N), (_N,)

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
        name=law_of(FoldLinearMaps),
        rewrite=FoldLinearMaps,
        condition=f"{FINITE}; less work for the sum as a whole, and no more numbers in weights",
        exact=False,
        stage=Stage.SIMPLIFY,
        proof=Proof(
            lambda x, w, a, b: x @ w + (x @ a) @ b * 0.5,
            lambda x, w, a, b: x @ (w + (a @ b) * 0.5),
            ((_M, _K), (_K, _N), (_K, 2), (2, _N)),
            constants=(1, 2, 3),
        ),
        more=(
            Proof(
                lambda x, w, c, s, a, b: x @ w + c + (x @ w) * (s - 1) + ((x @ a) @ b + c) * s,
                lambda x, w, c, s, a, b: x @ (w + w * (s - 1) + (a @ b) * s) + (c + c * s),
                ((_M, _K), (_K, _N), (_N,), (_N,), (_K, 3), (3, _N)),
                constants=(1, 2, 3, 4, 5),
            ),
            Proof(
                lambda x, w, y, a, b: y - ((x @ a) @ b - x @ w),
                lambda x, w, y, a, b: x @ (w - a @ b) + y,
                ((_M, _K), (_K, _N), (_M, _N), (_K, 1), (1, _N)),
                constants=(1, 3, 4),
            ),
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
