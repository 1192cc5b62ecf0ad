"""Reshapes, transposes, slices and concatenations: fewer of them, or none."""

from __future__ import annotations

from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import ConcatOp, ReshapeOp, SliceOp, TransposeOp
from canao.dialects.canao.types import shape_of


class FoldReshapes(RewritePattern):
    """`reshape(a) -> a` if the shape stays; `reshape(reshape(a)) -> reshape(a)`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReshapeOp, rewriter: PatternRewriter, /) -> None:
        if shape_of(op.operand) == shape_of(op.result):
            rewriter.replace(op, [], [op.operand])
            return
        inner = op.operand.owner
        if isinstance(inner, ReshapeOp):
            rewriter.replace(op, ReshapeOp(inner.operand, shape_of(op.result)))


class FoldTransposes(RewritePattern):
    """`transpose(transpose(a)) -> transpose(a)`; `-> reshape(a)` if only 1s move."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TransposeOp, rewriter: PatternRewriter, /) -> None:
        shape, axes = shape_of(op.operand), op.axes()
        moved = [a for a in axes if shape[a] != 1]
        if moved == sorted(moved):
            rewriter.replace(op, ReshapeOp(op.operand, shape_of(op.result)))
            return
        inner = op.operand.owner
        if isinstance(inner, TransposeOp):
            before = inner.axes()
            rewriter.replace(op, TransposeOp(inner.operand, [before[a] for a in axes]))


def _starts(op: SliceOp) -> tuple[int, ...]:
    return tuple(int(v) for v in op.starts.get_values())


def _steps(op: SliceOp) -> tuple[int, ...]:
    return tuple(int(v) for v in op.steps.get_values())


class FoldSlices(RewritePattern):
    """`slice(a) -> a` if it takes all; `slice(slice(a)) -> slice(a)`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SliceOp, rewriter: PatternRewriter, /) -> None:
        if shape_of(op.operand) == shape_of(op.result):
            rewriter.replace(op, [], [op.operand])
            return
        inner = op.operand.owner
        if not isinstance(inner, SliceOp):
            return
        parts = zip(_starts(op), _steps(op), _starts(inner), _steps(inner), strict=True)
        combined = [(i0 + o0 * i1, o1 * i1) for o0, o1, i0, i1 in parts]
        rewriter.replace(
            op,
            SliceOp(
                inner.operand,
                [start for start, _ in combined],
                shape_of(op.result),
                [step for _, step in combined],
            ),
        )


class SliceOneOperandOfConcat(RewritePattern):
    """`slice(concat(a, b)) -> slice(b)`, if the slice lies within `b`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SliceOp, rewriter: PatternRewriter, /) -> None:
        concat = op.operand.owner
        if not isinstance(concat, ConcatOp) or 0 in shape_of(op.result):
            return
        axis, starts, steps = concat.axis.value.data, _starts(op), _steps(op)
        last = starts[axis] + (shape_of(op.result)[axis] - 1) * steps[axis]
        for part, offset in zip(concat.inputs, concat.offsets(), strict=True):
            if offset <= starts[axis] and last < offset + shape_of(part)[axis]:
                inside = [s - offset if d == axis else s for d, s in enumerate(starts)]
                rewriter.replace(op, SliceOp(part, inside, shape_of(op.result), steps))
                return


class FoldConcats(RewritePattern):
    """`concat(a) -> a`; `concat(a[..i], a[i..]) -> a[..]`: neighbours are taken at once."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConcatOp, rewriter: PatternRewriter, /) -> None:
        if len(op.inputs) == 1:
            rewriter.replace(op, [], [op.inputs[0]])
            return
        axis = op.axis.value.data
        for n in range(len(op.inputs) - 1):
            joined = _join_slices(op.inputs[n], op.inputs[n + 1], axis)
            if joined is not None:
                rewriter.insert(joined)
                inputs = [*op.inputs[:n], joined.result, *op.inputs[n + 2 :]]
                rewriter.replace(op, ConcatOp(inputs, axis))
                return


def _join_slices(first: SSAValue, second: SSAValue, axis: int) -> SliceOp | None:
    """One slice of what two slices take, if the second goes on where the first ends."""
    a, b = first.owner, second.owner
    if not isinstance(a, SliceOp) or not isinstance(b, SliceOp) or a.operand is not b.operand:
        return None
    starts, steps, size = _starts(a), _steps(a), shape_of(first)[axis]
    onward = tuple(s + size if d == axis else s for d, s in enumerate(starts))
    if steps != _steps(b) or steps[axis] != 1 or onward != _starts(b):
        return None
    sizes = list(shape_of(first))
    sizes[axis] += shape_of(second)[axis]
    return SliceOp(a.operand, starts, sizes, steps)


REORGANISATION_PATTERNS: tuple[type[RewritePattern], ...] = (
    FoldReshapes,
    FoldTransposes,
    FoldSlices,
    SliceOneOperandOfConcat,
    FoldConcats,
)
