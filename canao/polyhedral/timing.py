"""Timing: when a schedule runs every instance, as isl functions.

A time is a vector. Its first components number the parallel task: one for each
dimension of the band. Then come the position of the nest in the task, the
numbers of the tiles from the outermost loop inward, and the reduced dimensions.
Between loops stands a constant that puts statements hoisted there before the
rest. All points of a tile are in registers at once: they have one time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import islpy as isl

from canao.errors import IllegalScheduleError
from canao.polyhedral.domain import tuple_text
from canao.polyhedral.index import Variable
from canao.polyhedral.split import Segment, split_by_width, split_evenly, split_with_rest
from canao.polyhedral.statement import Array, Program, Statement

_Piece = tuple[str, str]
"""A value in isl's notation and the condition under which it is one."""


@dataclass(frozen=True)
class Nest:
    """How the loops of one statement run.

    `order`: its independent dimensions, outermost loop first. `tile`: for each
    dimension the points computed at once. `vector`: the dimension whose
    neighbours share a vector register, if any. `across`: the dimension whose
    neighbours do so when they are stored, if it is another one; square tiles of
    both are transposed in between. `block`: points of the first reduced dimension
    that are reduced before the innermost independent loop moves on to the next;
    None takes all.
    """

    order: tuple[int, ...]
    tile: tuple[int, ...]
    vector: int | None = None
    across: int | None = None
    block: int | None = None


@dataclass(frozen=True)
class Hoist:
    """Puts a statement inside the loops of another, the `host`.

    It runs inside the `depth` outermost loops of the host, before what is
    further in. `dims` names the host's dimension that each of its own follows;
    it is tiled as that one, or runs whole where its loop is further in. Where
    those loops range over other dimensions too, it is computed again each time,
    and whoever is in the loops must read what the same iteration has computed.
    """

    host: int
    depth: int
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A schedule of a program.

    `band`: for each leading dimension that all statements share the points of
    one task; tasks run in parallel. `nests`: for each statement how it runs.
    `sequence`: the statements in the order in which a task runs them.
    """

    band: tuple[int, ...]
    nests: tuple[Nest | Hoist, ...]
    lanes: int = 1
    sequence: tuple[int, ...] = ()

    def position(self, statement: int) -> int:
        """The place of a statement in the sequence."""
        return self.sequence.index(statement) if self.sequence else statement


@dataclass(frozen=True)
class Component:
    """One component of the times of a statement: a constant, or else a function in isl's notation.

    In a `parallel` one, different values mean different tasks, which are in no
    order at all. The function depends on the dimension `of` alone, and two
    with one `rule` are the same function of their dimensions.
    """

    text: str = ""
    constant: int = 0
    parallel: bool = False
    of: str = ""
    rule: tuple[_Piece, ...] = ()

    @cached_property
    def function(self) -> isl.PwAff:
        """The function; the text must not be empty."""
        return isl.PwAff(self.text)


@dataclass(frozen=True)
class Timing:
    """The times of one statement; `copies` are dimensions of its host added to its own.

    A statement that is computed again for every iteration of such a dimension
    has an instance for each.
    """

    statement: Statement
    components: tuple[Component, ...]
    copies: tuple[tuple[int, Variable], ...] = ()

    @property
    def dims(self) -> tuple[Variable, ...]:
        """Its own dimensions, then the copies."""
        return (*self.statement.dims, *(v for _, v in self.copies))

    @cached_property
    def instances(self) -> str:
        """The tuple of its instances, in isl's notation."""
        return tuple_text(self.statement.name, self.dims)

    @cached_property
    def schedule_map(self) -> isl.Map:
        """All components as one map from instances to times."""
        names = [f"t{n}" for n in range(len(self.components))]
        bounds = " and ".join(f"0 <= {v.name} < {v.extent}" for v in self.dims) or "true"
        relation = isl.Map(f"{{ {self.instances} -> [{', '.join(names)}] : {bounds} }}")
        for n, component in enumerate(self.components):
            if not component.text:
                relation = relation.fix_val(isl.dim_type.out, n, component.constant)
                continue
            one = isl.Map.from_pw_aff(component.function)
            one = one.insert_dims(isl.dim_type.out, 0, n)
            one = one.add_dims(isl.dim_type.out, len(names) - n - 1)
            relation = relation.intersect(one)
        return relation


def timings(program: Program, plan: Plan) -> tuple[Timing, ...]:
    """When a plan runs the instances of every statement of a program."""
    _check(program, plan)
    band = tuple(band_segments(program, plan, b) for b in range(len(plan.band)))
    out: list[Timing] = []
    for n, statement in enumerate(program.statements):
        nest = plan.nests[n]
        if isinstance(nest, Hoist):
            out.append(_hoisted(program, plan, n, nest, band))
        else:
            instances = tuple_text(statement.name, statement.dims)
            clock = _Clock(instances, statement.dims, nest, band, plan.lanes)
            out.append(Timing(statement, clock.components(plan.position(n), statement.parallel)))
    return tuple(out)


