"""Layers whose lengths vary: measured at a few lengths, with a schedule for each range of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from unit.runtime.tuning.tuning_support import VARYING, new_tuner, tune

from canao.building.cache import Cache
from canao.lowering.choose.lengths import Probe, joined, probes, varying_variants
from canao.lowering.pipeline import lower
from canao.lowering.schedules.schedule import Fewer, Schedule
from canao.machine.target import Target
from canao.runtime.parse import parse_module
from canao.tuning import tuner as tuner_module
from canao.tuning.database import Outcome
from canao.tuning.question import Question
from canao.tuning.validate import Standing, validate


def _task() -> Question:
    """The one layer of the module."""
    found: list[Question] = []

    def keep(tasks: object) -> None:
        assert isinstance(tasks, list)
        found.extend(Question(task) for task in tasks)

    unit = Target.host().vector_unit
    lower(parse_module(VARYING), target_unit=unit, threads=2, prepare_tasks=keep)
    (question,) = found
    return question


def test_lengths_that_are_measured() -> None:
    task = _task().task
    schedules = varying_variants(task)
    assert len(schedules) > 2
    assert {schedule.packed for schedule in schedules} == {schedules[0].packed}
    assert probes(task, schedules[0]) == [
        Probe((("rows", 16),), 16),
        Probe((("rows", 64),), 64),
        Probe((("rows", 256),), 256),
    ]


def test_winners_are_joined() -> None:
    few, many = Schedule((1,), ()), Schedule((2,), ())
    assert joined({16: few, 64: few, 256: few}) == few
    assert joined({256: many, 16: few, 64: few}) == replace(many, fewer=(Fewer(128, few),))
    apart = joined({16: few, 64: many, 256: few})
    assert apart.fewer == (Fewer(32, few), Fewer(128, many))
    assert apart.ranges() == [(0, 32, few), (33, 128, many), (129, None, few)]
    assert Schedule.from_json(apart.to_json()) == apart
    assert len({apart.name, few.name, many.name}) == 3


def test_each_length_has_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner_module, "_WORTH_SECONDS", 0.0)
    tuner = new_tuner(Cache(tmp_path))
    program = tune(tuner, VARYING)
    records = list(tuner.database.records())
    assert len(records) == 3
    assert {record.ops.rpartition(" ")[2] for record in records} == {"16x256", "64x256", "256x256"}
    for record in records:
        assert record.winner
        measured = [m for m in record.measurements if m.outcome is Outcome.ok]
        assert measured
        assert all(m.cost for m in measured)
    assert len(program.kernels[0].variants_tried) > 1
    before = tuner.measured
    assert tune(tuner, VARYING).source == program.source
    assert tuner.measured == before
    standings = {verdict.standing for verdict in validate(tuner)}
    assert standings <= {Standing.sound, Standing.drifted}
    tuner.close()
