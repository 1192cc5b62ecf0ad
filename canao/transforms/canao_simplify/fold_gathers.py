"""Gathers whose indices are constant and regular: they need no table look-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import BroadcastOp, GatherOp, ReshapeOp, SliceOp, TransposeOp
from canao.dialects.canao.types import shape_of
from canao.transforms.constants import prefix_array


@dataclass(frozen=True)
class Progression:
    """An index that is `start + step * i` along one axis of the result, or along none."""

    start: int
    step: int
    size: int
    axis: int | None


def find_progression(index: npt.NDArray[Any], shape: tuple[int, ...]) -> Progression | None:
    """The progression that an index array of a result's `shape` holds, if it is one.

    Steps are positive, and no index is negative.
    """
    if not index.size or index.min() < 0:
        return None
    start = int(index.reshape(-1)[0])
    if (index == start).all():
        return Progression(start, 1, 1, None)
    padded = index.reshape((1,) * (len(shape) - index.ndim) + index.shape)
    varying = [d for d, e in enumerate(padded.shape) if e != 1 and np.ptp(padded, axis=d).any()]
    if len(varying) != 1:
        return None
    axis = varying[0]
    line = np.moveaxis(padded, axis, 0).reshape(padded.shape[axis], -1)[:, 0]
    step = int(line[1] - line[0])
    if step < 1 or (np.diff(line) != step).any():
        return None
    return Progression(start, step, shape[axis], axis)


def _within(progression: Progression, extent: int) -> bool:
    """Whether all places of a progression lie within an extent."""
    return progression.start + (progression.size - 1) * progression.step < extent


class GatherProgression(RewritePattern):
    """`table[start + step * i, ...] -> broadcast(reshape(transpose(slice(table))))`.

    Each index must be constant and a progression, along axes that differ.
    One index of equal numbers picks a row; an iota picks a range of rows.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GatherOp, rewriter: PatternRewriter, /) -> None:
        table, result = shape_of(op.table), shape_of(op.result)
        count = len(op.indices)
        picked = result[: len(result) - (len(table) - count)]
        found: list[Progression] = []
        for value, extent in zip(op.indices, table, strict=False):
            array = prefix_array(value)
            if array is None:
                return
            progression = find_progression(array, picked)
            if progression is None or not _within(progression, extent):
                return
            found.append(progression)
        axes = [p.axis for p in found if p.axis is not None]
        if len(set(axes)) != len(axes):
            return
        rest = table[count:]
        value = rewriter.insert(
            SliceOp(
                op.table,
                [p.start for p in found] + [0] * len(rest),
                [p.size for p in found] + list(rest),
                [p.step for p in found] + [1] * len(rest),
            )
        ).result
        value = rewriter.insert(ReshapeOp(value, [picked[a] for a in axes] + list(rest))).result
        order = sorted(range(len(axes)), key=axes.__getitem__)
        last = range(len(axes), len(axes) + len(rest))
        value = rewriter.insert(TransposeOp(value, [*order, *last])).result
        ones = [extent if d in axes else 1 for d, extent in enumerate(picked)]
        value = rewriter.insert(ReshapeOp(value, [*ones, *rest])).result
        rewriter.replace(op, BroadcastOp(value, result))


GATHER_PATTERNS: tuple[type[RewritePattern], ...] = (GatherProgression,)
