"""The proofs agree with running every instance, on small random programs."""

from __future__ import annotations

import islpy as isl
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from unit.polyhedral import brute_force
from unit.polyhedral.programs import plans, programs

from canao.polyhedral.domain import coordinates
from canao.polyhedral.legality import Proof, check
from canao.polyhedral.statement import Program
from canao.polyhedral.timing import Timing, timings

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_verdict_agrees_with_every_pair_of_accesses(data: st.DataObject):
    program = data.draw(programs())
    plan = data.draw(plans(program))
    found = check(program, plan)
    event("legal" if isinstance(found, Proof) else found.rule)
    assert isinstance(found, Proof) == brute_force.legal(program, plan), found
    if isinstance(found, Proof):
        as_written = brute_force.results(program, None)
        for backwards in (False, True):
            assert brute_force.results(program, plan, backwards) == _shared(program, as_written)


def _shared(program: Program, memory: brute_force.Memory) -> brute_force.Memory:
    return {e: v for e, v in memory.items() if not program.by_name[e[0]].private}


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_times_are_those_of_the_loops(data: st.DataObject):
    program = data.draw(programs())
    plan = data.draw(plans(program))
    times = timings(program, plan)
    seen: list[tuple[int, ...]] = []
    for task in brute_force.tasks(program, plan):
        slots = [{_time(times[n], point) for n, point in slot} for slot in task]
        assert all(len(slot) == 1 for slot in slots), "the instances of a slot share one time"
        order = [max(slot) for slot in slots]
        assert order == sorted(set(order)), "slots run in the order of their times"
        seen += {time[: len(plan.band)] for time in order}
    assert len(seen) == len(set(seen)), "a task has numbers of its own"


def _time(timing: Timing, point: tuple[int, ...]) -> tuple[int, ...]:
    relation = timing.schedule_map
    for n, coordinate in enumerate(point):
        relation = relation.fix_val(isl.dim_type.in_, n, coordinate)
    return coordinates(relation.range())
