"""The schedules of a layer that are worth measuring, the likeliest first.

The cost model's choice comes first. The others change one thing at a time:
the order of loops, what is computed again or hoisted, the vector dimension,
the register tile of a product, what is held in registers, the size of tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, permutations
from math import ceil

from canao.dialects.interfaces import AccessPattern
from canao.lowering.choose.choose_group import group_variants
from canao.lowering.choose.choose_schedule import choose_column_lanes, choose_schedule
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.register_tiles import register_tiles
from canao.lowering.schedules.schedule import Packed, Schedule, StageSchedule
from canao.lowering.stages.packed_source import packed_source
from canao.lowering.stages.reads import invariants
from canao.lowering.stages.stage import Stage
from canao.machine.opencl_device import DeviceKind

_MAX_PERMUTED = 3
"""Loops are permuted in all orders up to this many; more have too many orders."""
_TILES = 8
"""Register tiles tried for a product."""


def variants(task: LayerTask, most: int = 64) -> list[Schedule]:
    """Up to `most` distinct schedules of a layer, the cost model's choice first."""
    given = task.stages, task.weights, task.unit, task.threads
    if task.device is not None and task.device.kind is DeviceKind.gpu:
        return group_variants(task.stages, choose_column_lanes(*given), task.device)[:most]
    base = choose_schedule(*given)
    found = {base: None}
    for candidate in islice(_alternatives(task, base), 16 * most):
        found.setdefault(candidate)
        if len(found) == most:
            break
    return list(found)


def _alternatives(task: LayerTask, base: Schedule) -> Iterator[Schedule]:
    """One kind of change after another, interleaved so that each kind is tried early."""
    sources = [
        *(_product_tiles(task, base, alike) for alike in _products(task, base)),
        _unheld(base),
        *(_loop_orders(task, base, n) for n in range(len(task.stages))),
        _task_sizes(task, base),
    ]
    while sources:
        remaining: list[Iterator[Schedule]] = []
        for source in sources:
            following = next(source, None)
            if following is not None:
                yield following
                remaining.append(source)
        sources = remaining


def _is_product(stage: Stage) -> bool:
    return stage.anchor is not None and stage.anchor.access_pattern() is AccessPattern.CONTRACT


def _with_stage(base: Schedule, n: int, changed: StageSchedule) -> Schedule:
    return replace(base, stages=(*base.stages[:n], changed, *base.stages[n + 1 :]))


# ------------------------------------------------------------------ products


def _products(task: LayerTask, base: Schedule) -> list[list[int]]:
    """The numbers of the stages that are products; those alike, over packed weights, together."""
    groups: dict[object, list[int]] = {}
    for n, stage in enumerate(task.stages):
        if not _is_product(stage):
            continue
        packed = any(_reads(stage, task, p) for p in base.packed)
        key = (stage.extents, base.stages[n]) if packed else n
        groups.setdefault(key, []).append(n)
    return list(groups.values())


def _product_tiles(task: LayerTask, base: Schedule, alike: Sequence[int]) -> Iterator[Schedule]:
    """Other register tiles for products alike, with the panels of packed weights to match."""
    stage, schedule = task.stages[alike[0]], base.stages[alike[0]]
    rows, columns = stage.parallel - 2, stage.parallel - 1
    if schedule.vector != columns:
        return
    read = {p.input for p in base.packed for n in alike if _reads(task.stages[n], task, p)}
    tiles = register_tiles(stage.extents[rows], stage.extents[columns], task.unit)
    for height, width in tiles[:_TILES]:
        tile = list(schedule.tile)
        old, tile[rows], tile[columns] = tile[columns], height, width
        changed = base
        for n in alike:
            changed = _with_stage(changed, n, replace(schedule, tile=tuple(tile)))
        packed = tuple(Packed(p.input, width) if p.input in read else p for p in base.packed)
        band = tuple(
            min(stage.extents[b], ceil(size / old) * width) if b == columns else size
            for b, size in enumerate(base.band)
        )
        yield replace(changed, packed=packed, band=band)


def _unheld(base: Schedule) -> Iterator[Schedule]:
    """The compiler's own choice of what stays in registers."""
    if any(stage.keep for stage in base.stages):
        yield replace(base, stages=tuple(replace(stage, keep=False) for stage in base.stages))


def _reads(stage: Stage, task: LayerTask, packed: Packed) -> bool:
    """Whether a packed input is the right operand of a stage's product."""
    return packed_source(stage) is task.layer.body.block.args[packed.input]


# --------------------------------------------------------------------- loops


def _loop_orders(task: LayerTask, base: Schedule, n: int) -> Iterator[Schedule]:
    """Other orders of the loops, each recomputing and, where it can, hoisting."""
    stage, schedule = task.stages[n], base.stages[n]
    if stage.anchor is not None:
        return
    yield from _hoisted(task, base, n, schedule)
    moving = [d for d in schedule.order if stage.extents[d] > 1]
    if len(moving) > _MAX_PERMUTED:
        return
    still = tuple(d for d in schedule.order if stage.extents[d] == 1)
    for order in permutations(moving):
        changed = replace(schedule, order=(*still, *order))
        if changed == schedule:
            continue
        yield from _hoisted(task, base, n, changed)
        yield _with_stage(base, n, changed)


def _hoisted(
    task: LayerTask, base: Schedule, n: int, schedule: StageSchedule
) -> Iterator[Schedule]:
    """The schedule with hoisting, where some computed value does not depend on an inner loop."""
    stored = {stage.target for stage in task.stages}
    for depth in range(len(schedule.order)):
        if invariants(task.stages[n], schedule.order[:depth], stored):
            yield _with_stage(base, n, replace(schedule, hoist=True))
            return


# --------------------------------------------------------------------- tasks


def _task_sizes(task: LayerTask, base: Schedule) -> Iterator[Schedule]:
    """Half and twice as many tasks along each shared dimension."""
    extents = task.stages[0].extents
    for b, size in enumerate(base.band):
        grain = _grain(base.stages, b)
        for other in (ceil(size / 2), size * 2, ceil(size / 4)):
            rounded = min(extents[b], ceil(other / grain) * grain)
            if rounded != size:
                yield replace(base, band=(*base.band[:b], rounded, *base.band[b + 1 :]))


def _grain(stages: Sequence[StageSchedule], b: int) -> int:
    return max((s.tile[b] for s in stages if s.vector == b), default=1)
