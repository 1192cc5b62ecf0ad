"""Chooses how the work-items of a group share a task, for devices with many narrow lanes.

The stages of a layer are those of any other target. A task becomes small enough
for many groups, and what it hands from one stage to the next small enough for
local memory; register tiles are small, folds with few results are shared, and
the operands of products pass through local memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import ceil, prod

from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import AccessPattern
from canao.lowering.access import shared_band
from canao.lowering.opencl.device import DeviceModel
from canao.lowering.schedule import Group, Schedule, StageSchedule
from canao.lowering.scratch import leaves_layer, window_dimensions
from canao.lowering.shared_stage import operand_extents
from canao.lowering.stage import Stage

_ITEMS = 256
"""Work-items of a group, where a device allows as many."""
_TILE = (4, 4)
"""Rows and columns of a product that one item has in registers."""
_SIDE = 64
"""Rows and columns of a product that a group makes at most."""
_TERMS = 16
"""Terms of a product whose operands are in local memory at once."""
_WAYS = 32
"""Items that share one fold at most."""
_GROUPS_A_UNIT = 2
"""Groups for each compute unit, below which tasks are cut smaller."""


def choose_group(
    stages: Sequence[Stage],
    base: Schedule,
    device: DeviceModel,
    *,
    items: int = _ITEMS,
    side: int = _SIDE,
    terms: int = _TERMS,
) -> Schedule:
    """The schedule for a group of work-items, made from one for a single thread.

    `items` share a task of at most `side` rows and columns; `terms` of a product
    are in local memory at once, none if 0.
    """
    items = min(items, device.most_items)
    tiles = tuple(
        _small_tile(stage, how, device.unit.lanes_f32)
        for stage, how in zip(stages, base.stages, strict=True)
    )
    band = _band(stages, tiles, device, side)
    ways = tuple(_ways(stage, band, items) for stage in stages)
    tiles = tuple(
        replace(how, tile=(1,) * len(how.tile), vector=None, block=None) if count > 1 else how
        for how, count in zip(tiles, ways, strict=True)
    )
    schedule = Schedule(band, tiles, (), Group(items, ways, (0,) * len(stages)))
    staged = tuple(
        _terms(stage, band, terms) if count == 1 else 0
        for stage, count in zip(stages, ways, strict=True)
    )
    wide = replace(schedule, group=Group(items, ways, staged))
    fits = local_bytes(stages, wide) <= device.local_bytes
    return wide if fits else schedule


def group_variants(stages: Sequence[Stage], base: Schedule, device: DeviceModel) -> list[Schedule]:
    """Distinct schedules worth measuring, the likeliest first."""
    chosen = [choose_group(stages, base, device)]
    for side, items, terms in product((64, 32, 16), (256, 128, 64), (_TERMS, 0, 2 * _TERMS)):
        found = choose_group(stages, base, device, items=items, side=side, terms=terms)
        if found not in chosen:
            chosen.append(found)
    return chosen


def _is_product(stage: Stage) -> bool:
    return stage.anchor is not None and stage.anchor.access_pattern() is AccessPattern.CONTRACT


def _small_tile(stage: Stage, how: StageSchedule, lanes: int) -> StageSchedule:
    """One vector for each item, or a few rows and a vector of columns of a product.

    Neighbouring items take neighbouring columns: what they read lies together.
    """
    vector = how.vector if how.vector is not None and how.vector < stage.parallel else None
    tile = [1] * len(stage.extents)
    if how.across is not None and vector is not None:
        tile[vector] = tile[how.across] = lanes
    elif vector is not None:
        tile[vector] = min(lanes, _TILE[1])
        rows = [d for d in range(stage.parallel) if d != vector and stage.extents[d] > 1]
        if _is_product(stage) and rows:
            tile[rows[-1]] = min(_TILE[0], stage.extents[rows[-1]])
    others = tuple(d for d in range(stage.parallel) if d != vector)
    order = others if vector is None else (*others, vector)
    block = how.block if vector is not None or stage.anchor is None else None
    return replace(
        how, order=order, tile=tuple(tile), vector=vector, block=block, prefetch=False, hoist=False
    )


def _band(
    stages: Sequence[Stage], tiles: Sequence[StageSchedule], device: DeviceModel, side: int
) -> tuple[int, ...]:
    """Points of a task: cut until there are enough groups and scratch fits local memory."""
    count = shared_band(stages)
    extents = stages[0].extents[:count]
    grain = [max(how.tile[b] for how in tiles) for b in range(count)]
    band = [min(e, side) if b >= count - 2 else 1 for b, e in enumerate(extents)]
    wanted = device.units * _GROUPS_A_UNIT

    def fits() -> bool:
        tasks = prod(ceil(e / t) for e, t in zip(extents, band, strict=True))
        schedule = Schedule(tuple(band), tuple(tiles))
        return tasks >= wanted and local_bytes(stages, schedule) <= device.local_bytes // 2

    while not fits():
        halves = [
            (ceil(ceil(size / 2) / grain[b]) * grain[b], b)
            for b, size in enumerate(band)
            if size > grain[b]
        ]
        if not halves:
            break
        _, b = max(halves)
        band[b] = ceil(ceil(band[b] / 2) / grain[b]) * grain[b]
    return tuple(band)


def _ways(stage: Stage, band: Sequence[int], items: int) -> int:
    """Items that share one fold: as many as are idle otherwise, in equal shares."""
    if stage.anchor is None or _is_product(stage):
        return 1
    points = prod([*band, *stage.extents[len(band) : stage.parallel]])
    terms = stage.extents[stage.parallel]
    most = min(_WAYS, items // max(1, points), terms)
    return next((n for n in range(most, 1, -1) if terms % n == 0), 1)


def _terms(stage: Stage, band: Sequence[int], terms: int) -> int:
    """Terms of a product to copy at once; 0 where copying does not pay or is not possible."""
    if not _is_product(stage) or stage.anchor is None or not terms:
        return 0
    left, right = stage.anchor.operands
    sizes = [*band, *stage.extents[len(band) : stage.parallel]]
    same = element_of(stage.target) == element_of(stage.anchor.results[0])
    if left is right or stage.target in (left, right) or not same or stage.extents[-1] <= terms:
        return 0
    if len(stage.extents) != stage.parallel + 1 or min(sizes[-2:]) < _TILE[0]:
        return 0
    return terms


def local_bytes(stages: Sequence[Stage], schedule: Schedule) -> int:
    """Local memory that a group needs for what its stages hand on, and for copies of operands."""
    total = 0
    seen: set[object] = set()
    for n, stage in enumerate(stages):
        width = dtype_of_element(element_of(stage.target)).itemsize
        band = [min(t, e) for t, e in zip(schedule.band, stage.extents, strict=False)]
        sizes = [*band, *stage.extents[len(band) :]]
        if not leaves_layer(stage.target) and stage.target not in seen:
            seen.add(stage.target)
            shape = shape_of(stage.target)
            window = window_dimensions(stage, len(band))
            bounds = [e if b is None else band[b] for e, b in zip(shape, window, strict=True)]
            total += _rounded(prod(bounds) * width)
        if schedule.group is None or stage.anchor is None:
            continue
        points = prod(sizes[: stage.parallel])
        if schedule.group.ways[n] > 1:
            total += _rounded(points * schedule.group.ways[n] * width)
        if schedule.group.staged[n]:
            part = [*sizes[: stage.parallel], schedule.group.staged[n]]
            total += sum(_rounded(prod(s) * width) for s in operand_extents(stage, part))
            total += _rounded(points * width) if leaves_layer(stage.target) else 0
    return total


def _rounded(size: int) -> int:
    return -(-size // 64) * 64
