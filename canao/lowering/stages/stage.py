"""Stages of a layer: loop nests that each fill one buffer.

A stage computes one value of the layer, element by element or as a reduction (a
product or a reduction, its *anchor*). Everything between the buffers it reads
and the value it stores is evaluated in registers: producers are inlined into
its loops, and the elementwise chain after an anchor becomes its epilogue.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineMap

from canao.dialects.canao import YieldOp
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed, Reorganising
from canao.extent import has_vectors, is_symbolic, stored_extent
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.words import dimension_names
from canao.polyhedral.index import Index, Variable, apply_map, linearise

_REDUCTIONS = (AccessPattern.REDUCE, AccessPattern.CONTRACT)
_MOVES = (AccessPattern.REORGANISE, AccessPattern.BROADCAST)


@dataclass(frozen=True, eq=False)
class Stage:
    """A loop nest over `lengths` that stores `value` into the buffer of `target`.

    The first `parallel` dimensions are independent, the others reduced.
    `value_map` and `target_map` take a point of the nest to an index of
    `value` and of `target`; they differ where `value` is one piece of a
    concatenation.
    """

    value: SSAValue
    target: SSAValue
    anchor: Indexed | None
    lengths: tuple[int, ...]
    """Points along each dimension; they may depend on symbols."""
    parallel: int
    value_map: AffineMap
    target_map: AffineMap

    @cached_property
    def extents(self) -> tuple[int, ...]:
        """Room for points along each dimension: numbers that no length exceeds."""
        return tuple(map(stored_extent, self.lengths))

    def is_fixed(self, d: int) -> bool:
        """Whether the length of a dimension is a number."""
        return not is_symbolic(self.lengths[d])

    def fills_vectors(self, d: int) -> bool:
        """Whether vectors along a dimension may reach past its last point: memory has room."""
        return self.is_fixed(d) or (d < self.parallel and has_vectors(self.lengths[d]))

    @property
    def words(self) -> tuple[str, ...]:
        """What the dimensions are called, for people."""
        return dimension_names(self.parallel, len(self.lengths) - self.parallel)


@dataclass(frozen=True)
class Part:
    """A run of points along a dimension of a stage."""

    start: Index
    size: int
    stride: int = 1
    """Points between one and the next."""
    count: SSAValue | None = None
    """How many points there are, if that is known when the model runs; `size` is then the most."""


def is_reduction(op: Operation | None) -> bool:
    """Whether an operation reduces dimensions: a product does, or a sum."""
    return isinstance(op, Indexed) and op.access_pattern() in _REDUCTIONS


def is_plain(value: SSAValue, stored: set[SSAValue]) -> bool:
    """Whether reading a value is one load: a stored value seen through moves."""
    owner = value.owner
    if value in stored or not isinstance(owner, CanaoOp):
        return True
    if owner.access_pattern() in _MOVES and isinstance(owner, Reorganising):
        return is_plain(owner.operands[0], stored)
    return owner.access_pattern() is AccessPattern.SOURCE


def source_strides(value: SSAValue, stored: Collection[SSAValue]) -> tuple[int | None, ...]:
    """Elements between neighbours along each dimension, in the buffer behind moves of a value.

    None where a division stands between; those of a tensor of its own for a computed value.
    """
    variables = [Variable(f"d{n}", extent) for n, extent in enumerate(stored_shape(value))]
    index = [Index.of(variable) for variable in variables]
    while value not in stored and isinstance(value.owner, Reorganising):
        (access,) = value.owner.iteration_space().operands
        index = list(apply_map(access, index))
        value = value.owner.operands[0]
    position = linearise(index, stored_shape(value))
    return tuple(position.coefficient(variable) for variable in variables)


def column_stride(value: SSAValue, stored: set[SSAValue]) -> int | None:
    """Elements between neighbours of the last dimension in the buffer a plain value reads."""
    column = Variable("column", stored_shape(value)[-1])
    if column.extent == 1:
        return 1
    index = [Index.of(Variable(f"d{n}", e)) for n, e in enumerate(stored_shape(value)[:-1])]
    index.append(Index.of(column))
    while value not in stored and isinstance(value.owner, Reorganising):
        (access,) = value.owner.iteration_space().operands
        index = list(apply_map(access, index))
        value = value.owner.operands[0]
    return linearise(index, stored_shape(value)).coefficient(column)


def leaves_layer(value: SSAValue) -> bool:
    """Whether a value is an output of its layer, which has a buffer outside."""
    return any(isinstance(use.operation, YieldOp) for use in value.uses)
