"""Decides which operations share a layer, by their access patterns.

Products start a layer; elementwise operations, reductions and composites join
the layer that makes their operand; a product of two computed tensors joins the
layer of its left operand (attention). Operations that only move data *float*:
they become index transforms of the layers that read them, at no cost, unless
storing through them is the side that needs no division.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf, prod

from xdsl.ir import Block, Operation, SSAValue

from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Decomposable, Reorganising
from canao.errors import UndecidedError
from canao.extent import least, volume
from canao.polyhedral.index import Index, Quotient, Variable, apply_map
from canao.transforms.constants import constant_expressions

_ELEMENTWISE = (AccessPattern.ONE_TO_ONE, AccessPattern.BROADCAST)


@dataclass(eq=False)
class Group:
    """The operations of one layer, in any order."""

    ops: set[Operation] = field(default_factory=set[Operation])
    last: int = -1
    """The position of the last of them."""
    bit: int = 0
    """A power of two that stands for the group in sets of groups."""
    before: int = 0
    """The groups whose results this one needs, directly or not."""


def is_move(op: Operation) -> bool:
    """Whether an operation only renames indices."""
    return isinstance(op, Reorganising)


def is_map(op: Operation) -> bool:
    """Whether an operation computes each element alone, so that it can be inlined anywhere."""
    if not isinstance(op, CanaoOp) or isinstance(op, Decomposable):
        return False
    return is_move(op) or op.access_pattern() in (*_ELEMENTWISE, AccessPattern.GATHER)


def stores_without_division(op: Operation) -> bool:
    """Whether a result can be stored through a move by an affine index.

    `[h, i, d] -> [i, h * 32 + d]` is; `[i, j] -> [j / 32, i, j % 32]` is not, nor is one where
    that depends on sizes.
    """
    if not isinstance(op, Reorganising):
        return False
    forward = op.forward_map()
    if forward is None:
        return False
    dims = [Index.of(Variable(f"d{n}", e)) for n, e in enumerate(shape_of(op.operands[0]))]
    try:
        indices = apply_map(forward, dims)
    except UndecidedError:
        return False
    return not any(isinstance(atom, Quotient) for i in indices for atom, _ in i.terms)


class Grouping:
    """Groups the operations of a block that depend on its inputs, and those in `kept`.

    `planned` are groups that laws have decided: nothing else joins them. What reduces rows
    joins a product with a weight from `least_rows` rows on: a task that makes whole rows of it
    reads all of the weight, so that few rows make few tasks. What makes its left operand joins
    from `least_made` rows on, for tasks that share rows would each make them.
    """

    def __init__(
        self,
        block: Block,
        kept: Collection[Operation] = (),
        planned: Sequence[Collection[Operation]] = (),
        *,
        least_rows: float = 0,
        least_made: float = 0,
    ) -> None:
        self.block = block
        self.least_rows, self.least_made = least_rows, least_made
        self.constant = constant_expressions(block)
        self.ops: list[Operation] = [
            op
            for op in block.ops
            if isinstance(op, CanaoOp) and (op in kept or op.results[0] not in self.constant)
        ]
        self.position = {op: n for n, op in enumerate(self.ops)}
        self.of: dict[Operation, Group] = {}
        self.groups: list[Group] = []
        self._visited = -1
        """The position of the last operation that was asked which group it joins."""
        self.planned: dict[Operation, Group] = {}
        for members in planned:
            self.planned.update(dict.fromkeys(members, self._new_group()))
        self.closed = set(self.planned.values())

    def fuse(self) -> list[Group]:
        """One group a fused layer, each after those it reads."""
        for op in self.ops:
            self._visited = self.position[op]
            group = self.planned.get(op) or self._group_to_join(op)
            if group is not None:
                self._add(op, group)
            elif not is_map(op):
                self._add(op, self._new_group())
        for op in reversed(self.ops):
            if op not in self.of and self._needed_alone(op):
                self._add(op, self._new_group())
        return self._in_order()

    def separate(self) -> list[Group]:
        """One group an operation: no fusion at all."""
        for op in self.ops:
            self.of[op] = Group({op})
        return self._in_order()

    # ---------------------------------------------------------------- joining

    def _group_to_join(self, op: Operation) -> Group | None:
        assert isinstance(op, CanaoOp)
        pattern = op.access_pattern()
        if is_move(op):
            joins = stores_without_division(op) and op.operands[0].has_one_use()
            values = op.operands[:1] if joins else ()
        elif pattern in _ELEMENTWISE:
            shape = shape_of(op.results[0])
            values = [v for v in op.operands if shape_of(v) == shape]
        elif pattern is AccessPattern.CONTRACT:
            values = self._attended(op)
        elif isinstance(op, Decomposable | ReduceOp):
            values = op.operands[:1] if _keeps_rows(op) else ()
        else:
            values = ()
        owners = [v.owner for v in values if isinstance(v.owner, Operation)]
        candidates = [self.of[op] for op in owners if op in self.of]
        for group in sorted(candidates, key=lambda group: group.last, reverse=True):
            if self._is_open(group, op) and not self._would_cycle(op, group):
                return group
        return None

    def _is_open(self, group: Group, op: Operation) -> bool:
        """Whether the layer that a group becomes may go on with an operation."""
        few = _rows_reduced(op) < self.least_rows
        if few and any(map(self._reads_weight, group.ops)):
            return False
        return group not in self.closed

    def _reads_weight(self, op: Operation) -> bool:
        assert isinstance(op, CanaoOp)
        product = op.access_pattern() is AccessPattern.CONTRACT
        return product and any(operand in self.constant for operand in op.operands)

    def _attended(self, op: Operation) -> list[SSAValue]:
        """The left operand of a product of two computed tensors, if only the product uses it."""
        lhs, rhs = op.operands
        if lhs in self.constant or rhs in self.constant:
            return []
        group = self.of.get(lhs.owner) if isinstance(lhs.owner, Operation) else None
        if group is None or not lhs.has_one_use():
            return []
        products = [
            other
            for other in group.ops
            if isinstance(other, CanaoOp) and other.access_pattern() is AccessPattern.CONTRACT
        ]
        computed = all(p.operands[1] not in self.constant for p in products)
        return [lhs] if products and computed else []

    def _would_cycle(self, op: Operation, group: Group) -> bool:
        """Whether another operand of `op` is computed from results of `group`."""
        others = (v for v in op.operands if v.owner not in group.ops)
        return bool(self._groups_behind(others) & group.bit)

    def _groups_behind(self, values: Iterable[SSAValue]) -> int:
        """The groups that values need: those that make them, and all before these."""
        behind, pending, seen = 0, list(values), set[Operation]()
        while pending:
            owner = pending.pop().owner
            if not isinstance(owner, Operation) or owner in seen:
                continue
            seen.add(owner)
            group = self.of.get(owner)
            if group is None:
                pending.extend(owner.operands)
            else:
                behind |= group.bit | group.before
        return behind

    def _new_group(self) -> Group:
        group = Group(bit=1 << len(self.groups))
        self.groups.append(group)
        return group

    def _assign(self, op: Operation, group: Group) -> None:
        """Makes an operation a member, and keeps `before` of all groups true."""
        group.ops.add(op)
        group.last = max(group.last, self.position[op])
        self.of[op] = group
        self._put_before(self._groups_behind(op.operands), group)
        for reader in self._readers(op):
            self._put_before(group.bit | group.before, reader)

    def _put_before(self, needed: int, group: Group) -> None:
        more = needed & ~group.before & ~group.bit
        if not more:
            return
        for other in self.groups:
            if other is group or other.before & group.bit:
                other.before |= more & ~other.bit

    def _readers(self, op: Operation) -> set[Group]:
        """The groups that read an operation, directly or through floating ones."""
        readers, pending, seen = set[Group](), [op], {op}
        while pending:
            for result in pending.pop().results:
                for user in (use.operation for use in result.uses):
                    if user in self.of:
                        readers.add(self.of[user])
                    elif user not in seen and self.position.get(user, inf) <= self._visited:
                        seen.add(user)
                        pending.append(user)
        return readers

    def _add(self, op: Operation, group: Group) -> None:
        """Adds an operation and the floating ones that only this group needs."""
        self._assign(op, group)
        for value in op.operands:
            owner = value.owner
            if not isinstance(owner, Operation) or owner in self.of or owner not in self.position:
                continue
            if is_move(owner):
                self._settle_below(owner, group)
            elif all(use.operation in group.ops for use in value.uses):
                if not self._would_cycle(owner, group) and not self._is_made_before(op, value):
                    self._add(owner, group)
                else:
                    self._add(owner, self._new_group())
            else:
                self._add(owner, self._new_group())

    def _is_made_before(self, op: Operation, value: SSAValue) -> bool:
        """Whether a layer of its own makes the left operand of a product with a weight."""
        if value is not op.operands[0] or not self._reads_weight(op):
            return False
        rows = prod(least(extent) for extent in shape_of(op.results[0])[:-1])
        return rows < self.least_made

    def _settle_below(self, move: Operation, group: Group) -> None:
        """Settles what a floating move reads; the move itself is copied into the layer later."""
        for value in move.operands:
            owner = value.owner
            if not isinstance(owner, Operation) or owner in self.of or owner not in self.position:
                continue
            if is_move(owner):
                self._settle_below(owner, group)
            else:
                self._add(owner, self._new_group())

    def _needed_alone(self, op: Operation) -> bool:
        """Whether a floating operation is a result of the block."""
        terminator = self.block.last_op
        return any(use.operation is terminator for use in op.results[0].uses)

    # --------------------------------------------------------------- ordering

    def _in_order(self) -> list[Group]:
        done: dict[Group, None] = {}
        for op in self.ops:
            if op in self.of:
                self._visit(self.of[op], done)
        return list(done)

    def _visit(self, group: Group, done: dict[Group, None]) -> None:
        if group in done:
            return
        pending = [v.owner for op in group.ops for v in op.operands]
        seen: set[object] = set()
        while pending:
            owner = pending.pop()
            if owner in seen or not isinstance(owner, Operation):
                continue
            seen.add(owner)
            if owner not in self.of:
                pending.extend(v.owner for v in owner.operands)
            elif self.of[owner] is not group:
                self._visit(self.of[owner], done)
        done[group] = None


def _rows_reduced(op: Operation) -> float:
    """The rows that an operation reduces, at least; without limit for one that reduces none."""
    if isinstance(op, ReduceOp):
        axes = op.axis_numbers()
    elif isinstance(op, Decomposable):
        axes = op.mixed_axes()
    else:
        axes = ()
    kept = (e for axis, e in enumerate(shape_of(op.operands[0])) if axis not in axes)
    return prod(least(extent) for extent in kept) if axes else inf


def _keeps_rows(op: Operation) -> bool:
    """Whether something is left to run in parallel around what an operation reduces."""
    shape = shape_of(op.operands[0])
    if isinstance(op, ReduceOp):
        return volume(shape[: min(op.axis_numbers(), default=0)]) > 1
    return True


__all__ = ["Group", "Grouping", "is_map", "is_move", "stores_without_division"]
