"""Tuning small layers. What is faster never decides a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from unit.runtime.tuning.tuning_support import (
    CRASH,
    ELEMENTWISE,
    HANG,
    PRODUCT,
    TINY,
    WRONG,
    new_tuner,
    only_record,
    spoil,
    tune,
)

from canao.building.cache import Cache
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.schedule import Schedule
from canao.tuning.database import Database, Measurement, Outcome, TuningKey
from canao.tuning.tuner import Tuner

_MEASURED = (Outcome.ok, Outcome.slow)


@pytest.fixture
def tuner(cache: Cache) -> Iterator[Tuner]:
    with closing(new_tuner(cache)) as made:
        yield made


@pytest.mark.parametrize("text", [PRODUCT, ELEMENTWISE], ids=["product", "elementwise"])
def test_the_winner_is_measured_and_remembered(tuner: Tuner, cache: Cache, text: str) -> None:
    program = tune(tuner, text)
    record = only_record(tuner)
    names = [m.name for m in record.measurements]
    assert program.kernels[0].variants_tried == tuple(names)
    assert 1 < len(names) <= 6
    assert record.best is not None
    assert record.best.outcome is Outcome.ok
    assert program.kernels[0].variant == record.best.name
    assert record.searched == "default"
    assert tuner.measured == sum(m.outcome in _MEASURED for m in record.measurements)
    assert all(m.cost and m.measured_at for m in record.measurements if m.outcome in _MEASURED)
    with closing(new_tuner(cache)) as again:
        assert tune(again, text).source == program.source
        assert again.measured == 0


def test_tiny_layers_are_left_to_the_model(tuner: Tuner) -> None:
    assert len(tune(tuner, TINY).kernels[0].variants_tried) == 1
    assert tuner.database.records() == ()


def test_full_goes_on_where_default_ended(tuner: Tuner, cache: Cache) -> None:
    tune(tuner, ELEMENTWISE)
    few = only_record(tuner)
    with closing(new_tuner(cache, "full")) as full:
        tune(full, ELEMENTWISE)
        many = only_record(full)
    assert many.searched == "full"
    assert set(few.measurements) <= set(many.measurements)
    tune(tuner, ELEMENTWISE)
    assert only_record(tuner) == many


@pytest.mark.parametrize(
    ("hook", "outcome", "reason"),
    [
        (CRASH, Outcome.crashed, "SIGSEGV"),
        (HANG, Outcome.timeout, "time limit"),
        (WRONG, Outcome.wrong, "1 of 196608 elements of output 0 are wrong: [2, 9] is"),
    ],
    ids=["crash", "hang", "wrong"],
)
def test_a_bad_program_harms_itself_only(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, hook: str, outcome: Outcome, reason: str
) -> None:
    bad: list[str] = []

    def candidates(task: LayerTask) -> list[Schedule]:
        found = _with_distinct_bands(task)
        bad.append(found[1].name)
        spoil(monkeypatch, {found[1].name: hook})
        return found

    with closing(new_tuner(cache, candidates=candidates, time_limit=5.0)) as tuner:
        program = tune(tuner, ELEMENTWISE)
        outcomes = {m.name: (m.outcome, m.reason) for m in only_record(tuner).measurements}
    assert program.kernels[0].variant != bad[0]
    found, said = outcomes.pop(bad[0])
    assert found is outcome
    assert reason in said
    assert outcomes
    assert all(o in _MEASURED for o, _ in outcomes.values())


def _with_distinct_bands(task: LayerTask) -> list[Schedule]:
    """Four schedules with code of their own."""
    base = variants(task, 1)[0]
    return [replace(base, band=(n, *base.band[1:])) for n in (4, 8, 16, 32)]


def test_no_schedule_works(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def candidates(task: LayerTask) -> list[Schedule]:
        found = _with_distinct_bands(task)
        spoil(monkeypatch, {schedule.name: CRASH for schedule in found})
        return found

    with closing(new_tuner(cache, candidates=candidates)) as tuner:
        tune(tuner, ELEMENTWISE)
        record = only_record(tuner)
    assert record.winner == ""
    assert {m.outcome for m in record.measurements} == {Outcome.crashed}


def test_an_illegal_schedule_is_noted_with_its_reason(cache: Cache) -> None:
    def candidates(task: LayerTask) -> list[Schedule]:
        base = variants(task, 1)[0]
        (stage,) = base.stages
        return [base, replace(base, stages=(replace(stage, order=(0, 0)),))]

    with closing(new_tuner(cache, candidates=candidates)) as tuner:
        tune(tuner, ELEMENTWISE)
        good, bad = sorted(only_record(tuner).measurements, key=lambda m: m.outcome != Outcome.ok)
    assert good.outcome is Outcome.ok
    assert bad.outcome is Outcome.illegal
    assert bad.reason


def _twins(task: LayerTask) -> list[Schedule]:
    """Two schedules with the same loops: a layer without a packed weight has none to fetch."""
    base = variants(task, 1)[0]
    return [base, replace(base, stages=(replace(base.stages[0], prefetch=192),))]


def test_the_same_code_is_measured_once(cache: Cache) -> None:
    with closing(new_tuner(cache, candidates=_twins)) as tuner:
        tune(tuner, ELEMENTWISE)
        record = only_record(tuner)
    assert {m.outcome for m in record.measurements} == {Outcome.ok, Outcome.duplicate}
    assert len({m.binary for m in record.measurements}) == 1
    assert len({m.cost for m in record.measurements}) == 1
    assert tuner.measured == 1


def test_comments_and_names_do_not_make_another_binary(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def candidates(task: LayerTask) -> list[Schedule]:
        found = _twins(task)
        spoil(monkeypatch, {found[1].name: "/* a comment */ int unread = 1; (void)unread;"})
        return found

    with closing(new_tuner(cache, candidates=candidates)) as tuner:
        tune(tuner, ELEMENTWISE)
        outcomes = {m.outcome for m in only_record(tuner).measurements}
    assert outcomes == {Outcome.ok, Outcome.duplicate}


_PROCESS = """
import os, signal, sys
from contextlib import closing
from unit.runtime.tuning.tuning_support import ELEMENTWISE, new_tuner, tune
from canao.building.cache import Cache
from canao.tuning.database import Database

