"""Row-lane layers: the rows of a product in vectors, and what follows along its columns.

In `s = q k^T` both operands are contiguous along the terms of the product. With
the rows of `s` in the lanes of vectors, the elements of `k` are broadcast, and
sums and maxima along the columns of `s` are operations on whole vectors. The
scratch buffers have the rows as their fastest dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xdsl.ir import SSAValue

from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import AccessPattern
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.reads import point_variables, stage_reads, stays_inside
from canao.lowering.stages.stage import Stage, column_stride, leaves_layer
from canao.polyhedral.index import Index, apply_map, linearise

_FEWEST_ROWS = 16
"""Rows that fill vectors well, whatever the number of columns."""


def is_product(stage: Stage) -> bool:
    """Whether a stage sums products of two operands."""
    return stage.anchor is not None and stage.anchor.access_pattern() is AccessPattern.CONTRACT


@dataclass(frozen=True, eq=False)
class RowLanes:
    """The stages of a layer with dimension `lane`, which they share, in vectors."""

    stages: tuple[Stage, ...]
    lane: int

    @staticmethod
    def of(stages: tuple[Stage, ...]) -> RowLanes | None:
        """The form of stages that were cut with row lanes; None where they were not.

        They were if a product reads its right operand against the grain.
        """
        stored = {stage.target for stage in stages}
        lanes = {s.parallel - 2 for s in stages if is_product(s) and _is_against(s, stored)}
        if len(lanes) != 1:
            return None
        (lane,) = lanes
        if any(s.parallel <= lane or not stays_inside(s, lane, stored) for s in stages):
            return None
        if stages[0].extents[lane] < 2:
            return None
        return RowLanes(stages, lane)

    @cached_property
    def layouts(self) -> dict[SSAValue, tuple[int, ...]]:
        """For values that stay inside the layer the order of their dimensions in memory."""
        found: dict[SSAValue, tuple[int, ...]] = {}
        for stage in self.stages:
            if leaves_layer(stage.target):
                continue
            dims = [Index.of(v) for v in point_variables(stage)]
            at = list(apply_map(stage.target_map, dims))
            if dims[self.lane] in at:
                fastest = at.index(dims[self.lane])
                others = [r for r in range(len(at)) if r != fastest]
                found.setdefault(stage.target, (*others, fastest))
        return found

    def strides(self, stage: Stage, d: int) -> tuple[tuple[int | None, ...], int | None]:
        """Elements between neighbours along a dimension: in each read, and in what is stored."""
        variables = point_variables(stage)
        stored = {s.target for s in self.stages}
        dims = [Index.of(v) for v in variables]

        def stride(value: SSAValue, index: Sequence[Index]) -> int | None:
            shape = stored_shape(value)
            order = self.layouts.get(value, tuple(range(len(shape))))
            place = linearise([index[r] for r in order], [shape[r] for r in order])
            return place.coefficient(variables[d])

        reads = stage_reads(stage, stored)
        inputs = tuple(stride(r.value, r.index) if r.known else None for r in reads)
        return inputs, stride(stage.target, apply_map(stage.target_map, dims))

    def turned(self, stage: Stage) -> tuple[int, int] | None:
        """The dimensions along which a stage that must be transposed is loaded and stored.

        None where all that it touches is contiguous along `lane` or does not
        depend on it.
        """
        reads, store = self.strides(stage, self.lane)
        if stage.anchor is not None or _regular((*reads, store)):
            return None
        for d in range(stage.parallel):
            if not stays_inside(stage, d, {s.target for s in self.stages}):
                continue
            inputs, output = self.strides(stage, d)
            if d != self.lane and store == 1 and 1 in inputs and _regular(inputs):
                return d, self.lane
            if d != self.lane and output == 1 and _regular(reads):
                return self.lane, d
        return None

    def replaces(self, n: int) -> int | None:
        """The number of the stage whose value the elementwise stage `n` may overwrite.

        It has the same elements, is read at the element that is stored, and by no
        stage after this one.
        """
        stage = self.stages[n]
        if stage.anchor is not None or leaves_layer(stage.target):
            return None
        stored = {s.target for s in self.stages}
        at = apply_map(stage.target_map, [Index.of(v) for v in point_variables(stage)])
        reads = stage_reads(stage, stored)
        for m, other in enumerate(self.stages[:n]):
            value = other.target
            if self.layouts.get(value) != self.layouts.get(stage.target) or leaves_layer(value):
                continue
            same_type = (shape_of(value), element_of(value)) == (
                shape_of(stage.target),
                element_of(stage.target),
            )
            mine = [read.index for read in reads if read.value is value]
            later = (r for s in self.stages[n + 1 :] for r in stage_reads(s, stored))
            if same_type and mine == [at] and all(read.value is not value for read in later):
                return m
        return None

    def is_against(self, stage: Stage) -> bool:
        """Whether a stage is a product that reads its right operand against the grain."""
        return is_product(stage) and _is_against(stage, {s.target for s in self.stages})

    @cached_property
    def is_regular(self) -> bool:
        """Whether every stage runs along `lane` without touching single elements."""
        rows, columns = self.stages[0].extents[self.lane], 1
        for stage in self.stages:
            reads, store = self.strides(stage, self.lane)
            if self.turned(stage) is None and not (_regular(reads) and store == 1):
                return False
            if self.is_against(stage):
                columns = max(columns, stage.extents[self.lane + 1])
        return rows >= min(columns, _FEWEST_ROWS)


def _regular(strides: Sequence[int | None]) -> bool:
    return all(stride in (0, 1) for stride in strides)


def _is_against(stage: Stage, stored: set[SSAValue]) -> bool:
    assert stage.anchor is not None
    return column_stride(stage.anchor.operands[1], stored) != 1
