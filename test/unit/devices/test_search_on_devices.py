"""The loop of a search with a device in it that is not this process."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from unit.nas.search_support import TableEvaluator

import canao
from canao.building.cache import Cache
from canao.errors import SearchError
from canao.nas.measuring.device import device_options, on_this_machine
from canao.nas.measuring.latency import Execution
from canao.nas.measuring.latency_child import compile_and_measure
from canao.nas.space.objectives import INSTRUCTIONS, Goal, Objective, default_goal
from canao.nas.space.space import SearchSpace, Sizes

TINY = SearchSpace(Sizes(1, 2), Sizes(32, 64, 32), Sizes(64, 128, 64))


def _search(tmp_path: Path, device: str, **values: Any) -> Any:
    given: dict[str, Any] = {"trials": 1, "sequence": 8, "finalists": 1}
    places: dict[str, Any] = {"out": tmp_path / "out"}
    return canao.search(TableEvaluator(sizes=TINY), device=device, **places, **given | values)


def test_what_a_candidate_costs_on_a_device(tmp_path: Path) -> None:
    """Measured as the child of a search does it, in this process."""
    options = device_options(
        "c", "local", threads=None, sequence=8, batch=1, tune="off", cache=Cache()
    )
    assert options["target"] == "c"
    assert on_this_machine(options) == {n: v for n, v in options.items() if n != "device"}
    job = {
        "architectures": [json.loads(TINY.smallest.to_json())],
        "turns": 1,
        "runs": 3,
        "time_limit": 60,
        "cache_dir": None,
        **options,
    }
    (found,) = compile_and_measure(job)["executions"]
    execution = Execution.from_mapping(found)
    assert execution.latency_ms is not None
    assert execution.latency_ms > 0
    assert execution.instructions is None
    assert execution.target.endswith("on this machine")
    assert (execution.utilization, execution.threads, execution.kernels) == ("not told", 1, ())


@pytest.mark.slow
def test_a_search_on_this_machine_as_a_device(tmp_path: Path) -> None:
    result = _search(tmp_path, "local")
    assert result.best is not None
    with pytest.raises(SearchError, match=r"another device"):
        canao.search(TableEvaluator(sizes=TINY), out=tmp_path / "out", sequence=8, trials=2)


@pytest.mark.slow
def test_five_candidates_on_an_emulated_phone(tmp_path: Path) -> None:
    """The cost is the number of instructions, and no report calls that milliseconds."""
    result = _search(tmp_path, "qemu:aarch64", trials=5)
    found = {
        candidate.architecture.key: candidate.execution
        for candidate in map(_candidate, result.study.get_trials(), [TINY] * 5)
    }
    assert len(result.study.get_trials()) == 5
    for execution in found.values():
        assert execution.latency_ms is None
        assert execution.instructions is not None
        # At most 4 multiply-adds an instruction; the rest is little in matrices this small.
        assert execution.flops / 8 < execution.instructions < 40 * execution.flops
        assert execution.target == "aarch64-linux-musl on " + execution.target.split(" on ")[1]
    ordered = sorted(found.values(), key=lambda execution: execution.flops)
    assert ordered[0].instructions < ordered[-1].instructions
    kept = json.loads((tmp_path / "out" / "best" / "found.json").read_text())
    assert kept["values"]["instructions"] == result.best.execution.instructions
    assert "latency_ms" not in kept["values"]
    page = (tmp_path / "out" / "report.html").read_text()
    body = page[page.index("<body>") :]
    assert "M instructions" in body
    assert " ms<" not in body
    assert "latency (ms)" not in body


def _candidate(trial: Any, space: SearchSpace) -> Any:
    from canao.nas.study.attributes import candidate_of

    architecture = space.architecture_of(trial.params)
    assert architecture is not None
    return candidate_of(trial, architecture)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"budget_ms": 5.0}, "counts instructions, which no milliseconds limit"),
        ({"goal": default_goal()}, "the goal has latency_ms and the device tells instructions"),
        ({"threads": 2, "device": "qemu:z80"}, "there is no qemu-z80"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    given = {"device": "qemu:aarch64"} | values
    with pytest.raises(canao.CanaoError, match=message):
        _search(tmp_path, **given)
    assert not (tmp_path / "out" / "study.sqlite").exists()


def test_a_goal_of_instructions() -> None:
    goal = default_goal(cost=INSTRUCTIONS, speedup=2.0)
    assert goal.cost == INSTRUCTIONS
    settled = goal.beside(1e6)
    assert settled.excess({INSTRUCTIONS: 500_001.0}) > 0
    assert settled.excess({INSTRUCTIONS: 499_999.0}) == 0
    assert "instructions" in settled.beyond({INSTRUCTIONS: 1e6})
    plain = Goal((Objective("accuracy"), Objective(INSTRUCTIONS, True)))
    few, many = ({"accuracy": 0.9, INSTRUCTIONS: count} for count in (1e6, 1e7))
    assert plain.reward(few) - plain.reward(many) == pytest.approx(math.log(10))
