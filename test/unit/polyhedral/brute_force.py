"""Programs run instance by instance, and legality decided by looking at every pair of accesses.

Written without isl: the loops of a plan are walked as the emitters nest them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from canao.polyhedral.index import Index
from canao.polyhedral.split import Segment, split_by_width, split_evenly
from canao.polyhedral.statement import Access, Program, Statement
from canao.polyhedral.timing import Hoist, Nest, Plan, band_segments

Instance = tuple[int, tuple[int, ...]]
Element = tuple[str, tuple[int, ...]]
Slot = list[Instance]
Task = list[Slot]
"""What one task runs: slots in order, the instances of one slot at once."""


def value(index: Index, statement: Statement, point: Sequence[int]) -> int:
    for variable, at in zip(statement.dims, point, strict=True):
        index = index.substitute(variable, at)
    assert not index.terms
    return index.offset


def touches(program: Program, instance: Instance, accesses: Sequence[Access]) -> list[Element]:
    statement = program.statements[instance[0]]
    found: list[Element] = []
    for access in accesses:
        shape = program.by_name[access.array].shape
        choices = [
            range(extent) if index is None else [value(index, statement, instance[1])]
            for index, extent in zip(access.index, shape, strict=True)
        ]
        found += [(access.array, element) for element in product(*choices)]
    return found


def instances(program: Program) -> Iterator[Instance]:
    """In the order in which the program is written."""
    for n, statement in enumerate(program.statements):
        for point in product(*(range(e) for e in statement.extents)):
            yield n, point


def in_bounds(program: Program) -> bool:
    for n, point in instances(program):
        statement = program.statements[n]
        for name, element in touches(program, (n, point), (*statement.reads, *statement.writes)):
            shape = program.by_name[name].shape
            if not all(0 <= e < extent for e, extent in zip(element, shape, strict=True)):
                return False
    return True


# ------------------------------------------------------------------ schedules


def tasks(program: Program, plan: Plan) -> list[Task]:
    """The tasks of a plan, each as its slots in order."""
    segments = [band_segments(program, plan, b) for b in range(len(plan.band))]
    ranges = [[part for s in of_dim for part in _parts(s)] for of_dim in segments]
    out: list[Task] = []
    for parts in product(*ranges):
        slots: Task = []
        order = plan.sequence or tuple(range(len(program.statements)))
        for n in order:
            if isinstance(plan.nests[n], Nest):
                _Walker(program, plan, n, slots).nest(list(parts))
        out.append(slots)
    return out


def _parts(segment: Segment) -> list[range]:
    starts = (segment.start + k * segment.size for k in range(segment.count))
    return [range(start, start + segment.size) for start in starts]


@dataclass
class _Walker:
    program: Program
    plan: Plan
    n: int
    slots: Task

    def __post_init__(self) -> None:
        self.statement = self.program.statements[self.n]
        nest = self.plan.nests[self.n]
        assert isinstance(nest, Nest)
        self.schedule = nest

    def nest(self, parts: list[range]) -> None:
        parts += [range(e) for e in self.statement.extents[len(parts) :]]
        self._loop(parts, 0)

    def _loop(self, parts: list[range], depth: int) -> None:
        for m, hoist in enumerate(self.plan.nests):
            if isinstance(hoist, Hoist) and (hoist.host, hoist.depth) == (self.n, depth):
                points = product(*(parts[d] for d in hoist.dims))
                self.slots.append([(m, point) for point in points])
        if depth == len(self.schedule.order):
            self._reduce(parts, self.statement.parallel)
            return
        d = self.schedule.order[depth]
        for part in self._tiles(d, parts[d]):
            self._loop([*parts[:d], part, *parts[d + 1 :]], depth + 1)

    def _reduce(self, parts: list[range], d: int) -> None:
        if d == len(parts):
            self.slots.append([(self.n, point) for point in product(*parts)])
            return
        pieces = [range(k, k + 1) for k in parts[d]]
        for part in self._tiles(d, parts[d]) if d == self.schedule.vector else pieces:
            self._reduce([*parts[:d], part, *parts[d + 1 :]], d + 1)

    def _tiles(self, d: int, part: range) -> list[range]:
        tile = self.schedule.tile[d]
        segments = (
            split_by_width(len(part), tile, self.plan.lanes)
            if d in (self.schedule.vector, self.schedule.across)
            else split_evenly(len(part), tile)
        )
        return [
            range(part.start + r.start, part.start + r.stop) for s in segments for r in _parts(s)
        ]


# ------------------------------------------------------------------- legality


@dataclass
class _History:
    """Accesses of one element so far."""

    readers: list[Instance] = field(default_factory=list[Instance])
    writers: list[Instance] = field(default_factory=list[Instance])


def legal(program: Program, plan: Plan) -> bool:
    """Whether a plan without hoists keeps every conflict in order and within a task."""
    if not in_bounds(program):
        return False
    when = {
        instance: (t, k)
        for t, task in enumerate(tasks(program, plan))
        for k, slot in enumerate(task)
        for instance in slot
    }

    def ordered(x: Instance, y: Instance, private: bool) -> bool:
        same_task = when[x][0] == when[y][0]
        return (same_task and when[x][1] < when[y][1]) or (private and not same_task)

    history: dict[Element, _History] = {}
    for y in instances(program):
        statement = program.statements[y[0]]
        for element in touches(program, y, statement.reads):
            array = program.by_name[element[0]]
            past = history.setdefault(element, _History())
            sources = _last_writers(program, past.writers)
            if not sources and program.made(array.name) and not array.given:
                return False
            if not all(ordered(x, y, False) for x in sources):
                return False
            if not all(ordered(x, y, array.private) for x in past.writers):
                return False
        for element in touches(program, y, statement.writes):
            private = program.by_name[element[0]].private
            past = history.setdefault(element, _History())
            for x in (*past.readers, *past.writers):
                if x != y and x in past.writers and _one_total(program, x, y):
                    if when[x][0] != when[y][0]:
                        return False
                elif x != y and not ordered(x, y, private):
                    return False
        for element in touches(program, y, statement.reads):
            history[element].readers.append(y)
        for element in touches(program, y, statement.writes):
            history[element].writers.append(y)
    return True


def _one_total(program: Program, x: Instance, y: Instance) -> bool:
    statement = program.statements[x[0]]
    p = statement.parallel
    return x[0] == y[0] and statement.reduction and x[1][:p] == y[1][:p]


def _last_writers(program: Program, writers: Sequence[Instance]) -> list[Instance]:
    if not writers:
        return []
    last = writers[-1]
    return [x for x in writers if x == last or _one_total(program, x, last)]


# ------------------------------------------------------------------ execution

Memory = dict[Element, object]


def run(program: Program, slots: Sequence[Slot], memory: Memory, scratch: Memory) -> None:
    """Runs slots: all instances of one read, then all write. Values are terms."""
    for slot in slots:
        results: list[tuple[Instance, object]] = []
        for instance in slot:
            statement = program.statements[instance[0]]
            read = [
                _of(program, e, memory, scratch).get(e, e)
                for e in touches(program, instance, statement.reads)
            ]
            results.append((instance, hash((instance, tuple(read)))))
        for instance, result in results:
            statement = program.statements[instance[0]]
            for element in touches(program, instance, statement.writes):
                into = _of(program, element, memory, scratch)
                if statement.reduction:
                    key = (instance[0], instance[1][: statement.parallel])
                    before = into.get(element)
                    mine = isinstance(before, _Total) and before.key == key
                    terms = before.terms if mine and isinstance(before, _Total) else frozenset()
                    into[element] = _Total(key, terms | {result})
                else:
                    into[element] = result


@dataclass(frozen=True)
class _Total:
    """A sum of terms in any order."""

    key: tuple[int, tuple[int, ...]]
    terms: frozenset[object]


def _of(program: Program, element: Element, memory: Memory, scratch: Memory) -> Memory:
    return scratch if program.by_name[element[0]].private else memory


def results(program: Program, plan: Plan | None, backwards: bool = False) -> Memory:
    """The shared arrays after running a plan's tasks one by one; without a plan, as written."""
    memory: Memory = {}
    if plan is None:
        run(program, [[i] for i in instances(program)], memory, {})
        return memory
    for task in tasks(program, plan)[:: -1 if backwards else 1]:
        run(program, task, memory, {})
    return memory
