"""Products that share an input become one."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Block, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import AddOp, ConcatOp, MatmulOp, ReshapeOp, SliceOp
from canao.dialects.canao.types import shape_of
from canao.transforms.constants import hoist_before, is_constant_expression


@dataclass(frozen=True)
class Product:
    """`x @ w`, or `x @ w + b` with a bias `b` for each column; `w`, `b` constant."""

    matmul: MatmulOp
    bias: SSAValue | None
    result: SSAValue

    @property
    def columns(self) -> int:
        """The length of the last dimension."""
        return shape_of(self.result)[-1]


def _biased(op: MatmulOp) -> Product:
    """The product with the bias that is added to it, if there is one."""
    plain = Product(op, None, op.result)
    uses = list(op.result.uses)
    if len(uses) != 1 or not isinstance(add := uses[0].operation, AddOp):
        return plain
    bias = add.operands[1 - uses[0].index]
    shape, columns = shape_of(bias), shape_of(op.result)[-1]
    is_row = shape[-1:] == (columns,) and all(extent == 1 for extent in shape[:-1])
    if not is_row or shape_of(add.result) != shape_of(op.result):
        return plain
    if not is_constant_expression(bias):
        return plain
    return Product(op, bias, add.result)


class JoinProducts(RewritePattern):
    """`x @ w1 (+ b1), x @ w2 (+ b2), ... -> slices of x @ concat(w1, w2, ...) (+ concat(b1, ..))`.

    If all the weights are matrices that do not depend on the inputs, and `x`
    does. Biases are joined where every product has one.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatmulOp, rewriter: PatternRewriter, /) -> None:
        block = op.parent
        if block is None:
            return
        products = self._products_of(op.lhs, block)
        if len(products) < 2 or products[0] is not op or is_constant_expression(op.lhs):
            return
        parts = [_biased(p) for p in products]
        biases = [part.bias for part in parts if part.bias is not None]
        if len(biases) != len(parts):
            parts = [Product(p, None, p.result) for p in products]
            biases = []
        for value in (*(p.rhs for p in products), *biases):
            hoist_before(value, op)
        joined = self._join(op, products, biases, rewriter)
        start = 0
        for part in parts:
            self._replace_part(part, joined, start, rewriter)
            start += part.columns

    @staticmethod
    def _products_of(lhs: SSAValue, block: Block) -> list[MatmulOp]:
        """The products of a value with constant matrices, in the block's order."""
        users = {use.operation for use in lhs.uses}
        found = [
            user
            for user in users
            if isinstance(user, MatmulOp)
            and user.parent is block
            and user.lhs is lhs
            and len(shape_of(user.rhs)) == 2
            and is_constant_expression(user.rhs)
        ]
        if len(found) < 2:
            return []
        place = {op: number for number, op in enumerate(block.ops)}
        return sorted(found, key=place.__getitem__)

    @staticmethod
    def _join(
        first: MatmulOp,
        products: list[MatmulOp],
        biases: list[SSAValue],
        rewriter: PatternRewriter,
    ) -> SSAValue:
        rewriter.insertion_point = InsertPoint.before(first)
        weight = rewriter.insert(ConcatOp([p.rhs for p in products], 1)).result
        product = rewriter.insert(MatmulOp(first.lhs, weight)).result
        if not biases:
            return product
        rows = [
            b if len(shape_of(b)) == 1 else rewriter.insert(ReshapeOp(b, shape_of(b)[-1:])).result
            for b in biases
        ]
        bias = rewriter.insert(ConcatOp(rows, 0)).result
        return rewriter.insert(AddOp(product, bias)).result

    @staticmethod
    def _replace_part(
        part: Product, joined: SSAValue, start: int, rewriter: PatternRewriter
    ) -> None:
        shape = shape_of(part.result)
        starts = [*(0 for _ in shape[:-1]), start]
        owner = part.result.owner
        assert isinstance(owner, AddOp | MatmulOp)
        rewriter.insertion_point = InsertPoint.before(owner)
        rewriter.replace(owner, SliceOp(joined, starts, shape))
        if owner is not part.matmul:
            rewriter.erase(part.matmul)


JOIN_PATTERNS: tuple[type[RewritePattern], ...] = (JoinProducts,)

__all__ = ["JOIN_PATTERNS", "JoinProducts"]
