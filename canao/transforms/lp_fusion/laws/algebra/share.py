"""What is computed twice is computed once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable

from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.traits import is_side_effect_free

from canao.dialects.canao import ConcatOp, MatmulOp, SliceOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import CanaoOp
from canao.extent import volume
from canao.transforms.law_uses import Use, Uses


class BlockLaw(ABC):
    """A law that looks at a whole block."""

    name: str
    exact: bool = True

    @abstractmethod
    def apply(self, block: Block, is_constant: Callable[[SSAValue], bool]) -> Uses:
        """Rewrites the block; how often the law was used."""


class ShareEqualOperations(BlockLaw):
    """`f(a, b), f(b, a) -> f(a, b)` used twice, if `f` commutes; else `f(a, b), f(a, b)`."""

    name = "share"

    def apply(self, block: Block, is_constant: Callable[[SSAValue], bool]) -> Uses:
        numbers: dict[SSAValue, int] = {}
        first: dict[Hashable, Operation] = {}
        used: Uses = Counter()
        for op in list(block.ops):
            if not isinstance(op, CanaoOp) or op.regions or not is_side_effect_free(op):
                continue
            operands = [numbers.setdefault(v, len(numbers)) for v in op.operands]
            if op.LAWS.commutative:
                operands.sort()
            properties = tuple(sorted(op.properties.items()))
            key = (type(op), tuple(operands), properties, tuple(r.type for r in op.results))
            other = first.setdefault(key, op)
            if other is op:
                continue
            if not is_constant(op.results[0]):
                used[Use(self.name, False)] += 1
            Rewriter.replace_op(op, [], list(other.results))
        return used


class JoinProductsOfWeight(BlockLaw):
    """`x @ w, y @ w -> slices of concat(x, y) @ w`: the weight is read once.

    If the weight is a constant matrix of more elements than `x`, `y` and the
    products together take to copy, and `x`, `y` are there before both products.
    """

    name = "join-products-of-weight"

    def apply(self, block: Block, is_constant: Callable[[SSAValue], bool]) -> Uses:
        used: Uses = Counter()
        groups: dict[SSAValue, list[MatmulOp]] = {}
        for op in block.ops:
            if not isinstance(op, MatmulOp) or len(shape_of(op.rhs)) != 2:
                continue
            if is_constant(op.rhs) and not is_constant(op.lhs):
                groups.setdefault(op.rhs, []).append(op)
        for products in groups.values():
            if len(products) > 1 and self._pays(products):
                self._join(products)
                used[Use(self.name, False)] += 1
        return used

    @staticmethod
    def _pays(products: list[MatmulOp]) -> bool:
        first, shape = products[0], shape_of(products[0].lhs)
        if any((*s[:-2], s[-1]) != (*shape[:-2], shape[-1]) for s in map(_lhs_shape, products)):
            return False
        for product in products:
            owner = product.lhs.owner
            if isinstance(owner, Operation) and not owner.is_before_in_block(first):
                return False
        moved = sum(volume(shape_of(p.lhs)) + volume(shape_of(p.result)) for p in products)
        return 2 * moved < (len(products) - 1) * volume(shape_of(first.rhs))

    @staticmethod
    def _join(products: list[MatmulOp]) -> None:
        first = products[0]
        axis = len(shape_of(first.lhs)) - 2
        rows = ConcatOp([p.lhs for p in products], axis)
        joined = MatmulOp(rows.result, first.rhs)
        Rewriter.insert_op([rows, joined], InsertPoint.before(first))
        start = 0
        for product in products:
            shape = shape_of(product.result)
            starts = [start if n == axis else 0 for n in range(len(shape))]
            Rewriter.replace_op(product, SliceOp(joined.result, starts, shape))
            start += shape[axis]


def _lhs_shape(product: MatmulOp) -> tuple[int, ...]:
    return shape_of(product.lhs)


BLOCK_LAWS: tuple[BlockLaw, ...] = (ShareEqualOperations(), JoinProductsOfWeight())
