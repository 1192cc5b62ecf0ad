"""Dependences: which instance must run after which, and because of what array.

Flow: a read of what was last written, by isl's dataflow analysis of the program
as written. Anti: a write over what was read. Output: a write over what was
written. Reduction: an accumulation into one element, whose order is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import islpy as isl

from canao.polyhedral.access_relation import touched
from canao.polyhedral.statement import Array, Program, Statement


class Kind(StrEnum):
    """Why one instance must run after another."""

    FLOW = "flow"
    ANTI = "anti"
    OUTPUT = "output"
    REDUCTION = "reduction"


@dataclass(frozen=True)
class Dependence:
    """`relation` takes an instance of `source` to those of `sink` that depend on it.

    Both are numbers of statements in the program.
    """

    kind: Kind
    source: int
    sink: int
    array: str
    relation: isl.Map

    def describe(self, program: Program) -> str:
        """In words: `flow dependence mul2 -> add on 'temp'`."""
        source, sink = (program.statements[n].name for n in (self.source, self.sink))
        return f"{self.kind} dependence {source} -> {sink} on '{self.array}'"


@dataclass(frozen=True)
class Undefined:
    """Instances of a statement that read elements which no one has written."""

    reader: int
    array: str
    relation: isl.Map


@dataclass(frozen=True)
class _Uses:
    """The access relations of one array: statement number -> relation."""

    array: Array
    reads: dict[int, isl.Map]
    writes: dict[int, isl.Map]


def dependences(program: Program) -> tuple[tuple[Dependence, ...], tuple[Undefined, ...]]:
    """All dependences of a program, and the reads that have no source."""
    found: list[Dependence] = []
    undefined: list[Undefined] = []
    for array in program.arrays:
        if program.made(array.name):
            uses = _uses(program, array)
            found += _of_array(program, uses, undefined)
    found += _overwriting(program)
    return tuple(found), tuple(undefined)


def _overwriting(program: Program) -> Iterator[Dependence]:
    """Between arrays in one memory: the earlier one is done with before the other is written."""
    memories: dict[str, list[_Uses]] = {}
    for array in program.arrays:
        memories.setdefault(array.holder or array.name, []).append(_uses(program, array))
    for sharing in memories.values():
        sharing.sort(key=lambda uses: min(uses.writes, default=-1))
        for k, before in enumerate(sharing):
            for after in sharing[k + 1 :]:
                yield from _overwritten(program, before, after)


def _overwritten(program: Program, before: _Uses, after: _Uses) -> Iterator[Dependence]:
    name = after.array.name
    for kind, earlier in ((Kind.ANTI, before.reads), (Kind.OUTPUT, before.writes)):
        for source, first in earlier.items():
            here = first.set_tuple_name(isl.dim_type.out, name)
            for sink, second in after.writes.items():
                relation = here.apply_range(second.reverse())
                if source == sink:
                    # An instance reads before it writes.
                    relation = relation.subtract(isl.Map.identity(relation.get_space()))
                if not relation.is_empty():
                    yield Dependence(kind, source, sink, name, relation)


def _uses(program: Program, array: Array) -> _Uses:
    reads: dict[int, isl.Map] = {}
    writes: dict[int, isl.Map] = {}
    for n, statement in enumerate(program.statements):
        for into, accesses in (
            (reads, statement.read(array.name)),
            (writes, statement.written(array.name)),
        ):
            if accesses:
                into[n] = touched(statement, accesses, program.by_name)
    return _Uses(array, reads, writes)


def _of_array(program: Program, uses: _Uses, undefined: list[Undefined]) -> Iterator[Dependence]:
    name = uses.array.name
    order = _written_order(program, uses)
    yield from _flow(program, uses, order, undefined)
    for n, write in uses.writes.items():
        statement = program.statements[n]
        if statement.reduction:
            own = _accumulations(statement, write).intersect(_earlier(statement))
            if not own.is_empty():
                yield Dependence(Kind.REDUCTION, n, n, name, own)
    if not _written_once(program, uses):
        yield from _conflicts(program, uses)


def _conflicts(program: Program, uses: _Uses) -> Iterator[Dependence]:
    """Anti and output dependences: every pair, not only the nearest.

    Nearest ones chain up to the others, but a chain that passes through another
    task's copy of a private array holds nothing together.
    """
    name = uses.array.name
    for kind, earlier in ((Kind.ANTI, uses.reads), (Kind.OUTPUT, uses.writes)):
        for source, first in earlier.items():
            for sink, second in uses.writes.items():
                if source > sink:
                    continue
                relation = first.apply_range(second.reverse())
                if source == sink:
                    statement = program.statements[sink]
                    relation = relation.intersect(_earlier(statement))
                    if kind is Kind.OUTPUT and statement.reduction:
                        relation = relation.subtract(_accumulations(statement, second))
                if not relation.is_empty():
                    yield Dependence(kind, source, sink, name, relation)


def _flow(
    program: Program, uses: _Uses, order: isl.UnionMap, undefined: list[Undefined]
) -> Iterator[Dependence]:
    if not uses.reads:
        return
    name = uses.array.name
    info = isl.UnionAccessInfo.from_sink(_union(uses.reads))
    info = info.set_must_source(_union(uses.writes)).set_schedule_map(order)
    flow = info.compute_flow()
    for source, sink, relation in _split(program, flow.get_must_dependence()):
        if program.statements[source].reduction:
            # Dataflow names the last accumulation; a reader of a total waits for all of them.
            relation = relation.apply_domain(
                _accumulations(program.statements[source], uses.writes[source])
            )
        yield Dependence(Kind.FLOW, source, sink, name, relation)
    if uses.array.given:
        return
    missing = flow.get_must_no_source()
    for n, read in uses.reads.items():
        rest = missing.intersect(isl.UnionMap.from_map(read))
        if not rest.is_empty():
            undefined.append(Undefined(n, name, isl.Map.from_union_map(rest)))


def _written_order(program: Program, uses: _Uses) -> isl.UnionMap:
    """The time of every instance in the program as written."""
    numbers = sorted(uses.reads.keys() | uses.writes.keys())
    depth = max(len(program.statements[n].dims) for n in numbers)
    parts: list[str] = []
    for n in numbers:
        statement = program.statements[n]
        dims = [v.name for v in statement.dims]
        time = [str(n), *dims, *["0"] * (depth - len(dims))]
        parts.append(f"{statement.name}[{', '.join(dims)}] -> [{', '.join(time)}]")
    return isl.UnionMap(f"{{ {'; '.join(parts)} }}")


def _union(relations: dict[int, isl.Map]) -> isl.UnionMap:
    union: isl.UnionMap | None = None
    for relation in relations.values():
        one = isl.UnionMap.from_map(relation)
        union = one if union is None else union.union(one)
    assert union is not None
    return union


def _split(program: Program, found: isl.UnionMap) -> list[tuple[int, int, isl.Map]]:
    """Relations by pair of statements: (source, sink, relation)."""
    number = {s.name: n for n, s in enumerate(program.statements)}
    pairs: list[tuple[int, int, isl.Map]] = []

    def add(relation: isl.Map) -> None:
        source = number[relation.get_tuple_name(isl.dim_type.in_)]
        sink = number[relation.get_tuple_name(isl.dim_type.out)]
        pairs.append((source, sink, relation))

    found.foreach_map(add)
    return sorted(pairs, key=lambda pair: pair[:2])


def _accumulations(statement: Statement, write: isl.Map) -> isl.Map:
    """Pairs of instances that accumulate into one total: they differ in reduced dimensions only."""
    same = write.apply_range(write.reverse())
    first = [v.name for v in statement.dims]
    second = [n if d < statement.parallel else f"{n}_" for d, n in enumerate(first)]
    text = f"{statement.name}[{', '.join(first)}] -> {statement.name}[{', '.join(second)}]"
    return same.intersect(isl.Map(f"{{ {text} }}"))


def _earlier(statement: Statement) -> isl.Map:
    """Pairs of instances of a statement, the first earlier in the program as written."""
    text = ", ".join(v.name for v in statement.dims)
    space = isl.Set(f"{{ {statement.name}[{text}] }}").get_space()
    return isl.Map.lex_lt(space)


def _written_once(program: Program, uses: _Uses) -> bool:
    """Whether no element is written twice (a total counts once) nor read before it is written.

    Then there are neither anti nor output dependences, and no need to ask isl.
    """
    if len(uses.writes) > 1 or min(uses.reads, default=len(program.statements)) <= min(uses.writes):
        return False
    ((n, write),) = uses.writes.items()
    statement = program.statements[n]
    if not statement.reduction:
        return bool(write.is_injective())
    same = write.apply_range(write.reverse())
    return bool(same.is_subset(_accumulations(statement, write)))
