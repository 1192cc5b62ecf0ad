"""Hoisted statements are proved legal only where running them gives the right values."""

from __future__ import annotations

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from unit.polyhedral import brute_force
from unit.polyhedral.programs import dimensions, indices

from canao.polyhedral.index import Index
from canao.polyhedral.legality import Proof, check
from canao.polyhedral.statement import Access, Array, Program, Statement
from canao.polyhedral.timing import Hoist, Nest, Plan, timings

SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much)


@st.composite
def hoists(draw: st.DrawFn) -> tuple[Program, Plan]:
    """A producer, a value made from it inside the loops of a third statement, and that."""
    extents = draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    dims = dimensions(extents)
    kept = tuple(draw(st.permutations(range(len(dims))))[: draw(st.integers(1, len(dims)))])
    own = dimensions([extents[d] for d in kept])
    place = {d: Index.of(own[k]) for k, d in enumerate(kept)}
    shapes = {"made": tuple(extents), "temp": tuple(extents[d] for d in kept)}

    def somewhere(like: Index, extent: int, names: tuple[object, ...]) -> Index:
        odd = draw(st.integers(0, 5)) == 0
        return draw(indices(own if names is own else dims)) % extent if odd else like

    source = Access(
        "made",
        tuple(somewhere(place.get(d, Index()), extents[d], own) for d in range(len(dims))),
    )
    read = Access("temp", tuple(somewhere(Index.of(dims[d]), extents[d], dims) for d in kept))
    whole = tuple(Index.of(v) for v in dims)
    at = tuple(Index.of(v) for v in own)
    statements = (
        Statement("make", dims, len(dims), (), (Access("made", whole),)),
        Statement("hoisted", own, len(own), (source,), (Access("temp", at),)),
        Statement("host", dims, len(dims), (read,), (Access("out", whole),)),
    )
    arrays = (
        Array("made", shapes["made"], private=draw(st.booleans())),
        Array("temp", shapes["temp"], private=True),
        Array("out", shapes["made"]),
    )
    orders = [tuple(draw(st.permutations(range(len(dims))))) for _ in range(2)]
    tiles = [tuple(draw(st.integers(1, 3)) for _ in dims) for _ in range(2)]
    band = tuple(draw(st.integers(1, 4)) for _ in range(draw(st.integers(0, len(dims)))))
    make, host = (Nest(order, tile) for order, tile in zip(orders, tiles, strict=True))
    sequence = (2, 1, 0) if draw(st.integers(0, 5)) == 0 else ()
    hoist = Hoist(2, draw(st.integers(0, len(dims))), kept)
    return Program(statements, arrays), Plan(band, (make, hoist, host), 1, sequence)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(hoists())
def test_verdict_agrees_with_execution(case: tuple[Program, Plan]):
    program, plan = case
    found = check(program, plan)
    event("legal" if isinstance(found, Proof) else found.rule)
    expected = {e: v for e, v in brute_force.results(program, None).items() if e[0] == "out"}
    right = all(
        {e: v for e, v in brute_force.results(program, plan, order).items() if e[0] == "out"}
        == expected
        for order in (False, True)
    )
    if isinstance(found, Proof):
        assert right
        return
    # Reading what an earlier iteration of a recomputing loop has left is refused, right or not.
    assert not right or timings(program, plan)[1].copies, found
