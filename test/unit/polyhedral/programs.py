"""Hypothesis strategies: small programs over affine accesses, and plans for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from canao.polyhedral.index import Index, Variable
from canao.polyhedral.statement import Access, Array, Program, Statement
from canao.polyhedral.timing import Nest, Plan

Draw = Callable[..., Any]


def dimensions(extents: Sequence[int]) -> tuple[Variable, ...]:
    return tuple(Variable(f"d{n}", extent) for n, extent in enumerate(extents))


@st.composite
def indices(draw: st.DrawFn, dims: Sequence[Variable]) -> Index:
    """Sums of multiples, and quotients of them, small enough to stay readable."""
    total = Index.constant(draw(st.integers(-2, 2)))
    for variable in dims:
        total = total + Index.of(variable) * draw(st.integers(-3, 3))
    kind = draw(st.sampled_from(("plain", "quotient", "remainder", "both")))
    divisor = draw(st.integers(2, 4))
    if kind == "quotient":
        return total // divisor
    if kind == "remainder":
        return total % divisor
    return (total // divisor) * 2 + total % 3 if kind == "both" else total


def _access(draw: Draw, array: Array, dims: Sequence[Variable]) -> Access:
    """Mostly one dimension an index, as in real programs; sometimes something odd."""
    index: list[Index | None] = []
    for extent in array.shape:
        fitting = [v for v in dims if v.extent <= extent]
        odd = draw(st.integers(0, 9))
        if odd == 0 or not fitting:
            index.append(Index.constant(draw(st.integers(0, extent - 1))))
        elif odd == 1:
            index.append(draw(indices(dims)) % extent)
        elif odd == 2:
            index.append(Index.of(draw(st.sampled_from(fitting))) * -1 + (extent - 1))
        else:
            index.append(Index.of(draw(st.sampled_from(fitting))))
    if index and draw(st.integers(0, 14)) == 0:
        index[0] = None
    return Access(array.name, tuple(index))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A few statements that share the extents of their leading dimensions."""
    extents = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2))
    shapes = [
        [*extents[: draw(st.integers(1, 2))], *draw(st.lists(st.integers(1, 4), max_size=1))]
        for _ in range(4)
    ]
    arrays = [
        Array(f"v{n}", tuple(shape), given=n == 0, private=n > 0 and draw(st.booleans()))
        for n, shape in enumerate(shapes)
    ]
    statements: list[Statement] = []
    for n in range(draw(st.integers(1, 3))):
        parallel = dimensions([*extents, *draw(st.lists(st.integers(1, 3), max_size=1))])
        reduction = draw(st.booleans())
        reduced = draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)) if reduction else []
        dims = dimensions([v.extent for v in parallel] + reduced)
        target = draw(st.sampled_from(arrays[1:]))
        write = _access(draw, target, parallel)
        write = Access(target.name, tuple(i or Index() for i in write.index))
        written = {target.name} | {a.array for s in statements for a in s.writes}
        # Mostly what someone has written, so that there is something to keep.
        sources = [a for a in arrays if a.name in written or a.given]
        sources = [a for a in sources if a.name != target.name or not reduction]
        count = draw(st.integers(0, 2))
        reads = tuple(_access(draw, draw(st.sampled_from(sources)), dims) for _ in range(count))
        statements.append(Statement(f"s{n}", dims, len(parallel), reads, (write,), reduction))
    return Program(tuple(statements), tuple(arrays))


@st.composite
def plans(draw: st.DrawFn, program: Program) -> Plan:
    """Any plan that is well formed, legal or not."""
    nests: list[Nest] = []
    for statement in program.statements:
        order = tuple(draw(st.permutations(range(statement.parallel))))
        tile = tuple(draw(st.integers(1, 4)) for _ in statement.dims)
        vector = draw(st.sampled_from((None, *range(len(statement.dims)))))
        free = [d for d in range(statement.parallel) if d != vector]
        turns = not statement.reduction and vector in range(statement.parallel)
        across = draw(st.sampled_from((None, *free))) if turns else None
        nests.append(Nest(order, tile, vector, across))
    shared = 0
    for extents in zip(*(s.extents for s in program.statements), strict=False):
        if len(set(extents)) > 1:
            break
        shared += 1
    band = tuple(draw(st.integers(1, 4)) for _ in range(draw(st.integers(0, shared))))
    count = len(program.statements)
    sequence = tuple(draw(st.permutations(range(count)))) if draw(st.integers(0, 3)) == 0 else ()
    return Plan(band, tuple(nests), draw(st.sampled_from((1, 2, 4))), sequence)
