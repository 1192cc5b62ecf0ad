"""Proves a schedule legal before anything is emitted under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdsl.ir import BlockArgument, Operation, SSAValue

from canao.dialects.canao import YieldOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.lowering.access import point_variables, stage_reads
from canao.lowering.schedule import Schedule
from canao.lowering.stage import Stage
from canao.polyhedral.index import Index, apply_map
from canao.polyhedral.statement import Access, Array, Program, Statement

if TYPE_CHECKING:
    from canao.polyhedral.legality import Proof
    from canao.polyhedral.timing import Plan


def prove_schedule(
    stages: Sequence[Stage], schedule: Schedule, lanes: int, name: str = "a layer"
) -> Proof:
    """Proves that running a layer's stages under a schedule computes what they say.

    `lanes` are those of the vector unit. An `IllegalScheduleError` names the
    layer (`name`), the dependence or access that the schedule breaks, and an
    example of it in numbers.
    """
    # isl is loaded only when something is compiled.
    from canao.polyhedral.legality import prove

    program = describe_stages(stages, len(schedule.band))
    return prove(program, describe_schedule(schedule, lanes), f"{schedule.name} of {name}")


def describe_stages(stages: Sequence[Stage], band: int) -> Program:
    """The stages of a layer as statements over arrays, for a band of so many dimensions.

    Values that leave the layer are shared by all tasks, the other targets are
    private: every task keeps the part that it makes in a scratch buffer.
    """
    stored = {stage.target for stage in stages}
    arrays: dict[SSAValue, Array] = {}

    def array(value: SSAValue) -> Array:
        if value not in arrays:
            arrays[value] = _array(value, len(arrays), stages, band)
        return arrays[value]

    statements: list[Statement] = []
    for n, stage in enumerate(stages):
        dims = point_variables(stage)
        made = stage.value if stage.anchor is None else stage.anchor.results[0]
        reads = tuple(
            Access(
                array(read.value).name,
                read.index if read.known else (None,) * len(shape_of(read.value)),
            )
            for read in stage_reads(stage, stored)
        )
        at = apply_map(stage.target_map, [Index.of(v) for v in dims])
        written = Access(array(stage.target).name, at)
        statements.append(
            Statement(
                f"{_short_name(made)}_{n}",
                dims,
                stage.parallel,
                reads,
                (written,),
                reduction=stage.anchor is not None,
            )
        )
    return Program(tuple(statements), tuple(arrays.values()))


def describe_schedule(schedule: Schedule, lanes: int) -> Plan:
    """A schedule as the plan of the statements that `describe_stages` makes."""
    from canao.polyhedral.timing import Nest, Plan

    nests = tuple(Nest(s.order, s.tile, s.vector) for s in schedule.stages)
    return Plan(schedule.band, nests, lanes)


def _array(value: SSAValue, number: int, stages: Sequence[Stage], band: int) -> Array:
    shape, width = shape_of(value), dtype_of_element(element_of(value)).itemsize
    name = f"{_short_name(value)}_{number}"
    stage = next((s for s in stages if s.target is value), None)
    if stage is None:
        return Array(name, shape, width, given=True)
    if any(isinstance(use.operation, YieldOp) for use in value.uses):
        return Array(name, shape, width)
    return Array(name, shape, width, private=True, window=_window(stage, band))


def _window(stage: Stage, band: int) -> tuple[int | None, ...]:
    """The band dimension that bounds each dimension of a scratch buffer, as kernels have it."""
    variables = point_variables(stage)
    stored_at = apply_map(stage.target_map, [Index.of(v) for v in variables])
    window: list[int | None] = [None] * len(stored_at)
    for b, variable in enumerate(variables[:band]):
        if variable.extent > 1 and Index.of(variable) in stored_at:
            window[stored_at.index(Index.of(variable))] = b
    return tuple(window)


def _short_name(value: SSAValue) -> str:
    """A name for messages: of the operation that makes a value, or of the layer's input."""
    if isinstance(value, BlockArgument):
        return f"input{value.index}"
    owner = value.owner
    assert isinstance(owner, Operation)
    return owner.name.rpartition(".")[2]
