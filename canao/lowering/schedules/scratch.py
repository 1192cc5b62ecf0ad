"""Scratch buffers of a layer: which values have them, and which share one."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from canao.dialects.canao.types import element_of, shape_of
from canao.errors import IllegalScheduleError
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.reads import point_variables
from canao.lowering.stages.stage import Stage, leaves_layer
from canao.polyhedral.index import Index, apply_map


def window_dimensions(stage: Stage, band: int) -> tuple[int | None, ...]:
    """The band dimension that bounds each dimension of a scratch buffer, as kernels have it."""
    variables = point_variables(stage)
    stored_at = apply_map(stage.target_map, [Index.of(v) for v in variables])
    window: list[int | None] = [None] * len(stored_at)
    for b, variable in enumerate(variables[:band]):
        if variable.extent > 1 and Index.of(variable) in stored_at:
            window[stored_at.index(Index.of(variable))] = b
    return tuple(window)


def buffer_holders(stages: Sequence[Stage], schedule: Schedule) -> dict[SSAValue, SSAValue]:
    """For values that are stored in the buffer of another one the value that has the buffer."""
    holders: dict[SSAValue, SSAValue] = {}
    for stage, how in zip(stages, schedule.stages, strict=True):
        if how.onto is not None:
            other = stages[how.onto].target
            holders[stage.target] = holders.get(other, other)
    return holders


def check_scratch(stages: Sequence[Stage], schedule: Schedule) -> None:
    """Refuses buffers that leave elements without a place, or that callers do not expect.

    That nothing is overwritten before it is read is for the proof to find. Raises
    `IllegalScheduleError`.
    """
    for n, (stage, how) in enumerate(zip(stages, schedule.stages, strict=True)):
        rank = len(shape_of(stage.target))
        inside = not leaves_layer(stage.target)
        ordered = how.layout is None or sorted(how.layout) == list(range(rank))
        if not ordered or (how.layout is not None and not inside):
            raise IllegalScheduleError(
                f"the layout {how.layout} of stage {n} must name each of the {rank} dimensions of "
                "what it stores once, and that must not leave the layer"
            )
        if how.onto is None:
            continue
        arranged = _arranged(stages, schedule, n)
        shares = 0 <= how.onto < n and arranged == _arranged(stages, schedule, how.onto)
        if not inside or not shares or leaves_layer(stages[how.onto].target):
            raise IllegalScheduleError(
                f"stage {n} cannot store in the buffer of stage {how.onto}: that must be an "
                "earlier one with a value inside the layer of the same shape, type and layout"
            )


def _arranged(stages: Sequence[Stage], schedule: Schedule, n: int) -> tuple[object, ...]:
    """What two values must have in common to be stored in one buffer."""
    target = stages[n].target
    window = window_dimensions(stages[n], len(schedule.band))
    return shape_of(target), element_of(target), window, schedule.stages[n].layout
