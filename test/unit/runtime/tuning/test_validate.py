from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from unit.runtime.tuning.tuning_support import (
    CRASH,
    ELEMENTWISE,
    PRODUCT,
    new_tuner,
    only_record,
    spoil,
    tune,
)

from canao.building.cache import Cache
from canao.lowering.choose.variants import variants
from canao.tuning import validate as validate_module
from canao.tuning.database import Outcome, Record
from canao.tuning.race import Result
from canao.tuning.tuner import Tuner
from canao.tuning.validate import Standing, validate


@pytest.fixture
def tuner(cache: Cache) -> Iterator[Tuner]:
    with closing(new_tuner(cache, candidates=lambda task: variants(task, 3))) as made:
        yield made


def _forge(tuner: Tuner, record: Record, **changes: object) -> None:
    """Put a changed record in place of one."""
    tuner.database.remove([record.key])
    tuner.database.merge([replace(record, **changes)])  # pyright: ignore[reportArgumentType]


def test_winners_are_built_proved_and_measured(
    tuner: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(tuner, ELEMENTWISE)
    tune(tuner, PRODUCT)
    monkeypatch.setattr(validate_module, "DRIFT", 1e9)
    told: list[str] = []
    verdicts = validate(tuner, told.append)
    assert [v.standing for v in verdicts] == [Standing.sound, Standing.sound]
    assert len(told) == 2


def test_a_slower_winner_has_drifted(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    tune(tuner, ELEMENTWISE)
    monkeypatch.setattr(validate_module, "DRIFT", 0.0)
    (verdict,) = validate(tuner)
    assert verdict.standing is Standing.drifted


def test_a_winner_that_crashes_has_failed(
    tuner: Tuner, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(tuner, ELEMENTWISE)
    best = only_record(tuner).best
    assert best is not None
    spoil(monkeypatch, {best.name: CRASH})
    with closing(new_tuner(cache)) as later:
        (verdict,) = validate(later)
    assert verdict.standing is Standing.failed
    assert "crashed: SIGSEGV" in verdict.detail


def test_records_that_do_not_apply(tuner: Tuner) -> None:
    tune(tuner, ELEMENTWISE)
    record = only_record(tuner)
    _forge(tuner, record, key=replace(record.key, lowering="0" * 64))
    assert [v.standing for v in validate(tuner)] == [Standing.stale]
    _forge(tuner, only_record(tuner), key=replace(record.key, cpu="another"))
    assert [v.standing for v in validate(tuner)] == [Standing.elsewhere]
    _forge(tuner, only_record(tuner), key=record.key, winner="", searched="")
    assert [v.standing for v in validate(tuner)] == [Standing.unfinished]


@pytest.mark.parametrize("module", ["builtin.module {}", "no module"])
def test_a_record_that_lies_about_its_layer(tuner: Tuner, module: str) -> None:
    tune(tuner, ELEMENTWISE)
    _forge(tuner, only_record(tuner), module=module)
    assert [v.standing for v in validate(tuner)] == [Standing.failed]


def test_a_record_of_another_layer(tuner: Tuner) -> None:
    tune(tuner, ELEMENTWISE)
    one = only_record(tuner)
    tune(tuner, PRODUCT)
    _, other = tuner.database.records()
    _forge(tuner, one, module=other.module)
    by_key = {v.record.key: v for v in validate(tuner)}
    assert "not the layer that it names" in by_key[one.key].detail


def test_a_winner_from_a_file_must_be_a_schedule_of_the_layer(tuner: Tuner) -> None:
    tune(tuner, PRODUCT)
    foreign = only_record(tuner).best
    assert foreign is not None
    tuner.database.remove([only_record(tuner).key])
    tune(tuner, ELEMENTWISE)
    record = only_record(tuner)
    _forge(tuner, record, winner=foreign.schedule, measurements=(foreign,))
    assert [v.detail for v in validate(tuner)] == ["its winner is no schedule of this layer"]
    program = tune(tuner, ELEMENTWISE)
    assert program.kernels[0].variant != foreign.name


def test_the_model_wins_a_tie(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    def even(*args: object, **kwargs: object) -> None:
        entries, _, on_result = args
        assert isinstance(entries, list)
        assert callable(on_result)
        for n, entry in enumerate(entries):
            on_result(Result(entry.name, Outcome.ok, 1.0 - n / 1000, 1))

    monkeypatch.setattr("canao.tuning.places.here.run_entries", even)
    program = tune(tuner, ELEMENTWISE)
    assert program.kernels[0].variant == program.kernels[0].variants_tried[0]


@pytest.mark.parametrize(("error", "usual_wins"), [(0.1, True), (0.01, False)])
def test_the_model_wins_where_noise_could_explain_the_difference(
    tuner: Tuner, monkeypatch: pytest.MonkeyPatch, error: float, usual_wins: bool
) -> None:
    def uneven(*args: object, **kwargs: object) -> None:
        entries, _, on_result = args
        assert isinstance(entries, list)
        assert callable(on_result)
        for n, entry in enumerate(entries):
            ms = 1.0 if n == 1 else 1.2
            on_result(Result(entry.name, Outcome.ok, ms, 1, error=error))

    monkeypatch.setattr("canao.tuning.places.here.run_entries", uneven)
    (kernel,) = tune(tuner, ELEMENTWISE).kernels
    assert (kernel.variant == kernel.variants_tried[0]) is usual_wins
