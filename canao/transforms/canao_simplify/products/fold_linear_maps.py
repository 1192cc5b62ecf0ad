"""Adapters go into the weights beside them: what is linear in one value becomes one product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from canao.dialects.canao import AddOp, NegOp, SubOp
from canao.dialects.canao.types import is_float, shape_of
from canao.extent import volume
from canao.transforms.canao_simplify.products.linear_maps import (
    Application,
    LinearReader,
    LinearWriter,
    as_row,
    is_row,
    is_sum,
)
from canao.transforms.constants import is_constant_expression, may_be_infinite
from canao.transforms.cost import Cost, cost_of_op

_MOST_SOURCES = 8
"""So many values are tried as what a sum is linear in, the nearest first."""


@dataclass(frozen=True)
class _Member:
    """A member of a sum."""

    value: SSAValue
    subtracted: bool


class FoldLinearMaps(RewritePattern):
    """`x @ w + s * ((x @ a) @ b) -> x @ (w + s * (a @ b))` if `w`, `a`, `b`, `s` are constant.

    And so for every sum of terms that are linear in one value, made of products with
    constant matrices, sums, differences, constant rows (`s` may have one number a column) and
    their multiples; `x` may be a lookup in constant tables. Not where the sum takes no less
    work with one product, or the weights would hold more numbers: `(x @ a) @ b` alone stays.
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        """Replaces the whole sum that an operation ends."""
        if not is_sum(op) or not is_float(op.results[0]) or self._goes_on(op):
            return
        members, sums = _flattened(op)
        best: _Folding | None = None
        for source in _sources(members):
            folding = _Folding.of(op, members, sums, source)
            if folding is not None and (best is None or folding.gain > best.gain):
                best = folding
        if best is not None:
            rewriter.replace(op, [], [best.build(rewriter)])

    @staticmethod
    def _goes_on(op: Operation) -> bool:
        """Whether a sum is one member of a larger one, which is looked at instead."""
        result = op.results[0]
        if not result.has_one_use():
            return False
        user = next(iter(result.uses)).operation
        return is_sum(user) and shape_of(user.results[0]) == shape_of(result)


def _flattened(root: Operation) -> tuple[list[_Member], set[Operation]]:
    """The members of a sum from left to right, and the operations that add them."""
    shape = shape_of(root.results[0])
    members: list[_Member] = []
    sums: set[Operation] = set()

    def visit(op: Operation, subtracted: bool) -> None:
        sums.add(op)
        for number, value in enumerate(op.operands):
            under = subtracted != (number == 1 and isinstance(op, SubOp))
            owner = value.owner
            if (
                isinstance(owner, Operation)
                and is_sum(owner)
                and value.has_one_use()
                and shape_of(value) == shape
            ):
                visit(owner, under)
            else:
                members.append(_Member(value, under))

    visit(root, False)
    return members, sums


def _sources(members: Iterable[_Member]) -> Iterator[Application]:
    """What the members may be linear in: the nearest values that products with weights read."""
    found: dict[tuple[object, ...], Application] = {}
    pending = [member.value for member in members]
    seen: set[SSAValue] = set()
    while pending and len(found) < _MOST_SOURCES:
        value = pending.pop(0)
        if value in seen:
            continue
        seen.add(value)
        application = Application.of(value)
        if application is not None:
            found.setdefault(application.key, application)
        pending += LinearReader.ways(value)
    return iter(found.values())


@dataclass(frozen=True)
class _Folding:
    """A sum, and what becomes of its members."""

    reader: LinearReader
    linear: tuple[_Member, ...]
    rows: tuple[_Member, ...]
    """Members that are constant rows."""
    rest: tuple[_Member, ...]
    gain: Cost
    """What the sum costs less with one product."""

    @staticmethod
    def of(
        root: Operation, members: Sequence[_Member], sums: set[Operation], source: Application
    ) -> _Folding | None:
        """The folding of the members that are linear in a value; None if it does not pay."""
        result = root.results[0]
        shape = shape_of(result)
        reader = LinearReader(source)
        linear = [m for m in members if shape_of(m.value) == shape and reader.reads(m.value)]
        if not linear:
            return None
        rows = [m for m in members if m not in linear and is_row(m.value, shape[-1])]
        rest = [m for m in members if m not in linear and m not in rows]
        going = _going(root, sums | reader.ops, {m.value for m in rest})
        before = sum((cost_of_op(op) for op in going if _varies(op)), Cost())
        offset = bool(rows) or any(reader.has_offset(m.value) for m in linear)
        after = source.cost(shape[-1]) + _times(cost_of_op(root), len(rest) + offset)
        if (after.work, after.computations) >= (before.work, before.computations):
            return None
        constants = {v for op in going for v in op.operands if is_constant_expression(v)}
        if sum(volume(shape_of(v)) for v in constants) < source.inner * volume(shape[-1:]):
            return None
        if any(may_be_infinite(v) for v in constants):
            return None
        return _Folding(reader, tuple(linear), tuple(rows), tuple(rest), before - after)

    def build(self, rewriter: PatternRewriter) -> SSAValue:
        """Builds the sum with one product."""
        writer = LinearWriter(self.reader, rewriter)
        matrix = _added(((writer.matrix(m.value), m.subtracted) for m in self.linear), rewriter)
        assert matrix is not None
        total = rewriter.insert(self.reader.source.apply(matrix)).results[0]
        columns = shape_of(total)[-1]
        offsets = [
            (row, member.subtracted)
            for member in self.linear
            if (row := writer.offset(member.value)) is not None
        ]
        offsets += [(as_row(m.value, columns, rewriter), m.subtracted) for m in self.rows]
        offset = _added(offsets, rewriter)
        if offset is not None:
            total = rewriter.insert(AddOp(total, offset)).result
        for member in self.rest:
            kind = SubOp if member.subtracted else AddOp
            total = rewriter.insert(kind(total, member.value)).result
        return total


def _varies(op: Operation) -> bool:
    return not is_constant_expression(op.results[0])


def _times(cost: Cost, count: int) -> Cost:
    return sum((cost for _ in range(count)), Cost())


def _going(root: Operation, ops: set[Operation], kept: set[SSAValue]) -> set[Operation]:
    """Those of the operations that nothing needs when the last of them is replaced, but for what
    is kept.
    """
    going, pending = {root}, [root]
    while pending:
        for value in pending.pop().operands:
            owner = value.owner
            if not isinstance(owner, Operation) or owner not in ops - going or value in kept:
                continue
            if all(use.operation in going for use in value.uses):
                going.add(owner)
                pending.append(owner)
    return going


def _added(members: Iterable[tuple[SSAValue, bool]], rewriter: PatternRewriter) -> SSAValue | None:
    """The sum of values, those marked subtracted; None if there is none."""
    total: SSAValue | None = None
    for value, subtracted in sorted(members, key=lambda member: member[1]):
        if total is None:
            total = rewriter.insert(NegOp(value)).result if subtracted else value
        else:
            total = rewriter.insert((SubOp if subtracted else AddOp)(total, value)).result
    return total


LINEAR_PATTERNS: tuple[type[RewritePattern], ...] = (FoldLinearMaps,)

__all__ = ["LINEAR_PATTERNS", "FoldLinearMaps"]