def band_segments(program: Program, plan: Plan, b: int) -> tuple[Segment, ...]:
    """The tasks along a dimension of the band."""
    first = next(n for n, nest in enumerate(plan.nests) if isinstance(nest, Nest))
    extent = program.statements[first].extents[b]
    nests = [nest for nest in plan.nests if isinstance(nest, Nest)]
    vectorised = any(b in (nest.vector, nest.across) for nest in nests)
    split = split_with_rest if vectorised else split_evenly
    return split(extent, plan.band[b])


@dataclass(frozen=True)
class _Clock:
    """Makes components for the loops of a nest over `dims`, as functions of `instances`."""

    instances: str
    dims: tuple[Variable, ...]
    nest: Nest
    band: tuple[tuple[Segment, ...], ...]
    lanes: int

    def components(self, position: int, parallel: int) -> tuple[Component, ...]:
        """Of the statement that the nest is for."""
        out = [*self.tasks(), Component(constant=position)]
        for d in self.nest.order[:-1]:
            out += [Component(constant=1), self.tile(d)]
        if self.nest.block is not None:
            out += [Component(constant=1), self.block(parallel, self.nest.block)]
        for d in self.nest.order[-1:]:
            out += [Component(constant=1), self.tile(d)]
        out.append(Component(constant=1))
        return (*out, *(self.tile(d) for d in range(parallel, len(self.dims))))

    def tasks(self) -> list[Component]:
        """The number of the task along each dimension of the band."""
        return [
            self._component(v.name, lambda name, s=segments: _numbers(name, "0", s), True)
            for v, segments in zip(self.dims, self.band, strict=False)
        ]

    def tile(self, d: int) -> Component:
        """The number of the tile along a dimension; a reduced one is a tile a point."""
        if d not in self.nest.order and d != self.nest.vector:
            return self._component(self.dims[d].name, lambda name: [(name, "")])
        return self._component(self.dims[d].name, lambda name: self._tile_numbers(name, d))

    def block(self, d: int, points: int) -> Component:
        """The number of the block along a reduced dimension."""
        segments = split_evenly(self.dims[d].extent, points)
        return self._component(self.dims[d].name, lambda name: _numbers(name, "0", segments))

    def _tile_numbers(self, name: str, d: int) -> list[_Piece]:
        parts = self.band[d] if d < len(self.band) else (Segment(0, 1, self.dims[d].extent),)
        pieces: list[_Piece] = []
        for part in parts:
            start = str(part.start)
            if part.count > 1:
                start = f"({part.start} + {part.size}*floor(({name} - {part.start})/{part.size}))"
            within = f"{part.start} <= {name} < {part.start + part.count * part.size}"
            for number, condition in _numbers(name, start, self._tiles(d, part.size)):
                pieces.append((number, f"{within} and {condition}" if condition else within))
        return pieces

    def _tiles(self, d: int, size: int) -> tuple[Segment, ...]:
        tile = self.nest.tile[d]
        if d in (self.nest.vector, self.nest.across):
            return split_by_width(size, tile, self.lanes)
        return split_evenly(size, tile)

    def _component(
        self, name: str, pieces: Callable[[str], list[_Piece]], parallel: bool = False
    ) -> Component:
        text = _piecewise(self.instances, pieces(name))
        return Component(text, 0, parallel, name, tuple(pieces("x")))


def _piecewise(instances: str, pieces: Sequence[_Piece]) -> str:
    parts = (f"{instances} -> [({n})] : {c or 'true'}" for n, c in pieces)
    return f"{{ {'; '.join(parts)} }}"


def part_number(array: Array, r: int, segments: Sequence[Segment]) -> isl.PwAff:
    """Which of the segments along dimension `r` an element of an array belongs to."""
    dims = [Variable(f"a{n}", extent) for n, extent in enumerate(array.shape)]
    pieces = _numbers(f"a{r}", "0", segments)
    return isl.PwAff(_piecewise(tuple_text(array.name, dims), pieces))


def _numbers(name: str, start: str, segments: Sequence[Segment]) -> list[_Piece]:
    """For each run of tiles after `start` the number of the tile at `name`, and where it holds."""
    pieces: list[_Piece] = []
    before = 0
    local = f"({name} - {start})"
    for s in segments:
        number = f"{before} + floor(({local} - {s.start})/{s.size})"
        within = f"{s.start} <= {local} < {s.start + s.count * s.size}"
        pieces.append((number, within if len(segments) > 1 else ""))
        before += s.count
    return pieces


