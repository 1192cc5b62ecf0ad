"""What is not needed is not computed: slices move towards the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.builder import Builder
from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import MatmulOp, SliceOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import Decomposable
from canao.transforms.lp_fusion.laws.local.local import IsConstant, LocalLaw

Range = tuple[int, int, int]
"""Start, step and length of a slice along one dimension."""


def _ranges(op: SliceOp) -> list[Range]:
    starts, steps = op.starts.get_values(), op.steps.get_values()
    triples = zip(starts, steps, shape_of(op.result), strict=True)
    return [(int(a), int(b), n) for a, b, n in triples]


def _cut(value: SSAValue, ranges: Sequence[Range], builder: Builder) -> SSAValue:
    """A slice of a value; `ranges` count from its last dimension, 1s are repeated and stay."""
    shape = shape_of(value)
    own = list(ranges[len(ranges) - len(shape) :]) if shape else []
    own = [(0, 1, 1) if e == 1 else r for e, r in zip(shape, own, strict=True)]
    if all(r == (0, 1, e) for e, r in zip(shape, own, strict=True)):
        return value
    starts, steps, sizes = ([r[n] for r in own] for n in range(3))
    return builder.insert(SliceOp(value, starts, sizes, steps)).result


class SliceBeforeElementwise(LocalLaw):
    """`slice(f(a, b)) -> f(slice(a), slice(b))`, if nothing else needs `f(a, b)`.

    `f` makes each element, or each row that the slice takes whole, from the
    same element or row of its operands.
    """

    name = "slice-before-elementwise"
    exact = True
    kinds = (SliceOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, SliceOp) or not op.operand.has_one_use():
            return None
        owner, ranges = op.operand.owner, _ranges(op)
        if isinstance(owner, Decomposable):
            taken = shape_of(op.operand)
            whole = [(0, 1, taken[axis]) == ranges[axis] for axis in owner.mixed_axes()]
            if not all(whole):
                return None
            operands = [_cut(owner.operands[0], ranges, builder), *owner.operands[1:]]
        elif isinstance(owner, ElementwiseOp):
            operands = [_cut(v, ranges, builder) for v in owner.operands]
        else:
            return None
        smaller = type(owner).create(
            operands=operands,
            properties=owner.properties,
            result_types=[tensor_type(element_of(op.result), shape_of(op.result))],
        )
        return builder.insert(smaller).results[0]


class SliceBeforeProduct(LocalLaw):
    """`(x @ w)[i, j] -> x[i] @ w[j]`: rows are cut from the left operand, columns from the right.

    If nothing else needs the product.
    """

    name = "slice-before-product"
    exact = True
    kinds = (SliceOp,)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, SliceOp) or not op.operand.has_one_use():
            return None
        product = op.operand.owner
        if not isinstance(product, MatmulOp):
            return None
        *leading, rows, columns = _ranges(op)
        inner = (0, 1, shape_of(product.lhs)[-1])
        lhs = _cut(product.lhs, [*leading, rows, inner], builder)
        rhs = _cut(product.rhs, [*leading, inner, columns], builder)
        return builder.insert(MatmulOp(lhs, rhs)).result
