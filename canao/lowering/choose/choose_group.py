"""Chooses how the work-items of a group share a task, for devices with many narrow lanes.

The stages of a layer are those of any other target. A task becomes small enough
for many groups, and what it hands from one stage to the next small enough for
local memory; register tiles are small, reductions with few results are shared, and
the operands of products pass through local memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, prod

from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of
from canao.lowering.choose.group_shapes import Shape, ranked_shapes
from canao.lowering.schedules.pipelining_plan import even_tile, k_tile_elements
from canao.lowering.schedules.schedule import Group, Schedule, StageSchedule
from canao.lowering.schedules.scratch import window_dimensions
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.reads import shared_band
from canao.lowering.stages.row_lanes import is_product
from canao.lowering.stages.stage import Stage, leaves_layer
from canao.machine.opencl_device import DeviceModel

_SIDE = 64
"""Points along a dimension that a group makes of other layers at most."""
_FEWEST_TERMS = 4
"""Terms of a product below which an item has too few to add up."""
_MOST_SPLITS = 32
"""Items that share one reduction at most."""
_GROUPS_A_UNIT = 1
"""Groups for each compute unit, below which tasks are cut smaller."""


def choose_group(
    stages: Sequence[Stage], base: Schedule, device: DeviceModel, shape: Shape | None = None
) -> Schedule:
    """The schedule for a group of work-items, made from one for a single thread."""
    if shape is None:
        shape = ranked_shapes(stages, device)[0]
    found = _schedule(stages, base, device, shape)
    while local_bytes(stages, found) > device.local_bytes and shape.terms:
        shape = replace(shape, terms=shape.terms // 2)
        found = _schedule(stages, base, device, shape)
    return found


def _schedule(
    stages: Sequence[Stage], base: Schedule, device: DeviceModel, shape: Shape
) -> Schedule:
    items = min(shape.items, device.most_items)
    tiles = tuple(
        _small_tile(stage, how, device.unit.lanes_f32, shape)
        for stage, how in zip(stages, base.stages, strict=True)
    )
    band = _band(stages, tiles, device, shape)
    shares = [
        _shares(stage, how, band, items, shape.terms)
        for stage, how in zip(stages, tiles, strict=True)
    ]
    split_k, k_tile = (tuple(numbers) for numbers in zip(*shares, strict=True))
    tiles = tuple(_shared(how, *share) for how, share in zip(tiles, shares, strict=True))
    return Schedule(band, tiles, (), Group(items, split_k, k_tile))


def group_variants(stages: Sequence[Stage], base: Schedule, device: DeviceModel) -> list[Schedule]:
    """Distinct schedules worth measuring, the likeliest first."""
    chosen: list[Schedule] = []
    for shape in ranked_shapes(stages, device):
        found = choose_group(stages, base, device, shape)
        if found not in chosen:
            chosen.append(found)
    return chosen


def _shared(how: StageSchedule, split_k: int, k_tile: int) -> StageSchedule:
    """How a stage runs whose reduction is shared: a point at a time, unless operands are copied."""
    if k_tile:
        return replace(how, block=None)
    return how if split_k == 1 else replace(how, tile=(1,) * len(how.tile), vector=None, block=None)


def _small_tile(stage: Stage, how: StageSchedule, lanes: int, shape: Shape) -> StageSchedule:
    """One vector for each item, or a few rows and a vector of columns of a product.

    Neighbouring items take neighbouring columns: what they read lies together.
    """
    vector = how.vector if how.vector is not None and how.vector < stage.parallel else None
    tile = [1] * len(stage.extents)
    if how.across is not None and vector is not None:
        tile[vector] = tile[how.across] = lanes
    elif vector is not None:
        tile[vector] = shape.tile[1] if is_product(stage) else lanes
        rows = [d for d in range(stage.parallel) if d != vector and stage.extents[d] > 1]
        if is_product(stage) and rows:
            tile[rows[-1]] = min(shape.tile[0], stage.extents[rows[-1]])
            # Without a loop the compiler reads operands well before they are needed.
            tile[stage.parallel] = min(shape.terms or 1, stage.extents[stage.parallel])
    others = tuple(d for d in range(stage.parallel) if d != vector)
    order = others if vector is None else (*others, vector)
    block = how.block if vector is not None or stage.anchor is None else None
    return replace(
        how,
        order=order,
        tile=tuple(tile),
        vector=vector,
        block=block,
        prefetch=None,
        hoist=False,
        keep=False,
    )


def _band(
    stages: Sequence[Stage], tiles: Sequence[StageSchedule], device: DeviceModel, shape: Shape
) -> tuple[int, ...]:
    """Points of a task: cut until there are enough groups and scratch fits local memory."""
    count = shared_band(stages)
    extents = stages[0].extents[:count]
    grain = [max(how.tile[b] for how in tiles) for b in range(count)]
    if len(stages) == 1 and is_product(stages[0]):
        sides = [*(1 for _ in range(count - 2)), shape.rows, shape.columns][-count:]
        return tuple(
            min(e, ceil(side / g) * g) for e, side, g in zip(extents, sides, grain, strict=True)
        )
    band = [min(e, shape.rows) if b == count - 1 else 1 for b, e in enumerate(extents)]
    if len(stages) == 1 and stages[0].anchor is None:
        band = [min(e, _SIDE) if b >= count - 2 else 1 for b, e in enumerate(extents)]
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


def _shares(
    stage: Stage, how: StageSchedule, band: Sequence[int], items: int, terms: int
) -> tuple[int, int]:
    """Items that share one reduction, and terms of a product to copy at once; 1 and 0 for none."""
    if stage.anchor is None:
        return 1, 0
    sizes = [*band, *stage.extents[len(band) : stage.parallel]]
    reduced = stage.extents[stage.parallel]
    if not stage.is_fixed(stage.parallel):
        return 1, 0
    if not is_product(stage):
        most = min(_MOST_SPLITS, items // max(1, prod(sizes)), reduced)
        return next((n for n in range(most, 1, -1) if reduced % n == 0), 1), 0
    left, right = stage.anchor.operands
    if not terms or left is right or len(stage.extents) != stage.parallel + 1:
        return 1, 0
    if not all(map(stage.is_fixed, range(stage.parallel))):
        return 1, 0
    tiles = prod(size // even_tile(size, tile) for size, tile in zip(sizes, how.tile, strict=False))
    split_k = 1
    while 2 * split_k * tiles <= items and 2 * split_k * _FEWEST_TERMS <= reduced:
        split_k *= 2
    most = min(reduced, terms * split_k) // split_k * split_k
    # Blocks of one size if there are some nearly as large.
    k_tile = next((n for n in range(most, most // 2, -split_k) if reduced % n == 0), most)
    return (split_k, k_tile) if tiles * split_k <= items else (1, 0)


def local_bytes(stages: Sequence[Stage], schedule: Schedule) -> int:
    """Local memory that a group needs for what its stages hand on, and for what one stage needs."""
    total = shared = 0
    seen: set[object] = set()
    for n, stage in enumerate(stages):
        width = dtype_of_element(element_of(stage.target)).itemsize
        band = [min(t, e) for t, e in zip(schedule.band, stage.extents, strict=False)]
        sizes = [*band, *stage.extents[len(band) :]]
        if not leaves_layer(stage.target) and stage.target not in seen:
            seen.add(stage.target)
            shape = stored_shape(stage.target)
            window = window_dimensions(stage, len(band))
            bounds = [e if b is None else band[b] for e, b in zip(shape, window, strict=True)]
            total += _rounded(prod(bounds) * width)
        if schedule.group is None or stage.anchor is None:
            continue
        points = prod(sizes[: stage.parallel])
        split_k, k_tile = schedule.group.split_k[n], schedule.group.k_tile[n]
        if k_tile:
            part = [*sizes[: stage.parallel], k_tile]
            needed = k_tile_elements(stage, part, schedule.group.items, 4)
        else:
            needed = points * split_k if split_k > 1 else 0
        shared = max(shared, _rounded(needed * width))
    return total + shared


def _rounded(size: int) -> int:
    return -(-size // 64) * 64
