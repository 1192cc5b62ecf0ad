"""What a search promises: a speed-up, a budget, an end. It keeps it, or says what it did not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from unit.nas.search_support import SPACE, TableEvaluator, TableMeter, latency_of

import canao
from canao.nas import trials
from canao.nas.ending import MEASURING, TRAINING
from canao.nas.measuring.latency import Execution
from canao.nas.report import output
from canao.nas.report.facts import MISSED_SPEED, MISSED_STEPS, MISSED_TIME, not_kept
from canao.nas.space.architecture import Architecture
from canao.nas.study import progress
from canao.nas.study.finalists import FINALISTS

TEACHER = SPACE.largest


@dataclass
class MovedMeter(TableMeter):
    """Measures what is asked again slower: some architectures, or all that are not the teacher."""

    slower: dict[str, float] = field(default_factory=dict[str, float])
    others: float = 1.0
    machine: float = 1.0
    """How much slower the machine is by then."""

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        found = super().measure(architecture, again=again)
        if not again:
            return found
        assert found.latency_ms is not None
        other = 1.0 if architecture == TEACHER else self.others
        factor = self.machine * self.slower.get(architecture.key, other)
        return replace(found, latency_ms=factor * found.latency_ms)


@dataclass
class Clock:
    """Seconds that pass only where somebody works."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (progress, trials):
        monkeypatch.setattr(module, "time", clock)

    def compiled(*arguments: object) -> None:
        clock.sleep(2)

    monkeypatch.setattr(output, "_compile", compiled)
    return clock


@dataclass
class ClockedMeter(TableMeter):
    """Takes two seconds for each measurement."""

    clock: Clock = field(default_factory=Clock)

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        self.clock.sleep(2)
        return super().measure(architecture, again=again)


@dataclass
class ClockedTable(TableEvaluator):
    """Takes a second for twenty steps or two hundred examples; its ending can be shortened."""

    clock: Clock = field(default_factory=Clock)
    final_steps: int = 100
    compared_examples: int = 1000
    finished: list[int] = field(default_factory=list[int])

    def prepare(self) -> None:
        self.clock.sleep(20)

    def with_final_steps(self, steps: int) -> ClockedTable:
        return replace(self, final_steps=steps)

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        self.clock.sleep(steps / 20)
        return super().accuracy(architecture, steps=steps, seed=seed, directory=directory)

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        self.clock.sleep(self.final_steps / 20)
        self.finished.append(self.final_steps)
        (out / "config.json").write_text("{}")
        told = super().finish(architecture, seed=seed, directory=directory, out=out)
        return {**told, "steps": self.final_steps}

    def compare(self, model: Path, device: Mapping[str, Any], cache_dir: Path) -> Mapping[str, Any]:
        self.clock.sleep(2 + 2 * self.compared_examples * latency_of(TEACHER) / 1000)
        return {}


def _search(out: Path, evaluator: TableEvaluator | None = None, **values: Any) -> Any:
    given: dict[str, Any] = {"trials": 8, "meter": TableMeter(), "sampler": "random"}
    judge = evaluator or TableEvaluator(reference=TEACHER)
    return canao.search(judge, out=out / "out", cache_dir=out / "cache", **given | values)


def _in_order(result: Any) -> list[str]:
    """Complete candidates, the best first."""
    done = [t for t in result.study.get_trials() if t.state is TrialState.COMPLETE]
    return [t.user_attrs["architecture"] for t in sorted(done, key=lambda t: -t.value)]


def test_a_finalist_that_is_slow_now_is_replaced(tmp_path: Path) -> None:
    first = _search(tmp_path / "a", speedup=2.0).best.architecture.key
    meter = MovedMeter(slower={first: 1000.0})
    result = _search(tmp_path / "b", speedup=2.0, meter=meter, finalists=1)
    assert first in _in_order(result)
    assert result.best.architecture.key not in ("", first)
    mine, theirs = result.facts["latency_ms"], result.facts["teacher's latency_ms"]
    assert theirs == latency_of(TEACHER)
    assert mine == latency_of(result.best.architecture)
    assert theirs / mine >= 2
    assert not_kept(result.facts) == []
    measured = result.study.user_attrs[FINALISTS]
    assert set(measured) == {first, result.best.architecture.key}


