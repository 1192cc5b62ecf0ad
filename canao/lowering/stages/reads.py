"""Reads of a stage, symbolically: which stored values it touches, and where.

From these follow the dimensions that the stages of a layer can share as
outer loops, and the strides by which a schedule is chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineMap

from canao.dialects.canao import GatherOp
from canao.dialects.canao.types import broadcast_map, shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed
from canao.extent import is_symbolic
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.stage import Stage
from canao.polyhedral.index import Index, Variable, apply_map, linearise


@dataclass(frozen=True)
class Read:
    """One access of a stored value: its index as a function of the stage's point.

    `known` is False where part of the index is loaded at run time.
    """

    value: SSAValue
    index: tuple[Index, ...]
    known: bool = True

    def stride(self, variable: Variable) -> int | None:
        """Elements between neighbours along a variable, dense row-major; None if irregular."""
        if not self.known and any(i.uses(variable) for i in self.index[:1]):
            return None
        return linearise(self.index, stored_shape(self.value)).coefficient(variable)


def point_variables(stage: Stage) -> tuple[Variable, ...]:
    """A variable for every dimension of a stage."""
    return tuple(Variable(f"d{n}", extent) for n, extent in enumerate(stage.extents))


def stage_reads(stage: Stage, stored: Collection[SSAValue]) -> tuple[Read, ...]:
    """All reads of a stage; `stored` are the values that have buffers."""
    dims = [Index.of(v) for v in point_variables(stage)]
    reads: dict[Read, None] = {}
    seen: set[tuple[SSAValue, tuple[Index, ...]]] = set()

    def visit(value: SSAValue, index: tuple[Index, ...], root: bool = False) -> None:
        if (value, index) in seen and not root:
            return
        seen.add((value, index))
        owner = value.owner
        if stage.anchor is not None and owner is stage.anchor:
            space = stage.anchor.iteration_space()
            for operand, access in zip(stage.anchor.operands, space.operands, strict=True):
                visit(operand, apply_map(access, dims))
            return
        if not isinstance(owner, CanaoOp) or (value in stored and not root):
            reads[Read(value, index)] = None
            return
        if isinstance(owner, GatherOp):
            picked = len(index) - (len(shape_of(owner.table)) - len(owner.indices))
            for operand in owner.indices:
                shape = shape_of(owner.result)[:picked]
                visit(operand, apply_map(broadcast_map(shape_of(operand), shape), index[:picked]))
            rest = (*[sum(index[:picked], Index())] * len(owner.indices), *index[picked:])
            reads[Read(owner.table, rest, known=False)] = None
            return
        if owner.access_pattern() is AccessPattern.SOURCE:
            return
        assert isinstance(owner, Indexed), f"{owner.name} has no index maps"
        for operand, access in zip(owner.operands, owner.iteration_space().operands, strict=True):
            visit(operand, apply_map(access, index))

    # A value that has a buffer of its own is read there, not computed again.
    visit(stage.value, apply_map(stage.value_map, dims), root=stage.value is stage.target)
    return tuple(reads)


def stays_inside(stage: Stage, d: int, stored: Collection[SSAValue]) -> bool:
    """Whether all that vectors along a dimension reach past its last point lies in memory."""
    if stage.is_fixed(d):
        return True
    variable = point_variables(stage)[d]
    if not stage.fills_vectors(d):
        return False
    return all(
        index.bounds[1] < extent
        for read in stage_reads(stage, stored)
        for index, extent in zip(read.index, stored_shape(read.value), strict=True)
        if index.uses(variable)
    )


def invariants(
    stage: Stage, bound: Collection[int], stored: Collection[SSAValue]
) -> tuple[tuple[SSAValue, AffineMap], ...]:
    """The largest computed values that depend on the dimensions in `bound` only.

    Each comes with the map from a point of the stage to its index. They are
    the same in every iteration of the other loops. Only stages without a reduction
    have any.
    """
    if stage.anchor is not None or len(bound) == stage.parallel:
        return ()
    variables = point_variables(stage)
    free = [v for d, v in enumerate(variables) if d not in bound and v.extent > 1]
    dims = [Index.of(v) for v in variables]
    found: dict[tuple[SSAValue, AffineMap], None] = {}

    def visit(value: SSAValue, index: AffineMap) -> None:
        owner = value.owner
        if not isinstance(owner, Indexed) or (value in stored and value is not stage.target):
            return
        at = apply_map(index, dims)
        if owner.cost() and not any(i.uses(v) for i in at for v in free):
            found[value, index] = None
            return
        for operand, access in zip(owner.operands, owner.iteration_space().operands, strict=True):
            visit(operand, access.compose(index))

    if free:
        visit(stage.value, stage.value_map)
    return tuple(found)


def shared_band(stages: Sequence[Stage]) -> int:
    """How many leading dimensions all stages can share as outer loops.

    Dimension `b` can be shared if its extent is the same everywhere and every
    value made by one stage and read by another is read at the same coordinate
    `b` at which it was made: then no dependence crosses iterations, and the
    iterations are independent.
    """
    band = min(stage.parallel for stage in stages)
    producers: dict[SSAValue, list[Stage]] = {}
    for stage in stages:
        producers.setdefault(stage.target, []).append(stage)
    for b in range(band):
        if len({stage.lengths[b] for stage in stages}) > 1:
            band = b
            break
    for reader in stages:
        dims = [Index.of(v) for v in point_variables(reader)]
        for read in stage_reads(reader, producers.keys()):
            for producer in producers.get(read.value, ()):
                made = [Index.of(v) for v in point_variables(producer)]
                stored_at = apply_map(producer.target_map, made)
                aligned = 0
                while aligned < band and _aligned(
                    aligned, producer.extents[aligned], made, stored_at, dims, read
                ):
                    aligned += 1
                band = aligned
    return band


def _aligned(
    b: int,
    extent: int,
    made: Sequence[Index],
    stored_at: Sequence[Index],
    dims: Sequence[Index],
    read: Read,
) -> bool:
    if extent == 1:
        return True
    if made[b] not in stored_at:
        return False
    return read.known and read.index[list(stored_at).index(made[b])] == dims[b]


def varying_points(stages: Sequence[Stage], band: int) -> int:
    """The points of those of the first dimensions that vary, as an extent; 1 if there are none."""
    return prod(length for length in stages[0].lengths[:band] if is_symbolic(length))
