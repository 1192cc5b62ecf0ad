"""The pass `lp-fusion`: wraps each group of operations in a `canao.layer`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, prod

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import ConstantOp, LayerOp, ReshapeOp, YieldOp
from canao.dialects.canao.types import shape_of
from canao.machine.processor import VectorUnit
from canao.machine.processors import vector_unit
from canao.transforms.constants import is_constant_expression
from canao.transforms.law_uses import Uses
from canao.transforms.lp_fusion.fast_products import FastLaw, FastLayers, StrassenWinogradProduct
from canao.transforms.lp_fusion.grouping import Group, Grouping, is_move
from canao.transforms.lp_fusion.laws.apply import apply_laws
from canao.transforms.lp_fusion.laws.fast.product_time import ProductTimes

_ROWS_A_THREAD = 64
"""Two tasks of 32 rows: with fewer, to split a layer takes less time than its tasks wait."""


@dataclass(frozen=True)
class LPFusionPass(ModulePass):
    """Applies the computation laws, then fuses layers by their access patterns.

    `exact=true` uses only laws that keep every rounding; `fuse=false` uses none
    and makes a layer of each operation. `fast=true` also multiplies in seven
    products where that is faster with `threads` cores of a processor that has
    `features`, as Linux names them, or is `unit`.
    Few rows are not enough for the tasks of `threads` threads: then, and always with
    `narrow_tasks=true`, which is for devices of many units, no layer keeps whole rows of a
    product with a weight.
    """

    name = "lp-fusion"

    fuse: bool = True
    exact: bool = False
    fast: bool = False
    features: tuple[str, ...] = ()
    threads: int = 1
    narrow_tasks: bool = False
    unit: VectorUnit | None = None
    """The processor, in place of `features`: not said in a text of passes."""
    used: Uses = field(default_factory=Counter, init=False, compare=False)
    """How often each law was used."""
    products: list[StrassenWinogradProduct] = field(
        default_factory=list[StrassenWinogradProduct], init=False, compare=False
    )
    """The products that `fast` changed."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, func.FuncOp) and function.sym_name.data == "main":
                self._fuse(function.body.block)

    def _fuse(self, block: Block) -> None:
        fast = FastLayers()
        if self.fuse:
            self.used.update(apply_laws(block, self.exact))
        if self.fuse and self.fast:
            fast = FastLaw(
                ProductTimes(self.unit or vector_unit(self.features), self.threads)
            ).apply(block)
            self.used.update(fast.used)
            self.products.extend(fast.products)
        kept = {*_copy_results(block), *fast.cuts}
        shared = self.threads * _ROWS_A_THREAD if self.threads > 1 else 0
        # Groups of a device of many units make what they read of a left operand themselves.
        rows, made = (inf, 0) if self.narrow_tasks else (shared, shared)
        grouping = Grouping(block, kept, fast.layers, least_rows=rows, least_made=made)
        groups = grouping.fuse() if self.fuse else grouping.separate()
        _LayerBuilder(block, grouping).build(groups)


def _copy_results(block: Block) -> set[Operation]:
    """Gives every result of the function an operation of its own.

    A result that no operation computes from the inputs, or that is returned
    twice, is copied by a reshape to its own shape. One without elements needs
    nothing.
    """
    terminator = block.last_op
    assert terminator is not None
    seen: set[SSAValue] = set()
    copies: set[Operation] = set()
    for n, value in enumerate(terminator.operands):
        if 0 in shape_of(value):
            continue
        if value in seen or is_constant_expression(value) or not isinstance(value.owner, Operation):
            copy = ReshapeOp(value, shape_of(value))
            block.insert_op_before(copy, terminator)
            terminator.operands[n] = copy.result
            copies.add(copy)
        seen.add(value)
    return copies


class _LayerBuilder:
    """Builds the layers of a block in the order of its groups."""

    def __init__(self, block: Block, grouping: Grouping) -> None:
        self.block = block
        self.grouping = grouping
        self.position = grouping.position
        self.replaced: dict[SSAValue, SSAValue] = {}

    def build(self, groups: Sequence[Group]) -> None:
        """Replaces the grouped operations by layers."""
        terminator = self.block.last_op
        assert terminator is not None
        for group in groups:
            self.block.insert_op_before(self._layer(group), terminator)
        for n, value in enumerate(terminator.operands):
            terminator.operands[n] = self.replaced.get(value, value)
        for op in reversed(self.grouping.ops):
            op.detach()
            op.erase(safe_erase=False)

    def _layer(self, group: Group) -> LayerOp:
        results = [
            v
            for op in sorted(group.ops, key=self.position.__getitem__)
            for v in op.results
            if any(self._is_outside(use.operation, group) for use in v.uses)
        ]
        members = self._members(group, results)
        body = Block()
        inner: dict[SSAValue, SSAValue] = {}
        inputs: list[SSAValue] = []
        inside = {v for op in members for v in op.results}
        for op in members:
            for value in op.operands:
                if value in inside or value in inner:
                    continue
                if _is_small_splat(value):
                    assert isinstance(value.owner, Operation)
                    clone = value.owner.clone()
                    body.add_op(clone)
                    inner[value] = clone.results[0]
                    continue
                inputs.append(self.replaced.get(value, value))
                inner[value] = body.insert_arg(value.type, len(body.args))
            body.add_op(op.clone(inner))
        body.add_op(YieldOp(*(inner[v] for v in results)))
        layer = LayerOp(inputs, [v.type for v in results], Region(body))
        self.replaced.update(zip(results, layer.outs, strict=True))
        return layer

    def _members(self, group: Group, results: Sequence[SSAValue]) -> list[Operation]:
        """The members and the floating moves they read through, operands first.

        The order depends on the results only, not on where in the program the
        operations stand, so that equal layers get equal texts.
        """
        members: dict[Operation, None] = {}

        def visit(op: Operation) -> None:
            if op in members:
                return
            for value in op.operands:
                owner = value.owner
                if isinstance(owner, Operation) and self._belongs(owner, group):
                    visit(owner)
            members[op] = None

        for value in results:
            assert isinstance(value.owner, Operation)
            visit(value.owner)
        return list(members)

    def _belongs(self, op: Operation, group: Group) -> bool:
        if op in group.ops:
            return True
        return op in self.position and op not in self.grouping.of and is_move(op)

    def _is_outside(self, user: Operation, group: Group) -> bool:
        """Whether a use needs the value stored: by another layer, or as a result."""
        if user in group.ops:
            return False
        if user in self.position and user not in self.grouping.of:
            return any(
                self._is_outside(use.operation, group) for v in user.results for use in v.uses
            )
        return True


def _is_small_splat(value: SSAValue) -> bool:
    """Whether a value is one number, cheaper to repeat than to pass."""
    owner = value.owner
    return isinstance(owner, ConstantOp) and (owner.value.is_splat() or prod(shape_of(value)) == 1)