left = int(sys.argv[2])
put = Database.put

def put_and_die(self, key, measurement):
    global left
    put(self, key, measurement)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

Database.put = put_and_die
with closing(new_tuner(Cache(sys.argv[1]), "full")) as tuner:
    tune(tuner, ELEMENTWISE)
    print(tuner.measured)
"""


def _start(directory: Path, dies_after: int = 0) -> subprocess.Popen[str]:
    roots = f"{Path(__file__).parents[4]}:{Path(__file__).parents[3]}"
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(directory), str(dies_after)],
        env={"PYTHONPATH": roots, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = _start(tmp_path, dies_after=3)
    process.communicate()
    assert process.returncode == -9
    put: list[Measurement] = []
    original = Database.put

    def noted(self: Database, key: TuningKey, measurement: Measurement) -> None:
        put.append(measurement)
        original(self, key, measurement)

    monkeypatch.setattr(Database, "put", noted)
    with closing(new_tuner(Cache(tmp_path), "full")) as tuner:
        before = only_record(tuner)
        assert before.winner == ""
        assert len(before.measurements) == 3
        tune(tuner, ELEMENTWISE)
        after = only_record(tuner)
    assert after.winner
    assert set(before.measurements) <= set(after.measurements)
    assert {m.schedule for m in put}.isdisjoint(m.schedule for m in before.measurements)
    assert len(after.measurements) == len(before.measurements) + len(put)


def test_two_processes_tune_one_layer_once(tmp_path: Path) -> None:
    processes = [_start(tmp_path), _start(tmp_path)]
    counts = [int(process.communicate()[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes)
    with closing(new_tuner(Cache(tmp_path))) as tuner:
        record = only_record(tuner)
    assert record.searched == "full"
    assert sorted(counts) == [0, sum(m.outcome in _MEASURED for m in record.measurements)]
