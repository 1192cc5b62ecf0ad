"""Proves that the work-items of a group may share the tiles of each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from canao.errors import IllegalScheduleError
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.stage import Stage
from canao.polyhedral.statement import Program


def prove_group(
    stages: Sequence[Stage], schedule: Schedule, program: Program, lanes: int, name: str
) -> None:
    """Proves the part of a schedule that says how a task is shared.

    `program` describes the whole layer. Between two stages all items wait for each
    other, so that it is enough that the tiles of one stage are independent: each
    stage alone is legal with its tiles as parallel tasks. An `IllegalScheduleError`
    says which is not, or which field makes no sense.
    """
    from canao.polyhedral.every_length import prove_every_length
    from canao.polyhedral.timing import Nest, Plan

    group = schedule.group
    if group is None:
        return
    _check_fields(stages, schedule, name)
    together = zip(stages, schedule.stages, program.statements, strict=True)
    for n, (stage, how, statement) in enumerate(together):
        written = {access.array for access in statement.writes}
        arrays = tuple(
            replace(array, private=False, window=(), given=array.name not in written)
            for array in program.arrays
        )
        nest = Nest(how.order, how.tile, how.vector, how.across, how.block)
        plan = Plan(how.tile[: stage.parallel], (nest,), lanes)
        alone = Program((statement,), arrays)
        what = f"{schedule.name} of {name}, stage {n} shared by {group.items} items"
        prove_every_length(alone, plan, [stage.lengths], what)


def _check_fields(stages: Sequence[Stage], schedule: Schedule, name: str) -> None:
    group = schedule.group
    assert group is not None
    if not len(group.split_k) == len(group.k_tile) == len(stages):
        raise IllegalScheduleError(
            f"schedule {schedule.name} of {name} shares {len(group.split_k)} stages; "
            f"the layer has {len(stages)}"
        )
    for n, stage in enumerate(stages):
        split_k, k_tile, how = group.split_k[n], group.k_tile[n], schedule.stages[n]
        terms = stage.extents[stage.parallel] if stage.anchor is not None else 0
        uneven = (k_tile or terms) % split_k if split_k > 1 else 0
        shared = split_k > 1 and not k_tile and (how.vector is not None or how.block is not None)
        if (
            split_k < 1
            or ((split_k > 1 or k_tile) and not terms)
            or uneven
            or shared
            or k_tile > terms
            or _is_cut_when_running(stage, split_k, k_tile)
        ):
            raise IllegalScheduleError(
                f"schedule {schedule.name} of {name} cannot share stage {n}: {split_k} items a "
                f"reduction of {terms} terms, {k_tile} terms in local memory; a shared reduction "
                "needs equal shares of terms whose number is known and, unless they pass through "
                "local memory, no vectors"
            )
        if k_tile and stage.anchor is not None and stage.target in stage.anchor.operands:
            raise IllegalScheduleError(
                f"schedule {schedule.name} of {name} copies in stage {n} what that stage writes"
            )


def _is_cut_when_running(stage: Stage, split_k: int, k_tile: int) -> bool:
    """Whether what a group shares of a reduction is cut where lengths must be numbers."""
    dims = range(0 if k_tile else stage.parallel, stage.parallel + 1)
    return (split_k > 1 or k_tile > 0) and not all(map(stage.is_fixed, dims))
