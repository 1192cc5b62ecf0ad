"""Laws of products: other parentheses, and sums, scales and transposes moved through them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from xdsl.builder import Builder
from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import AddOp, BroadcastOp, MatmulOp, MulOp, ReshapeOp, TransposeOp
from canao.dialects.canao.elementwise import BinaryOp
from canao.dialects.canao.types import shape_of
from canao.transforms.lp_fusion.laws.local.local import IsConstant, LocalLaw


def _binary(value: SSAValue, *kinds: type[Operation]) -> BinaryOp | None:
    """The operation that makes a value for one use only, if it is of a kind."""
    owner = value.owner
    if not isinstance(owner, BinaryOp) or not isinstance(owner, kinds) or not value.has_one_use():
        return None
    return owner


def _product(value: SSAValue) -> MatmulOp | None:
    owner = value.owner
    return owner if isinstance(owner, MatmulOp) and value.has_one_use() else None


class RegroupProducts(LocalLaw):
    """`(a @ b) @ c -> a @ (b @ c)`, and back, if it takes fewer computations.

    Products of weights are computed ahead of time and take none.
    """

    name = "regroup-products"
    kinds = (MatmulOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, MatmulOp):
            return None
        if (inner := _product(op.lhs)) is not None:
            right = builder.insert(MatmulOp(inner.rhs, op.rhs)).result
            return builder.insert(MatmulOp(inner.lhs, right)).result
        if (inner := _product(op.rhs)) is not None:
            left = builder.insert(MatmulOp(op.lhs, inner.lhs)).result
            return builder.insert(MatmulOp(left, inner.rhs)).result
        return None


class MoveBiasThroughProduct(LocalLaw):
    """`(x + a) @ w + b -> x @ w + (a @ w + b)` if `a`, `w`, `b` are constant; so with `-`.

    Also without `b` where `w` has fewer columns than rows, and through two
    products, `(u @ v + a) @ w -> u @ (v @ w) + a @ w`, where that is cheaper.
    """

    name = "move-bias-through-product"
    kinds = (MatmulOp, AddOp)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if isinstance(op, MatmulOp):
            return self._through(op, None, is_constant, builder)
        if not isinstance(op, AddOp):
            return None
        for value, bias in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
            product = _product(value)
            if product is not None and is_constant(bias):
                return self._through(product, bias, is_constant, builder)
        return None

    @staticmethod
    def _through(
        op: MatmulOp, bias: SSAValue | None, is_constant: IsConstant, builder: Builder
    ) -> SSAValue | None:
        total = _binary(op.lhs, *op.LAWS.distributes_over)
        if total is None or not is_constant(op.rhs):
            return None
        fixed = [is_constant(v) for v in total.operands]
        if fixed.count(True) != 1:
            return None
        at = fixed.index(True)
        if shape_of(total.operands[1 - at]) != shape_of(op.lhs):
            return None
        parts = [op.lhs, op.lhs]
        parts[at] = _times_weight(total.operands[at], op.rhs, builder)
        parts[1 - at] = _times_product(total.operands[1 - at], op.rhs, is_constant, builder)
        if bias is None:
            return builder.insert(type(total)(*parts)).result
        if at == 1 and not total.LAWS.commutative:
            # (x - a) @ w + b is x @ w + (b - a @ w).
            fixed_part = builder.insert(type(total)(bias, parts[at])).result
            return builder.insert(AddOp(parts[0], fixed_part)).result
        parts[at] = builder.insert(AddOp(parts[at], bias)).result
        return builder.insert(type(total)(*parts)).result


def _times_product(
    value: SSAValue, weight: SSAValue, is_constant: IsConstant, builder: Builder
) -> SSAValue:
    """`value @ weight`; of a product with a weight, `u @ (v @ weight)`."""
    inner = _product(value)
    if inner is None or not is_constant(inner.rhs):
        return builder.insert(MatmulOp(value, weight)).result
    joined = builder.insert(MatmulOp(inner.rhs, weight)).result
    return builder.insert(MatmulOp(inner.lhs, joined)).result


def _times_weight(value: SSAValue, weight: SSAValue, builder: Builder) -> SSAValue:
    """`value @ weight` where a value of rank 0 or 1 stands for equal rows."""
    rows, columns = shape_of(weight)[-2:]
    shape = shape_of(value)
    if shape[-1:] != (rows,):
        shape = (*shape[:-1], rows) if len(shape) > 1 else (rows,)
        value = builder.insert(BroadcastOp(value, shape)).result
    if len(shape) > 1:
        return builder.insert(MatmulOp(value, weight)).result
    row = builder.insert(ReshapeOp(value, (1, rows))).result
    product = builder.insert(MatmulOp(row, weight)).result
    if len(shape_of(weight)) > 2:
        return product
    return builder.insert(ReshapeOp(product, (columns,))).result


class MoveScaleThroughProduct(LocalLaw):
    """`(x * s) @ w -> x @ (s * w)` if `s`, one number a column of `x`, and `w` are constant.

    And so with `x / s`.
    """

    name = "move-scale-through-product"
    kinds = (MatmulOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, MatmulOp) or not is_constant(op.rhs):
            return None
        scaled = op.lhs.owner
        if not isinstance(scaled, BinaryOp) or not op.lhs.has_one_use():
            return None
        for slot in _scaled_slots(scaled):
            x, s = scaled.operands[slot], scaled.operands[1 - slot]
            shape = shape_of(s)
            if not is_constant(s) or shape_of(x) != shape_of(op.lhs) or prod(shape[:-1]) != 1:
                continue
            column = s if prod(shape) == 1 and len(shape) < 3 else None
            if column is None:
                column = builder.insert(ReshapeOp(s, (prod(shape), 1))).result
            weight = builder.insert(type(scaled)(op.rhs, column)).result
            return builder.insert(MatmulOp(x, weight)).result
        return None


class TakeScaleOutOfProduct(LocalLaw):
    """`(x * s) @ y -> (x @ y) * s` if `s` has one number a row; so with `x / s`, and on the right.

    Where the product has fewer elements than the operand.
    """

    name = "take-scale-out-of-product"
    kinds = (MatmulOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, MatmulOp):
            return None
        for side in (0, 1):
            scaled = op.operands[side].owner
            if not isinstance(scaled, BinaryOp) or not op.operands[side].has_one_use():
                continue
            for slot in _scaled_slots(scaled):
                x, s = scaled.operands[slot], scaled.operands[1 - slot]
                if shape_of(x) != shape_of(op.operands[side]) or not _along(s, x, side):
                    continue
                operands = list(op.operands)
                operands[side] = x
                product = builder.insert(MatmulOp(*operands)).result
                if shape_of(product) != shape_of(op.result):
                    continue
                return builder.insert(type(scaled)(product, s)).result
        return None


def _scaled_slots(op: BinaryOp) -> Iterator[int]:
    """The operands that a multiplication or division scales."""
    if MulOp in (type(op), op.LAWS.inverts):
        yield from op.LAWS.linear_in


def _along(scale: SSAValue, x: SSAValue, side: int) -> bool:
    """Whether a scale varies along rows (of the left operand) or columns (of the right) only."""
    shape = shape_of(scale)
    padded = (1,) * (len(shape_of(x)) - len(shape)) + shape
    return padded[-1 - side] == 1 and len(shape) <= len(shape_of(x))


class MoveScaleIntoProduct(LocalLaw):
    """`(x @ w + b) * s -> x @ (w * s) + b * s` if `s`, one number a column, `w`, `b` are constant.

    And so without `b`, and with `/`.
    """

    name = "move-scale-into-product"
    kinds = (BinaryOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        assert isinstance(op, BinaryOp)
        for slot in _scaled_slots(op):
            value, s = op.operands[slot], op.operands[1 - slot]
            shape = shape_of(s)
            if (
                not is_constant(s)
                or prod(shape[:-1]) != 1
                or shape_of(value) != shape_of(op.result)
            ):
                continue
            row = s if len(shape) < 2 else builder.insert(ReshapeOp(s, shape[-1:])).result
            if (product := _product(value)) is not None and is_constant(product.rhs):
                weight = builder.insert(type(op)(product.rhs, row)).result
                return builder.insert(MatmulOp(product.lhs, weight)).result
            total = _binary(value, *MatmulOp.LAWS.distributes_over)
            parts = list(total.operands) if total is not None else []
            found = [_product(v) for v in parts]
            for at, product in enumerate(found):
                if product is None or not (is_constant(product.rhs) and is_constant(parts[1 - at])):
                    continue
                assert total is not None
                weight = builder.insert(type(op)(product.rhs, row)).result
                parts[at] = builder.insert(MatmulOp(product.lhs, weight)).result
                parts[1 - at] = builder.insert(type(op)(parts[1 - at], row)).result
                return builder.insert(type(total)(*parts)).result
        return None


class TransposeProduct(LocalLaw):
    """`transpose(a) @ transpose(b) -> transpose(b @ a)`: one transpose for two.

    Not where an operand is constant: to transpose that is free. Each number is
    the same sum of the same products.
    """

    name = "transpose-product"
    exact = True
    kinds = (MatmulOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, MatmulOp):
            return None
        sources: list[SSAValue] = []
        for value in op.operands:
            owner = value.owner
            if not isinstance(owner, TransposeOp) or not value.has_one_use():
                return None
            if is_constant(value) or not _swaps_matrix(owner.axes()):
                return None
            sources.append(owner.operand)
        product = builder.insert(MatmulOp(sources[1], sources[0])).result
        rank = len(shape_of(product))
        axes = (*range(rank - 2), rank - 1, rank - 2)
        return builder.insert(TransposeOp(product, axes)).result


def _swaps_matrix(axes: tuple[int, ...]) -> bool:
    rank = len(axes)
    return axes == (*range(rank - 2), rank - 1, rank - 2)
