"""A layer in new sizes learns from what won in others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from unit.runtime.tuning.tuning_support import ELEMENTWISE, PRODUCT, new_tuner, tune

import canao.tuning.tuner as tuner_module
from canao.building.cache import Cache
from canao.lowering.schedules.schedule import Schedule, StageSchedule
from canao.tuning.transfer import nearest, structure

LARGER = PRODUCT.replace("x256xf32", "x320xf32").replace("<256xf32", "<320xf32")


def stage(tile: tuple[int, int], hoist: bool = False) -> StageSchedule:
    return StageSchedule((0, 1), tile, 1, hoist=hoist)


def test_structure_is_all_but_sizes() -> None:
    assert structure(PRODUCT) == structure(LARGER)
    assert structure("1x384xf32 2.604167e-03") == structure("1x320xf32 3.125000e-03")
    assert structure("1x384xf32 2.604167e-03") == structure("1x256xf32 0.00390625")
    assert structure("1x384xf32 0x3B2AAAAB") == structure("1x320xf32 0x3B4CCCCD")
    assert structure(PRODUCT) != structure(ELEMENTWISE)
    assert structure(PRODUCT) != structure(PRODUCT.replace("canao.add", "canao.sub"))


def test_nearest() -> None:
    wanted = Schedule((8, 96), (stage((8, 48)),))
    same_kind = Schedule((16, 64), (stage((6, 64)),))
    nearer = Schedule((16, 96), (stage((8, 32)),))
    other_kind = replace(wanted, stages=(stage((8, 48), hoist=True),))
    assert nearest([other_kind, same_kind], wanted) is same_kind
    assert nearest([same_kind, nearer], wanted) is nearer
    assert nearest([same_kind, nearer, wanted], wanted) is wanted


def test_fewer_schedules_are_measured_in_new_sizes(cache: Cache) -> None:
    with closing(new_tuner(cache)) as first:
        (known,) = tune(first, PRODUCT).kernels
    assert len(known.variants_tried) > 2
    with closing(new_tuner(cache)) as second:
        (kernel,) = tune(second, LARGER).kernels
        assert len(second.database.records()) == len(kernel.variants_tried)
    assert 1 <= len(kernel.variants_tried) <= 2
    assert kernel.variant in kernel.variants_tried
    with closing(new_tuner(cache, "full")) as thorough:
        (kernel,) = tune(thorough, LARGER).kernels
    assert len(kernel.variants_tried) > 2


def test_a_likely_winner_that_is_the_usual_choice_is_not_measured(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(new_tuner(cache)) as first:
        tune(first, PRODUCT)

    def usual(schedules: Sequence[Schedule], winner: Schedule) -> Schedule:
        del winner
        return schedules[0]

    monkeypatch.setattr(tuner_module, "nearest", usual)
    with closing(new_tuner(cache)) as second:
        (kernel,) = tune(second, LARGER).kernels
        assert second.measured == 0
    assert kernel.variants_tried == (kernel.variant,)


def test_a_tuner_does_not_learn_from_itself(cache: Cache) -> None:
    with closing(new_tuner(cache)) as tuner:
        (known,) = tune(tuner, PRODUCT).kernels
        (kernel,) = tune(tuner, LARGER).kernels
    assert len(kernel.variants_tried) == len(known.variants_tried)
