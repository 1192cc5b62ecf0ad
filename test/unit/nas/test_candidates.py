"""Candidates that fail, diverge, crash, hang or take all memory; measuring one at a time."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from unit.nas.children import bad_child
from unit.nas.search_support import SPACE, TableEvaluator, TableMeter, latency_of

from canao.building.cache import Cache
from canao.errors import CandidateError, SearchError
from canao.nas.isolate import run_in_child
from canao.nas.measuring.device_lock import measuring
from canao.nas.measuring.latency import DeviceLatency, measure_in_turns
from canao.nas.search import search
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, Sizes
from canao.nas.study.study import interrupt, open_storage

TEST = Path(__file__).resolve().parents[2]


def _meter(cache: Cache, monkeypatch: pytest.MonkeyPatch, time_limit: float = 60) -> DeviceLatency:
    monkeypatch.setenv("PYTHONPATH", str(TEST))
    return DeviceLatency(
        cache, child="unit.nas.children.bad_child", time_limit=time_limit, memory_bytes=1 << 30
    )


@pytest.mark.parametrize(
    ("hidden", "reason"),
    [
        (bad_child.REFUSED, "failed: operator 'aten.odd' is not supported"),
        (bad_child.CRASH, "crashed (SIGSEGV)"),
        (bad_child.HANG, "hung: it did not end within 3 s"),
        (bad_child.HUNGRY, "ran out of memory"),
        (bad_child.KILLED, "was killed, most likely because memory ran out"),
        (bad_child.SILENT, "ended without a result"),
        (bad_child.TORCH, "ran out of memory"),
    ],
)
def test_a_bad_candidate_has_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: int, reason: str
) -> None:
    meter = _meter(Cache(tmp_path), monkeypatch, 3 if hidden == bad_child.HANG else 60)
    with pytest.raises(CandidateError) as caught:
        meter.measure(Architecture(hidden, 1, (8,)))
    assert reason in str(caught.value)
    # The lock is free again.
    with measuring(meter.locks):
        pass


def test_architectures_take_turns_in_one_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = _meter(Cache(tmp_path), monkeypatch)
    both = [Architecture(bad_child.FINE, 1, (size,)) for size in (8, 16)]
    assert [found.latency_ms for found in measure_in_turns(meter, both)] == [1.5, 1.5]
    # It is remembered, and anew each time that it is asked for.
    monkeypatch.setattr("canao.nas.measuring.latency.run_in_child", None)
    assert all(meter.measure(one).latency_ms == 1.5 for one in both)
    with pytest.raises(TypeError):
        measure_in_turns(meter, both)


def test_a_good_candidate_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = _meter(Cache(tmp_path), monkeypatch)
    fine = Architecture(bad_child.FINE, 1, (8,))
    found = meter.measure(fine)
    assert (found.latency_ms, found.fused_layers) == (1.5, 7)
    monkeypatch.setattr("canao.nas.measuring.latency.run_in_child", None)
    assert meter.measure(fine) == found
    with pytest.raises(TypeError):
        meter.measure(fine, again=True)


def test_a_child_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TEST))
    told: list[tuple[str, int, int]] = []
    job = {"architectures": [{"hidden_size": bad_child.TELLING}]}
    run_in_child(
        "unit.nas.children.bad_child",
        job,
        what="it",
        time_limit=None,
        progress=lambda *row: told.append(row),
    )
    assert told[-1] == ("counting", 3, 3)
    assert told == sorted(told)
    # Where nobody listens it tells nothing.
    run_in_child("unit.nas.children.bad_child", job, what="it", time_limit=None)


def test_the_search_goes_on_after_bad_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trainer(TableEvaluator):
        def accuracy(
            self, architecture: Architecture, *, steps: int, seed: int, directory: Path
        ) -> float:
            failures = {1: math.nan, 2: 2.0}
            count = architecture.num_blocks
            if count == 3:
                raise RuntimeError("loss is\nnot finite")
            if count == 4:
                raise MemoryError
            return failures.get(count, 0.5)

    space = SearchSpace(Sizes(1, 5), Sizes(32, 256, 32), Sizes(64, 128, 64))
    result = search(
        Trainer(sizes=space),
        trials=9,
        sampler="random",
        out=tmp_path / "out",
        meter=_meter(Cache(tmp_path / "cache"), monkeypatch, 4),
        cache_dir=tmp_path / "cache",
        seed=3,
    )
    trials = result.study.get_trials()
    assert len(trials) == 9
    failed = [t for t in trials if t.state is TrialState.FAIL]
    assert len(failed) >= 5
    assert all(t.user_attrs["reason"] for t in failed)
    page = (tmp_path / "out" / "report.html").read_text()
    assert str(failed[0].user_attrs["reason"]).split("(")[0][:20] in page


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "training diverged: the accuracy is nan"),
        (1.5, "training diverged: the accuracy is 1.5"),
        (RuntimeError("loss is\nnot finite"), "training failed: RuntimeError: loss is not finite"),
        (MemoryError(), "training ran out of memory"),
    ],
)
def test_a_search_in_which_all_fail_ends_with_the_reason(
    tmp_path: Path, value: object, reason: str
) -> None:
    class Trainer(TableEvaluator):
        def accuracy(
            self, architecture: Architecture, *, steps: int, seed: int, directory: Path
        ) -> float:
            if isinstance(value, Exception):
                raise value
            assert isinstance(value, float)
            return value

    with pytest.raises(SearchError) as caught:
        search(
            Trainer(),
            trials=30,
            sampler="random",
            out=tmp_path,
            meter=TableMeter(),
            cache_dir=tmp_path / "cache",
        )
    assert "the last 10 candidates all failed" in str(caught.value)
    assert reason in str(caught.value)


def test_what_is_beyond_the_budget_is_never_trained(tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = search(
        TableEvaluator(log=log),
        trials=12,
        budget_ms=0.5,
        sampler="random",
        out=tmp_path / "out",
        meter=TableMeter(),
        cache_dir=tmp_path / "cache",
    )
    rejected = [t for t in result.study.get_trials() if t.state is TrialState.PRUNED]
    assert rejected
    trained = {line.split()[0] for line in log.read_text().splitlines()}
    for trial in rejected:
        assert "beyond the budget of 0.5" in trial.user_attrs["reason"]
        assert trial.user_attrs["architecture"] not in trained
    assert result.best is not None
    assert latency_of(result.best.architecture) <= 0.5


def test_little_training_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = search(
        TableEvaluator(log=log, fidelities=(1, 10, 100)),
        trials=16,
        budget_ms=100,
        sampler="random",
        out=tmp_path / "out",
        meter=TableMeter(),
        cache_dir=tmp_path / "cache",
    )
    steps = [int(line.split()[1]) for line in log.read_text().splitlines()]
    assert steps.count(1) > steps.count(10) > steps.count(100) > 0
    stopped = [t for t in result.study.get_trials() if t.state is TrialState.PRUNED]
    assert any("others did better" in t.user_attrs["reason"] for t in stopped)
    assert result.best is not None
    assert "100" in result.best.rungs


def test_a_trial_that_was_given_up_meanwhile(tmp_path: Path) -> None:
    """A worker that was silent for long finds its trial given away, and goes on with others."""
    storage = open_storage(f"sqlite:///{tmp_path / 'study.sqlite'}")

    class Trainer(TableEvaluator):
        def accuracy(
            self, architecture: Architecture, *, steps: int, seed: int, directory: Path
        ) -> float:
            study = optuna.load_study(study_name="canao", storage=storage)
            (running,) = study.get_trials(states=(TrialState.RUNNING,))
            if running.number == 0:
                interrupt(study, storage, running)
            return super().accuracy(architecture, steps=steps, seed=seed, directory=directory)

    result = search(
        Trainer(), trials=3, out=tmp_path, meter=TableMeter(), cache_dir=tmp_path / "cache"
    )
    states = [t.state for t in result.study.get_trials()]
    assert states == [TrialState.FAIL, *[TrialState.COMPLETE] * 3]
    assert result.study.get_trials()[1].user_attrs["retry_of"] == 0


def test_equal_candidates_cost_nothing(tmp_path: Path) -> None:
    log, meter = tmp_path / "log", TableMeter()
    tiny = SearchSpace(Sizes(1, 1), Sizes(32, 64, 32), Sizes(64, 64))
    result = search(
        TableEvaluator(log=log, sizes=tiny),
        trials=8,
        sampler="random",
        out=tmp_path / "out",
        meter=meter,
        cache_dir=tmp_path / "cache",
    )
    trials = result.study.get_trials()
    assert len(trials) == 8
    assert len(log.read_text().splitlines()) == 2
    assert sum("same_as" in t.user_attrs for t in trials) == 6
    assert SPACE.count > 2


_HOLD = """
import json, pathlib, sys, time
from canao.nas.measuring.device_lock import measuring, training
kind, directory, log = sys.argv[1:]
with {"m": measuring, "t": training}[kind](pathlib.Path(directory)):
    start = time.monotonic()
    time.sleep(0.3)
    row = [kind, start, time.monotonic()]
with open(log, "a") as file:
    file.write(json.dumps(row) + "\\n")
"""


def test_a_measurement_has_the_device_alone_and_trainings_share_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    kinds = "ttmtmt"
    command = [sys.executable, "-c", _HOLD]
    children = [subprocess.Popen([*command, kind, str(tmp_path), str(log)]) for kind in kinds]
    assert [child.wait(120) for child in children] == [0] * len(kinds)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(row[0] for row in rows) == sorted(kinds)
    alone: Sequence[list[float]] = [row for row in rows if row[0] == "m"]
    for measured in alone:
        for other in rows:
            if other is not measured:
                assert other[2] <= measured[1] or measured[2] <= other[1]