def test_a_slower_machine_is_slower_for_both(tmp_path: Path) -> None:
    """What holds a speed-up holds it on a machine that became slower, and the other way round."""
    found = _search(tmp_path / "a", speedup=2.0)
    slow = _search(tmp_path / "b", speedup=2.0, meter=MovedMeter(machine=3.0))
    assert slow.best.architecture == found.best.architecture
    assert not_kept(slow.facts) == []
    assert slow.facts["latency_ms"] == pytest.approx(3 * found.facts["latency_ms"])
    meter = MovedMeter(machine=0.2, others=1000.0)
    assert MISSED_SPEED in _search(tmp_path / "c", speedup=2.0, meter=meter).facts


def test_a_speed_up_that_no_candidate_holds(tmp_path: Path) -> None:
    result = _search(tmp_path, speedup=2.0, meter=MovedMeter(others=20.0), finalists=1)
    measured = result.study.user_attrs[FINALISTS]
    assert len(measured) >= 2
    mine, theirs = result.facts["latency_ms"], result.facts["teacher's latency_ms"]
    # The fastest of those that were measured.
    assert mine == min(row["latency_ms"] for row in measured.values())
    assert mine == 20 * latency_of(result.best.architecture)
    words = result.facts[MISSED_SPEED]
    times = int(100 * theirs / mine) / 100
    assert words == (
        f"{times:g} times as fast as the teacher, not the 2 that was asked for: none of "
        f"{len(measured)} candidates measured again held it"
    )
    for name in ("best/README.md", "report.html"):
        assert words in (tmp_path / "out" / name).read_text()


def test_a_budget_in_milliseconds(tmp_path: Path) -> None:
    evaluator = TableEvaluator()
    budget = latency_of(TEACHER) / 2
    result = _search(tmp_path, evaluator, budget_ms=budget, meter=MovedMeter(others=50.0))
    assert f"is beyond the budget of {budget:g}: " in result.facts[MISSED_SPEED]
    assert result.best is not None
    assert result.best.execution.latency_ms > budget


def test_time_is_for_the_whole_search(tmp_path: Path, clock: Clock) -> None:
    """Trials stop in time for the ending: finalist, last training, scores."""
    began = clock.now
    result, evaluator = _timed(tmp_path, clock, trials=10**3, time_budget=150.0)
    done = [t for t in result.study.get_trials() if t.state is TrialState.COMPLETE]
    # 2 s to measure and 5 s to train a candidate.
    assert {t.user_attrs[MEASURING] for t in done} == {2.0}
    assert {t.user_attrs[TRAINING] for t in done} == {5.0}
    assert 2 <= len(done) <= (150 - 20) / 7
    assert 110 < clock.now - began <= 150
    assert evaluator.finished == [100]
    assert not_kept(result.facts) == []


def test_the_last_training_is_cut_to_the_time_left(tmp_path: Path, clock: Clock) -> None:
    began = clock.now
    result, evaluator = _timed(tmp_path, clock, trials=1, time_budget=100.0, final_steps=10**5)
    (steps,) = evaluator.finished
    assert 100 < steps < 20 * 100
    assert 85 < clock.now - began <= 100
    assert result.facts["steps"] == steps
    words = f"trained for {steps} steps, not 100000: the time left allowed no more"
    assert not_kept(result.facts) == [words]
    assert result.facts[MISSED_STEPS] == words
    for name in ("best/README.md", "report.html"):
        assert words in (tmp_path / "out" / name).read_text()


def test_there_is_something_to_show_though_no_time_was_left(tmp_path: Path, clock: Clock) -> None:
    result, evaluator = _timed(tmp_path, clock, trials=8, time_budget=10.0, final_steps=500)
    assert evaluator.finished == [100]
    assert [t.state for t in result.study.get_trials()] == [TrialState.COMPLETE]
    words = result.facts[MISSED_TIME]
    assert re.fullmatch(
        r"took \d+ s, not the 10 that were given: the preparation took 20 s, the trials 7 s, "
        r"the ending \d+ s",
        words,
    )
    assert len(not_kept(result.facts)) == 2
    assert words in (tmp_path / "out" / "best" / "README.md").read_text()


def test_without_a_time_nothing_is_cut(tmp_path: Path, clock: Clock) -> None:
    result, evaluator = _timed(tmp_path, clock, trials=2, final_steps=10**5)
    assert evaluator.finished == [10**5]
    assert not_kept(result.facts) == []


def _timed(
    out: Path, clock: Clock, *, final_steps: int = 100, **values: Any
) -> tuple[Any, ClockedTable]:
    evaluator = ClockedTable(clock=clock, reference=TEACHER, final_steps=final_steps)
    meter = ClockedMeter(clock=clock)
    return _search(out, evaluator, meter=meter, finalists=1, **values), evaluator
