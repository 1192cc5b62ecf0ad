"""Tuning the paper's Figure 4: of its two versions, the one that was measured faster is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest
from unit.runtime.tuning.tuning_support import new_tuner, only_record, tune

from canao.building.cache import Cache
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.schedule import Schedule
from canao.tuning import tuner as tuner_module
from canao.tuning.database import Outcome
from canao.tuning.race import OnResult, Result
from canao.tuning.runner import Entry, RunnerProcess
from canao.tuning.tuner import Mode, Tuner

FIGURE_4 = """
func.func @main(%in0: tensor<512x384xf32>, %in1: tensor<512x384xf32>, %in2: tensor<1x384xf32>,
                %in3: tensor<1x384xf32>) -> tensor<512x384xf32> {
  %0 = canao.mul %in0, %in1 : (tensor<512x384xf32>, tensor<512x384xf32>) -> tensor<512x384xf32>
  %1 = canao.mul %in2, %in3 : (tensor<1x384xf32>, tensor<1x384xf32>) -> tensor<1x384xf32>
  %2 = canao.add %0, %1 : (tensor<512x384xf32>, tensor<1x384xf32>) -> tensor<512x384xf32>
  func.return %2 : tensor<512x384xf32>
}
"""


def fuse_add(schedule: Schedule) -> bool:
    """Row by row, `in2 * in3` again for every row."""
    (stage,) = schedule.stages
    return stage.order == (0, 1) and not stage.hoist


def fuse_add_permuted(schedule: Schedule) -> bool:
    """Column by column, `in2 * in3` once for all rows."""
    (stage,) = schedule.stages
    return stage.order == (1, 0) and stage.hoist


def versions(task: LayerTask) -> list[Schedule]:
    """The first schedule of each version."""
    found = variants(task)
    return [next(filter(wanted, found)) for wanted in (fuse_add, fuse_add_permuted)]


def give_times(monkeypatch: pytest.MonkeyPatch, milliseconds: dict[str, float]) -> None:
    """Have every measurement find these times, by the name of the schedule."""

    def hold(
        entries: Sequence[Entry], process: RunnerProcess, on_result: OnResult, **_: object
    ) -> None:
        for entry in entries:
            ms = milliseconds.get(entry.program.kernels[0].variant, 9.0)
            on_result(Result(entry.name, Outcome.ok, ms, runs=1))

    monkeypatch.setattr("canao.tuning.places.here.run_entries", hold)


@pytest.mark.parametrize("faster", [0, 1], ids=["fuse_add", "fuse_add_permuted"])
def test_the_faster_version_is_chosen(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, faster: int
) -> None:
    names: list[str] = []

    def candidates(task: LayerTask) -> list[Schedule]:
        found = variants(task)
        names[:] = [schedule.name for schedule in versions(task)]
        give_times(monkeypatch, {names[faster]: 1.0, names[1 - faster]: 2.0})
        return found

    with closing(new_tuner(cache, "full", candidates=candidates)) as tuner:
        program = tune(tuner, FIGURE_4)
    (kernel,) = program.kernels
    assert set(names) <= set(kernel.variants_tried)
    assert kernel.variant == names[faster]


def check_winner(tuner: Tuner, usual: str, chosen: str) -> None:
    """The winner has the least time but for a tie, which the cost model's choice wins."""
    measured = only_record(tuner).measurements
    found = {m.name: m for m in measured if m.outcome is Outcome.ok and m.cost}
    fastest = min(found.values(), key=lambda m: m.cost or 0.0)
    assert found[chosen] is fastest or (
        chosen == usual and tuner_module.are_alike(found[chosen], fastest, "ms")
    )


@pytest.mark.parametrize("mode", ["default", "full"])
def test_the_winner_has_the_least_time(cache: Cache, mode: Mode) -> None:
    names: list[str] = []

    def candidates(task: LayerTask) -> list[Schedule]:
        found = versions(task) if mode == "default" else variants(task)
        names[:] = [schedule.name for schedule in found]
        return found

    with closing(new_tuner(cache, mode, candidates)) as tuner:
        (kernel,) = tune(tuner, FIGURE_4).kernels
        assert set(kernel.variants_tried) == set(names)
        check_winner(tuner, names[0], kernel.variant)
