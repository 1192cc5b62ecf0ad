"""Searches keep to their own place, whatever it is called, and to their own studies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import optuna
import pytest
from unit.nas.search_support import SPACE, TableEvaluator, TableMeter

from canao.errors import SearchError
from canao.nas.measuring.latency import Execution
from canao.nas.search import search
from canao.nas.space.architecture import Architecture
from canao.nas.study.study import open_storage, sqlite_url

NAMES = ("what?", "run?1", "run?2", "a#b", "50%", "{x}", "a b", "größe", "x&uri=false")


@pytest.mark.parametrize("name", NAMES)
def test_the_study_is_where_it_was_asked_for(tmp_path: Path, name: str) -> None:
    storage = open_storage(sqlite_url(tmp_path / name / "study.sqlite"))
    optuna.create_study(storage=storage, study_name=name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "study.sqlite").stat().st_size > 0


def test_a_search_in_a_place_with_a_question_mark(tmp_path: Path) -> None:
    for name in ("run?1", "run?2"):
        found = search(TableEvaluator(), trials=2, out=tmp_path / name, meter=TableMeter())
        assert len(found.study.get_trials()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run?1", "run?2"]


@pytest.mark.parametrize("directions", [("minimize",), ("maximize", "minimize")])
def test_a_foreign_study_is_not_written_to(
    tmp_path: Path, directions: tuple[Literal["minimize", "maximize"], ...]
) -> None:
    url = sqlite_url(tmp_path / "study.sqlite")
    foreign = optuna.create_study(storage=url, study_name="canao", directions=directions)
    foreign.add_trial(optuna.trial.create_trial(values=[1.0] * len(directions)))
    with pytest.raises(SearchError, match="none of canao's; choose another --study"):
        search(TableEvaluator(), trials=2, out=tmp_path, meter=TableMeter())
    after = optuna.load_study(storage=url, study_name="canao")
    assert not after.user_attrs
    assert len(after.get_trials()) == 1


@dataclass
class BadMeter(TableMeter):
    """Tells no time for narrow candidates."""

    value: float = math.nan

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        found = super().measure(architecture, again=again)
        return found if architecture.num_blocks > 1 else replace(found, latency_ms=self.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0])
def test_a_measurement_that_is_no_time(tmp_path: Path, value: float) -> None:
    found = search(TableEvaluator(), trials=6, out=tmp_path, meter=BadMeter(value=value))
    assert found.best is not None
    assert found.best.architecture.num_blocks > 1
    reasons = [str(trial.user_attrs.get("reason", "")) for trial in found.study.get_trials()]
    assert any("which is no latency" in reason for reason in reasons)


def test_a_teacher_that_cannot_be_measured(tmp_path: Path) -> None:
    narrow = replace(TableEvaluator(), reference=SPACE.smallest)
    with pytest.raises(SearchError, match="the teacher cannot be measured"):
        search(narrow, trials=2, speedup=2.0, out=tmp_path, meter=BadMeter())
