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
    from canao.polyhedral.legality import prove
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
        prove(alone, plan, f"{schedule.name} of {name}, stage {n} shared by {group.items} items")


def _check_fields(stages: Sequence[Stage], schedule: Schedule, name: str) -> None:
    group = schedule.group
    assert group is not None
    if not len(group.ways) == len(group.staged) == len(stages):
        raise IllegalScheduleError(
            f"schedule {schedule.name} of {name} shares {len(group.ways)} stages; "
            f"the layer has {len(stages)}"
        )
    for n, stage in enumerate(stages):
        ways, staged, how = group.ways[n], group.staged[n], schedule.stages[n]
        terms = stage.extents[stage.parallel] if stage.anchor is not None else 0
        uneven = (staged or terms) % ways if ways > 1 else 0
        shared = ways > 1 and not staged and (how.vector is not None or how.block is not None)
        if ways < 1 or ((ways > 1 or staged) and not terms) or uneven or shared or staged > terms:
            raise IllegalScheduleError(
                f"schedule {schedule.name} of {name} cannot share stage {n}: {ways} items a fold "
                f"of {terms} terms, {staged} terms in local memory; a shared fold needs equal "
                "shares and, unless its terms pass through local memory, neither vectors nor blocks"
            )
        if staged and stage.anchor is not None and stage.target in stage.anchor.operands:
            raise IllegalScheduleError(
                f"schedule {schedule.name} of {name} copies in stage {n} what that stage writes"
            )