def _hoisted(
    program: Program,
    plan: Plan,
    n: int,
    hoist: Hoist,
    band: tuple[tuple[Segment, ...], ...],
) -> Timing:
    statement, host = program.statements[n], program.statements[hoist.host]
    nest = plan.nests[hoist.host]
    assert isinstance(nest, Nest)
    outside = dict.fromkeys((*range(len(band)), *nest.order[: hoist.depth]))
    copies = tuple(
        (d, Variable(f"copy{d}", host.extents[d])) for d in outside if d not in hoist.dims
    )
    # The loops are the host's; here they go by the names that this statement knows them by.
    known = {**dict(zip(hoist.dims, statement.dims, strict=True)), **dict(copies)}
    named = tuple(known.get(d, v) for d, v in enumerate(host.dims))
    own = (*statement.dims, *(v for _, v in copies))
    clock = _Clock(tuple_text(statement.name, own), named, nest, band, plan.lanes)
    components = [*clock.tasks(), Component(constant=plan.position(hoist.host))]
    for d in nest.order[: hoist.depth]:
        components += [Component(constant=1), clock.tile(d)]
    siblings = [
        plan.position(m)
        for m, other in enumerate(plan.nests)
        if isinstance(other, Hoist) and (other.host, other.depth) == (hoist.host, hoist.depth)
    ]
    later = sum(position >= plan.position(n) for position in siblings)
    components.append(Component(constant=1 - later))
    return Timing(statement, tuple(components), copies)


def _check(program: Program, plan: Plan) -> None:
    """Raises `IllegalScheduleError` where a plan does not run every instance once."""
    statements = program.statements
    if len(plan.nests) != len(statements):
        raise IllegalScheduleError(
            f"the schedule has {len(plan.nests)} nests for {len(statements)} statements; "
            "give one for each"
        )
    if plan.sequence and sorted(plan.sequence) != list(range(len(statements))):
        raise IllegalScheduleError(
            f"the sequence {plan.sequence} must name each of {len(statements)} statements once"
        )
    whole = [n for n, nest in enumerate(plan.nests) if isinstance(nest, Nest)]
    if statements and not whole:
        raise IllegalScheduleError("every statement is hoisted; one must be the host")
    for n in whole:
        _check_nest(statements[n], plan.nests[n])
    for b, points in enumerate(plan.band):
        extents = {statements[n].name: statements[n].extents[b : b + 1] for n in whole}
        if points < 1 or len(set(extents.values())) > 1 or () in extents.values():
            lengths = ", ".join(
                f"{name} has {e[0] if e else 'none'}" for name, e in extents.items()
            )
            raise IllegalScheduleError(
                f"band dimension {b} of {points} points must be one that all statements share, "
                f"of one length: {lengths}"
            )
    for n, nest in enumerate(plan.nests):
        if isinstance(nest, Hoist):
            _check_hoist(program, plan, n, nest)


def _check_nest(statement: Statement, nest: Nest | Hoist) -> None:
    assert isinstance(nest, Nest)
    if sorted(nest.order) != list(range(statement.parallel)):
        raise IllegalScheduleError(
            f"the loop order {nest.order} of {statement.name} must name each of its "
            f"{statement.parallel} independent dimensions once"
        )
    if len(nest.tile) != len(statement.dims) or min(nest.tile, default=1) < 1:
        raise IllegalScheduleError(
            f"the tile {nest.tile} of {statement.name} must have a positive size for each of its "
            f"{len(statement.dims)} dimensions"
        )
    if nest.block is not None and (nest.block < 1 or statement.parallel == len(statement.dims)):
        raise IllegalScheduleError(
            f"{statement.name} has no terms to take in blocks of {nest.block}"
        )
    if nest.vector is not None and not 0 <= nest.vector < len(statement.dims):
        raise IllegalScheduleError(
            f"{statement.name} has no dimension {nest.vector} to put into vectors"
        )
    if nest.across is not None:
        _check_across(statement, nest)


def _check_across(statement: Statement, nest: Nest) -> None:
    both = (nest.vector, nest.across)
    free = range(statement.parallel)
    if statement.reduction or both[0] == both[1] or any(d not in free for d in both):
        raise IllegalScheduleError(
            f"{statement.name} cannot transpose tiles of dimensions {both[0]} and {both[1]}: they "
            "must be two independent dimensions of a statement that reduces nothing"
        )


def _check_hoist(program: Program, plan: Plan, n: int, hoist: Hoist) -> None:
    statement = program.statements[n]
    host = plan.nests[hoist.host]
    if not isinstance(host, Nest) or hoist.host == n:
        raise IllegalScheduleError(f"{statement.name} must be hoisted into loops that stand alone")
    extents = program.statements[hoist.host].extents
    if not 0 <= hoist.depth <= len(host.order):
        raise IllegalScheduleError(f"{statement.name} is hoisted out of loops that do not exist")
    if len(set(hoist.dims)) != len(hoist.dims) or statement.extents != tuple(
        extents[d] if 0 <= d < len(extents) else -1 for d in hoist.dims
    ):
        raise IllegalScheduleError(
            f"the dimensions of {statement.name} do not follow dimensions {hoist.dims} of its host"
        )
