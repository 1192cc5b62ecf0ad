"""Proves that a schedule keeps every dependence of a program, or says which it breaks.

A schedule is legal if every access stays within its array, no two parallel
tasks write one element, and every dependence runs forward in time inside one
task. Accumulations of a reduction into one total may run in any order: the
operation is associative and commutative; `Proof.reassociated` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import islpy as isl

from canao.errors import IllegalScheduleError
from canao.polyhedral.access_relation import access_relation, touched
from canao.polyhedral.dependence import Dependence, Kind, Undefined, dependences
from canao.polyhedral.domain import elements, sample, tuple_text
from canao.polyhedral.index import Index
from canao.polyhedral.statement import Access, Array, Program, Statement, element
from canao.polyhedral.timing import (
    Component,
    Hoist,
    Nest,
    Plan,
    Timing,
    band_segments,
    part_number,
    timings,
)


class Rule(StrEnum):
    """What a schedule can violate."""

    BOUNDS = "out of bounds"
    WINDOW = "outside the task's part"
    UNDEFINED = "read before any write"
    RACE = "write race"
    CROSSES = "crosses parallel tasks"
    BACKWARDS = "runs backwards in time"
    TOGETHER = "runs at one time"


@dataclass(frozen=True)
class Violation:
    """A broken rule with an example in numbers; `source` and `sink` are names of statements."""

    rule: Rule
    source: str
    sink: str
    array: str
    example: tuple[tuple[int, ...], tuple[int, ...]]
    message: str


@dataclass(frozen=True)
class Proof:
    """What was proved: the dependences, and the reductions whose order the schedule may change."""

    dependences: tuple[Dependence, ...]
    reassociated: tuple[str, ...]


def prove(program: Program, plan: Plan, name: str = "") -> Proof:
    """Proves a plan legal; `IllegalScheduleError` names the first violation otherwise."""
    found = check(program, plan)
    if isinstance(found, Violation):
        what = f"schedule {name}" if name else "the schedule"
        raise IllegalScheduleError(f"{what} is illegal: {found.message}; choose another")
    return found


def prove_bounds(program: Program, name: str = "") -> None:
    """Proves that every access stays within its array; `IllegalScheduleError` otherwise."""
    found = next(_Checker(program, Plan((), ()), ()).bounds(), None)
    if found is not None:
        what = f"schedule {name}" if name else "the schedule"
        raise IllegalScheduleError(f"{what} is illegal: {found.message}; choose another")


def check(program: Program, plan: Plan) -> Proof | Violation:
    """The proof of a plan, or the first violation."""
    times = timings(program, plan)
    checker = _Checker(program, plan, times)
    for rule in (checker.bounds, checker.windows, checker.races):
        violation = next(rule(), None)
        if violation is not None:
            return violation
    pairs, undefined = dependences(program)
    violation = next(checker.undefined(undefined), None) or next(checker.order(pairs), None)
    if violation is not None:
        return violation
    names = dict.fromkeys(
        program.statements[d.source].name for d in pairs if d.kind is Kind.REDUCTION
    )
    return Proof(pairs, tuple(names))


@dataclass(frozen=True)
class _Checker:
    program: Program
    plan: Plan
    times: tuple[Timing, ...]

    # ------------------------------------------------------------- accesses

    def bounds(self) -> Iterator[Violation]:
        """Every access that leaves its array."""
        for statement in self.program.statements:
            for access in (*statement.reads, *statement.writes):
                array = self.program.by_name[access.array]
                if _within(access, array):
                    continue
                relation = access_relation(statement, access, array)
                outside = relation.subtract_range(elements(array))
                if not outside.is_empty():
                    yield self._bounds(statement, access, array, outside)

    @staticmethod
    def _bounds(statement: Statement, access: Access, array: Array, outside: isl.Map) -> Violation:
        example = sample(outside)
        message = (
            f"{statement.name} leaves '{array.name}' of shape {list(array.shape)} by {access}: "
            f"{element(statement.name, example[0])} touches {element(array.name, example[1])}"
        )
        return Violation(Rule.BOUNDS, statement.name, statement.name, array.name, example, message)

    def windows(self) -> Iterator[Violation]:
        """Every access of a private array outside the part that the task has room for."""
        for n, statement in enumerate(self.program.statements):
            for access in (*statement.reads, *statement.writes):
                array = self.program.by_name[access.array]
                for r, b in enumerate(array.window):
                    if b is not None and b < len(self.plan.band):
                        yield from self._window(n, access, array, r, b)

    def _window(self, n: int, access: Access, array: Array, r: int, b: int) -> Iterator[Violation]:
        statement, timing = self.program.statements[n], self.times[n]
        index = access.index[r]
        if isinstance(self.plan.nests[n], Nest) and index == Index.of(statement.dims[b]):
            return
        made = part_number(array, r, band_segments(self.program, self.plan, b))
        relation = _spread(timing, access_relation(statement, access, array))
        outside = relation.subtract(timing.components[b].function.eq_map(made))
        if outside.is_empty():
            return
        x, y = sample(outside)
        message = (
            f"{self._instance(n, x)} touches {element(array.name, y)} by {access}, but its task "
            f"has room only for its own part of '{array.name}' along dimension {r}"
        )
        name = statement.name
        yield Violation(Rule.WINDOW, name, name, array.name, (x, y), message)

    # ---------------------------------------------------------------- races

    def races(self) -> Iterator[Violation]:
        """Every pair of instances in different tasks that write one element."""
        if not self.plan.band:
            return
        for array in self.program.arrays:
            if array.private:
                continue
            writers = [n for n, s in enumerate(self.program.statements) if s.written(array.name)]
            for k, a in enumerate(writers):
                for b in writers[k:]:
                    yield from self._race(array, a, b)

    def _race(self, array: Array, a: int, b: int) -> Iterator[Violation]:
        first, second = self.program.statements[a], self.program.statements[b]
        if self._same_part(array, a, b):
            return
        arrays = self.program.by_name
        both = touched(first, first.written(array.name), arrays).apply_range(
            touched(second, second.written(array.name), arrays).reverse()
        )
        both = self._spread_both(a, b, both)
        if both.is_empty():
            return
        crossing = next(self._crossings(a, b, both), None)
        if crossing is None:
            return
        x, y = sample(crossing)
        yield Violation(
            Rule.RACE,
            first.name,
            second.name,
            array.name,
            (x, y),
            f"two parallel tasks write one element of '{array.name}': {self._instance(a, x)} and "
            f"{self._instance(b, y)}",
        )

    def _same_part(self, array: Array, a: int, b: int) -> bool:
        """Whether each dimension of the band is an index of both writes: no need to ask isl."""
        indices: list[tuple[int, Access]] = []
        for n in (a, b):
            written = self.program.statements[n].written(array.name)
            if len(written) != 1 or isinstance(self.plan.nests[n], Hoist):
                return False
            indices.append((n, written[0]))

        def place(n: int, access: Access, d: int) -> int | None:
            dim = Index.of(self.program.statements[n].dims[d])
            return access.index.index(dim) if dim.terms and dim in access.index else None

        for d in range(len(self.plan.band)):
            if self.program.statements[a].extents[d] == 1:
                continue
            first, second = (place(n, access, d) for n, access in indices)
            if first is None or first != second:
                return False
        return True

    def _crossings(self, a: int, b: int, relation: isl.Map) -> Iterator[isl.Map]:
        """The pairs of a relation that lie in different tasks, by dimension of the band."""
        for k in range(len(self.plan.band)):
            first, second = self.times[a].components[k], self.times[b].components[k]
            if _always_equal(first, second, self.times[a], self.times[b], relation):
                continue
            crossing = relation.subtract(_compare(first, second, "eq", relation))
            if not crossing.is_empty():
                yield crossing

    # ---------------------------------------------------------- dependences

    def undefined(self, found: Sequence[Undefined]) -> Iterator[Violation]:
        """Reads that have no source."""
        for each in found:
            reader = self.program.statements[each.reader].name
            example = sample(each.relation)
            message = (
                f"{element(reader, example[0])} reads {element(each.array, example[1])}, "
                "which no statement has written before"
            )
            yield Violation(Rule.UNDEFINED, reader, reader, each.array, example, message)

    def order(self, pairs: Sequence[Dependence]) -> Iterator[Violation]:
        """Every dependence that the plan breaks."""
        for pair in pairs:
            relation = self._executed(pair)
            yield from self._tasks(pair, relation)
            yield from self._forward(pair, relation)

    def _executed(self, pair: Dependence) -> isl.Map:
        """The dependence between instances as executed, copies of hoisted ones included.

        A host reads the copy that its own loops have just made.
        """
        source, sink = self.times[pair.source], self.times[pair.sink]
        relation = self._spread_both(pair.source, pair.sink, pair.relation)
        known = self._known(pair.sink, self._host(pair.source))
        equal = [f"{v.name} = {known[d]}" for d, v in source.copies if d in known]
        if pair.kind is not Kind.FLOW or not equal:
            return relation
        there = ", ".join(f"{v.name}_" for v in sink.dims)
        pairing = (
            f"{{ {source.instances} -> {sink.statement.name}[{there}] : {' and '.join(equal)} }}"
        )
        return relation.intersect(isl.Map(pairing))

    def _spread_both(self, a: int, b: int, relation: isl.Map) -> isl.Map:
        """A relation between instances of two statements as one between all their copies."""
        return _spread(self.times[b], _spread(self.times[a], relation).reverse()).reverse()

    def _host(self, n: int) -> int:
        nest = self.plan.nests[n]
        return nest.host if isinstance(nest, Hoist) else n

    def _known(self, n: int, host: int) -> dict[int, str]:
        """The dimensions of a host by the names that a statement inside it has for them."""
        if self._host(n) != host:
            return {}
        nest, timing = self.plan.nests[n], self.times[n]
        own = nest.dims if isinstance(nest, Hoist) else range(len(timing.dims))
        dims = (*own, *(d for d, _ in timing.copies))
        return {d: f"{v.name}_" for d, v in zip(dims, timing.dims, strict=True)}

    def _tasks(self, pair: Dependence, relation: isl.Map) -> Iterator[Violation]:
        private = self.program.by_name[pair.array].private
        if private and pair.kind in (Kind.ANTI, Kind.OUTPUT):
            return
        for crossing in self._crossings(pair.source, pair.sink, relation):
            yield self._broken(pair, Rule.CROSSES, crossing)

    def _forward(self, pair: Dependence, relation: isl.Map) -> Iterator[Violation]:
        if pair.kind is Kind.REDUCTION:
            return
        source, sink = self.times[pair.source], self.times[pair.sink]
        for a, b in zip(source.components, sink.components, strict=False):
            if a.text and _always_equal(a, b, source, sink, relation):
                continue
            if a.parallel:
                # Private arrays may carry dependences between tasks: nothing to keep there.
                relation = relation.intersect(_compare(a, b, "eq", relation))
            elif not a.text and not b.text:
                if a.constant < b.constant:
                    return
                if a.constant > b.constant:
                    yield self._broken(pair, Rule.BACKWARDS, relation)
                    return
            else:
                backwards = relation.intersect(_compare(a, b, "gt", relation))
                if not backwards.is_empty():
                    yield self._broken(pair, Rule.BACKWARDS, backwards)
                    return
                relation = relation.intersect(_compare(a, b, "eq", relation))
            if relation.is_empty():
                return
        yield self._broken(pair, Rule.TOGETHER, relation)

    def _broken(self, pair: Dependence, rule: Rule, relation: isl.Map) -> Violation:
        x, y = sample(relation)
        what = f"the {pair.describe(self.program)} {rule}"
        message = (
            f"{what}: {self._instance(pair.source, x)} must come before "
            f"{self._instance(pair.sink, y)}"
        )
        source, sink = (self.program.statements[n].name for n in (pair.source, pair.sink))
        return Violation(rule, source, sink, pair.array, (x, y), message)

    def _instance(self, n: int, point: Sequence[int]) -> str:
        """An instance as executed, in words; the copy of a recomputed one is left out."""
        statement = self.program.statements[n]
        return element(statement.name, point[: len(statement.dims)])


def _within(access: Access, array: Array) -> bool:
    """Whether interval arithmetic alone shows that an access stays within its array."""
    return all(
        index is None or (index.bounds[0] >= 0 and index.bounds[1] < extent)
        for index, extent in zip(access.index, array.shape, strict=True)
    )


def _spread(timing: Timing, relation: isl.Map) -> isl.Map:
    """A relation from instances as one from instances with all their copies."""
    if not timing.copies:
        return relation
    own = tuple_text(timing.statement.name, timing.statement.dims)
    bounds = " and ".join(f"0 <= {v.name} < {v.extent}" for _, v in timing.copies)
    return relation.apply_domain(isl.Map(f"{{ {own} -> {timing.instances} : {bounds} }}"))


def _always_equal(
    a: Component, b: Component, source: Timing, sink: Timing, relation: isl.Map
) -> bool:
    """Whether components are the same function of coordinates that a relation keeps equal.

    Comparing coordinates spares isl the pieces of the functions.
    """
    if a.rule != b.rule:
        return False
    there = ", ".join(f"{v.name}_" for v in sink.dims)
    equal = f"{source.instances} -> {sink.statement.name}[{there}] : {a.of} = {b.of}_"
    return bool(relation.is_subset(isl.Map(f"{{ {equal} }}")))


def _compare(a: Component, b: Component, how: str, relation: isl.Map) -> isl.Map:
    """Pairs of instances whose components compare as asked: `eq` or `gt`."""
    first = _function(a, relation.get_space().domain())
    second = _function(b, relation.get_space().range())
    return first.eq_map(second) if how == "eq" else first.gt_map(second)


def _function(component: Component, space: isl.Space) -> isl.PwAff:
    if component.text:
        return component.function
    local = isl.LocalSpace.from_space(space)
    return isl.PwAff.from_aff(isl.Aff.val_on_domain(local, isl.Val(component.constant)))
