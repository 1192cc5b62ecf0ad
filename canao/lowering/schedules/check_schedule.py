"""Proves a schedule legal before anything is emitted under it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineMap

from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.errors import IllegalScheduleError
from canao.extent import most
from canao.lowering.schedules.check_group import prove_group
from canao.lowering.schedules.schedule import Schedule, StageSchedule
from canao.lowering.schedules.scratch import buffer_holders, check_scratch, window_dimensions
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.reads import invariants, point_variables, stage_reads
from canao.lowering.stages.stage import Stage, leaves_layer
from canao.polyhedral.index import Index, Variable, apply_map
from canao.polyhedral.statement import Access, Array, Program, Statement

if TYPE_CHECKING:
    from canao.polyhedral.legality import Proof
    from canao.polyhedral.timing import Hoist, Nest, Plan


def prove_schedule(
    stages: Sequence[Stage], schedule: Schedule, lanes: int, name: str = "a layer"
) -> Proof:
    """Proves that running a layer's stages under a schedule computes what they say.

    `lanes` are those of the vector unit. An `IllegalScheduleError` names the
    layer (`name`), the dependence or access that the schedule breaks, and an
    example of it in numbers.
    """
    # isl is loaded only when something is compiled.
    from canao.polyhedral.every_length import prove_every_length
    from canao.polyhedral.legality import prove, prove_bounds

    program, plan = describe(stages, schedule, lanes)
    what = f"{schedule.name} of {name}"
    if all(stage.is_fixed(d) for stage in stages for d in range(len(stage.lengths))):
        proof = prove(program, plan, what)
    else:
        lengths = _lengths(stages, schedule)
        proof = prove_every_length(program, plan, lengths, what)
        reaching, _ = describe(stages, schedule, lanes, reaching=True)
        prove_bounds(reaching, what)
    prove_group(stages, schedule, program, lanes, name)
    return proof


def _lengths(stages: Sequence[Stage], schedule: Schedule) -> list[tuple[int, ...]]:
    """The lengths of the dimensions of each statement that `describe` makes, symbols and all."""
    stored = {stage.target for stage in stages}
    found: list[tuple[int, ...]] = []
    for stage, how in zip(stages, schedule.stages, strict=True):
        hoisted = _hoisted(stage, how, stored)
        found += [tuple(stage.lengths[d] for d in each.dims) for each in hoisted]
        found.append(tuple(stage.lengths))
    return found


def describe(
    stages: Sequence[Stage], schedule: Schedule, lanes: int, *, reaching: bool = False
) -> tuple[Program, Plan]:
    """The stages of a layer as statements over arrays, and a schedule as their plan.

    Values that leave the layer are shared by all tasks, the other targets are
    private: every task keeps the part that it makes in a scratch buffer. What a
    stage hoists is a statement of its own, which writes a private array that
    stands for registers.

    Lengths that are known when the layer runs are at their largest, or, if `reaching`, along
    vectors as far as vectors reach past the last point: what they touch there must be in memory,
    though it means nothing.
    """
    if len(schedule.stages) != len(stages):
        raise IllegalScheduleError(
            f"schedule {schedule.name} is for {len(schedule.stages)} stages; "
            f"the layer has {len(stages)}"
        )
    check_scratch(stages, schedule)
    description = _Description(stages, schedule, reaching)
    for n in range(len(stages)):
        description.add_stage(n)
    return description.program(), description.plan(lanes)


class _Description:
    """Collects the statements, arrays and nests of a layer."""

    def __init__(self, stages: Sequence[Stage], schedule: Schedule, reaching: bool) -> None:
        self.reaching = reaching
        self.stages = stages
        self.schedule = schedule
        self.stored = {stage.target for stage in stages}
        self.holders = buffer_holders(stages, schedule)
        self.arrays: dict[SSAValue, Array] = {}
        self.temporaries: list[Array] = []
        self.statements: list[Statement] = []
        self.nests: list[Nest | Hoist] = []

    def program(self) -> Program:
        return Program(tuple(self.statements), (*self.arrays.values(), *self.temporaries))

    def plan(self, lanes: int) -> Plan:
        from canao.polyhedral.timing import Plan

        return Plan(self.schedule.band, tuple(self.nests), lanes)

    def add_stage(self, n: int) -> None:
        """Adds a stage, after what it hoists."""
        from canao.polyhedral.timing import Hoist, Nest

        stage, schedule = self.stages[n], self.schedule.stages[n]
        dims = self._dims(n)
        reads = self._reads(stage)
        hoists = _hoisted(stage, schedule, self.stored)
        host = len(self.statements) + len(hoists)
        for k, hoisted in enumerate(hoists):
            own = tuple(dims[d] for d in hoisted.dims)
            name = f"{_short_name(hoisted.part.value)}_{n}_hoisted_{k}"
            window = tuple(d if d < len(self.schedule.band) else None for d in hoisted.dims)
            extents = tuple(v.extent for v in own)
            self.temporaries.append(Array(f"{name}_value", extents, private=True, window=window))
            temporary = Access(f"{name}_value", tuple(Index.of(v) for v in own))
            inputs = self._reads(hoisted.part)
            self.statements.append(Statement(name, own, len(own), inputs, (temporary,)))
            self.nests.append(Hoist(host, hoisted.depth, hoisted.dims))
            reads = (*reads, temporary)
        made = stage.value if stage.anchor is None else stage.anchor.results[0]
        at = apply_map(stage.target_map, [Index.of(v) for v in dims])
        self.statements.append(
            Statement(
                f"{_short_name(made)}_{n}",
                dims,
                stage.parallel,
                reads,
                (Access(self._array(stage.target).name, at),),
                reduction=stage.anchor is not None,
            )
        )
        self.nests.append(
            Nest(schedule.order, schedule.tile, schedule.vector, schedule.across, schedule.block)
        )

    def _dims(self, n: int) -> tuple[Variable, ...]:
        """The dimensions of a stage at their largest, or as far as vectors reach."""
        stage = self.stages[n]
        dims: list[Variable] = []
        for d, (variable, length) in enumerate(
            zip(point_variables(stage), stage.lengths, strict=True)
        ):
            own = [self.schedule.stages[n]]
            sharing = self.schedule.stages if d < len(self.schedule.band) else own
            in_vectors = self.reaching and any(d in (how.vector, how.across) for how in sharing)
            dims.append(variable if in_vectors else Variable(variable.name, most(length)))
        return tuple(dims)

    def _reads(self, stage: Stage) -> tuple[Access, ...]:
        return tuple(
            Access(
                self._array(read.value).name,
                read.index if read.known else (None,) * len(shape_of(read.value)),
            )
            for read in stage_reads(stage, self.stored)
        )

    def _array(self, value: SSAValue) -> Array:
        if value not in self.arrays:
            holder = self._array(self.holders[value]).name if value in self.holders else ""
            made = _array(value, len(self.arrays), self.stages, len(self.schedule.band))
            self.arrays[value] = replace(made, holder=holder)
        return self.arrays[value]


@dataclass(frozen=True)
class _Hoisted:
    """What is computed inside the `depth` outermost loops of a stage, and depends on `dims`."""

    part: Stage
    depth: int
    dims: tuple[int, ...]


def _hoisted(stage: Stage, schedule: StageSchedule, stored: Collection[SSAValue]) -> list[_Hoisted]:
    """The values that a stage hoists, each where it is first known."""
    if not schedule.hoist:
        return []
    variables = point_variables(stage)
    dims = [Index.of(v) for v in variables]
    found: dict[tuple[SSAValue, AffineMap], _Hoisted] = {}
    for depth in range(len(schedule.order) + 1):
        for value, index in invariants(stage, frozenset(schedule.order[:depth]), stored):
            at = apply_map(index, dims)
            used = tuple(d for d, v in enumerate(variables) if any(i.uses(v) for i in at))
            part = replace(stage, value=value, target=value, anchor=None, value_map=index)
            found.setdefault((value, index), _Hoisted(part, depth, used))
    return list(found.values())


def _array(value: SSAValue, number: int, stages: Sequence[Stage], band: int) -> Array:
    shape, width = stored_shape(value), dtype_of_element(element_of(value)).itemsize
    name = f"{_short_name(value)}_{number}"
    stage = next((s for s in stages if s.target is value), None)
    if stage is None:
        return Array(name, shape, width, given=True)
    if leaves_layer(value):
        return Array(name, shape, width)
    return Array(name, shape, width, private=True, window=window_dimensions(stage, band))


def _short_name(value: SSAValue) -> str:
    """A name for messages: of the operation that makes a value, or of the layer's input."""
    if isinstance(value, BlockArgument):
        return f"input{value.index}"
    owner = value.owner
    assert isinstance(owner, Operation)
    return owner.name.rpartition(".")[2]
