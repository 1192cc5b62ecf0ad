"""Chooses how the work-items of a group share a task, for devices with many narrow lanes.

The stages of a layer are those of any other target. A task becomes small enough
for many groups, and what it hands from one stage to the next small enough for
local memory; register tiles are small, folds with few results are shared, and
the operands of products pass through local memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, inf, prod

from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import AccessPattern
from canao.lowering.access import shared_band
from canao.lowering.opencl.device import DeviceModel
from canao.lowering.schedule import Group, Schedule, StageSchedule
from canao.lowering.scratch import leaves_layer, window_dimensions
from canao.lowering.stage import Stage
from canao.lowering.staged_plan import even_tile, staged_elements

_ITEMS = 256
"""Work-items of a group, where a device allows as many."""
_TILE = (8, 8)
"""Rows and columns of a product that one item has in registers."""
_TILES = (_TILE, (4, 8), (4, 4))
"""Those that are tried."""
_SIDES = (64, 32, 16)
"""Rows and columns of a product that a group makes at most."""
_SIDE = 64
"""Points along a dimension that a group makes of other layers at most."""
_TERMS = 8
"""Terms that an item adds up of each block of a product."""
_FEWEST_TERMS = 4
"""Terms of a product below which an item has too few to add up."""
_WAYS = 32
"""Items that share one fold at most."""
_GROUPS_A_UNIT = 1
"""Groups for each compute unit, below which tasks are cut smaller."""


@dataclass(frozen=True)
class Shape:
    """What is chosen for the products of a layer."""

    rows: int = _SIDE
    columns: int = _SIDE
    """Points of a product that a group makes at most."""
    tile: tuple[int, int] = _TILE
    items: int = _ITEMS
    terms: int = _TERMS
    """Terms that an item adds up of a block; 0 reads operands where they are."""


def choose_group(
    stages: Sequence[Stage], base: Schedule, device: DeviceModel, shape: Shape | None = None
) -> Schedule:
    """The schedule for a group of work-items, made from one for a single thread."""
    if shape is None:
        shape = _ranked(stages, device)[0]
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
    ways, staged = (tuple(numbers) for numbers in zip(*shares, strict=True))
    tiles = tuple(
        _one_by_one(how) if count > 1 and not terms else how
        for how, (count, terms) in zip(tiles, shares, strict=True)
    )
    return Schedule(band, tiles, (), Group(items, ways, staged))


def group_variants(stages: Sequence[Stage], base: Schedule, device: DeviceModel) -> list[Schedule]:
    """Distinct schedules worth measuring, the likeliest first."""
    chosen: list[Schedule] = []
    for shape in _ranked(stages, device):
        found = choose_group(stages, base, device, shape)
        if found not in chosen:
            chosen.append(found)
    return chosen


def _ranked(stages: Sequence[Stage], device: DeviceModel) -> list[Shape]:
    """Shapes, those first that a model of the time of a product likes."""
    alone = len(stages) == 1 and _is_product(stages[0])
    tiles = _TILES if alone else _TILES[::-1]
    shapes = [
        Shape(rows, columns, tile, items, terms)
        for rows, columns, tile, terms, items in product(
            _SIDES, _SIDES, tiles, (_TERMS, _TERMS // 2), (_ITEMS, _ITEMS // 2)
        )
    ]
    if alone:
        shapes.sort(key=lambda shape: _product_time(stages[0], shape, device))
    return [*shapes, replace(shapes[0], terms=2 * _TERMS), replace(shapes[0], terms=0)]


_FLOATS_A_CYCLE = 6
"""Numbers that a compute unit reads in a cycle, when all of them do."""
_LANES = 128
"""Multiply-adds that a compute unit of a GPU makes in a cycle at most."""
_WARP = 32
"""Items that run in step."""


def _product_time(stage: Stage, shape: Shape, device: DeviceModel) -> float:
    """About how long a product takes, in cycles of a compute unit; fitted to an NVIDIA H100.

    The units multiply at their rate where enough items hide each other's waits, read
    the operands of each group, and stop between the blocks of terms. Groups with wide rows
    of the right operand and with few items did better than this explains.
    """
    *leading, rows, columns, terms = stage.extents
    height, width = min(shape.rows, rows), min(shape.columns, columns)
    items = min(shape.items, device.most_items)
    tile = even_tile(height, shape.tile[0]), even_tile(width, shape.tile[1])
    tiles = height // tile[0] * (width // tile[1])
    if tiles > items:
        return inf
    ways = max(1, items // tiles)
    groups = prod(leading) * ceil(rows / height) * ceil(columns / width)
    share = ceil(groups / device.units)
    warps = min(8.0, share * ways * tiles / _WARP)
    adding = terms * height * width / _LANES * (1 + 3 / warps) * (1 + 4 / prod(tile))
    reading = 0.8 * terms * (height + width) / _FLOATS_A_CYCLE
    stopping = 50 * ceil(terms / (shape.terms * ways))
    return (
        share
        * (adding + reading + stopping)
        * (1 + 8 / width)
        * (1 + items / 2048)
        * (1 + shape.terms / 128)
    )


def _is_product(stage: Stage) -> bool:
    return stage.anchor is not None and stage.anchor.access_pattern() is AccessPattern.CONTRACT


def _one_by_one(how: StageSchedule) -> StageSchedule:
    """One point at a time: for folds that items share."""
    return replace(how, tile=(1,) * len(how.tile), vector=None, block=None)


def _small_tile(stage: Stage, how: StageSchedule, lanes: int, shape: Shape) -> StageSchedule:
    """One vector for each item, or a few rows and a vector of columns of a product.

    Neighbouring items take neighbouring columns: what they read lies together.
    """
    vector = how.vector if how.vector is not None and how.vector < stage.parallel else None
    tile = [1] * len(stage.extents)
    if how.across is not None and vector is not None:
        tile[vector] = tile[how.across] = lanes
    elif vector is not None:
        tile[vector] = shape.tile[1] if _is_product(stage) else lanes
        rows = [d for d in range(stage.parallel) if d != vector and stage.extents[d] > 1]
        if _is_product(stage) and rows:
            tile[rows[-1]] = min(shape.tile[0], stage.extents[rows[-1]])
            # Without a loop the compiler reads operands well before they are needed.
            tile[stage.parallel] = min(shape.terms or 1, stage.extents[stage.parallel])
    others = tuple(d for d in range(stage.parallel) if d != vector)
    order = others if vector is None else (*others, vector)
    block = how.block if vector is not None or stage.anchor is None else None
    return replace(
        how, order=order, tile=tuple(tile), vector=vector, block=block, prefetch=False, hoist=False
    )


def _band(
    stages: Sequence[Stage], tiles: Sequence[StageSchedule], device: DeviceModel, shape: Shape
) -> tuple[int, ...]:
    """Points of a task: cut until there are enough groups and scratch fits local memory."""
    count = shared_band(stages)
    extents = stages[0].extents[:count]
    grain = [max(how.tile[b] for how in tiles) for b in range(count)]
    if len(stages) == 1 and _is_product(stages[0]):
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
    """Items that share one fold, and the terms of a product to copy at once; 1 and 0 for none."""
    if stage.anchor is None:
        return 1, 0
    sizes = [*band, *stage.extents[len(band) : stage.parallel]]
    folded = stage.extents[stage.parallel]
    if not _is_product(stage):
        most = min(_WAYS, items // max(1, prod(sizes)), folded)
        return next((n for n in range(most, 1, -1) if folded % n == 0), 1), 0
    left, right = stage.anchor.operands
    if not terms or left is right or len(stage.extents) != stage.parallel + 1:
        return 1, 0
    tiles = prod(size // even_tile(size, tile) for size, tile in zip(sizes, how.tile, strict=False))
    ways = 1
    while 2 * ways * tiles <= items and 2 * ways * _FEWEST_TERMS <= folded:
        ways *= 2
    most = min(folded, terms * ways) // ways * ways
    # Blocks of one size if there are some nearly as large.
    staged = next((n for n in range(most, most // 2, -ways) if folded % n == 0), most)
    return (ways, staged) if tiles * ways <= items else (1, 0)


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
            shape = shape_of(stage.target)
            window = window_dimensions(stage, len(band))
            bounds = [e if b is None else band[b] for e, b in zip(shape, window, strict=True)]
            total += _rounded(prod(bounds) * width)
        if schedule.group is None or stage.anchor is None:
            continue
        points = prod(sizes[: stage.parallel])
        ways, staged = schedule.group.ways[n], schedule.group.staged[n]
        if staged:
            part = [*sizes[: stage.parallel], staged]
            needed = staged_elements(stage, part, schedule.group.items, 4)
        else:
            needed = points * ways if ways > 1 else 0
        shared = max(shared, _rounded(needed * width))
    return total + shared


def _rounded(size: int) -> int:
    return -(-size // 64) * 64
