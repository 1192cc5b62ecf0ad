"""Chooses schedules of row-lane layers: the rows of their products in vectors."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from canao.lowering.choose.register_tiles import is_held, register_tile
from canao.lowering.schedules.schedule import Schedule, StageSchedule
from canao.lowering.stages.row_lanes import RowLanes, is_product
from canao.lowering.stages.stage import Stage
from canao.machine.processor import VectorUnit

_REGISTERS_A_VECTOR = {True: 2, False: 8}
"""Registers for each vector of a column that a loop handles together: in a reduction, whose
chains of operations wait for each other, or elsewhere, where exponentials need some for the
vectors, and as many for their coefficients."""
_TERMS_A_SUM = {True: 256, False: 64}
"""Longest chain of additions: in a product, which is as long in other libraries, or elsewhere."""


def choose_row_lanes(row_lanes: RowLanes, unit: VectorUnit) -> Schedule:
    """The schedule that the cost model expects to be fastest.

    Tasks share nothing, so that they may be as small as the tiles allow: a
    block of rows of one head.
    """
    rows = row_lanes.stages[0].extents[row_lanes.lane]
    tasks = ceil(rows / unit.caches.attention_rows)
    block = min(rows, unit.lanes_f32 * ceil(rows / tasks / unit.lanes_f32))
    band = tuple(block if b == row_lanes.lane else 1 for b in range(row_lanes.lane + 1))
    stages = (
        replace(_choose(row_lanes, stage, unit, block), onto=row_lanes.replaces(n))
        for n, stage in enumerate(row_lanes.stages)
    )
    return Schedule(band, tuple(stages))


def _choose(row_lanes: RowLanes, stage: Stage, unit: VectorUnit, block: int) -> StageSchedule:
    lane, layout = row_lanes.lane, row_lanes.layouts.get(stage.target)
    tile = [1] * len(stage.extents)
    order = tuple(range(stage.parallel))
    turned = row_lanes.turned(stage)
    if turned is not None:
        for d in turned:
            tile[d] = unit.lanes_f32
        return StageSchedule(order, tuple(tile), turned[0], across=turned[1], layout=layout)
    vectors = max(1, unit.registers // _REGISTERS_A_VECTOR[stage.anchor is not None])
    tile[lane] = unit.lanes_f32 * min(vectors, ceil(block / unit.lanes_f32))
    keep = False
    if is_product(stage):
        tile[lane + 1], tile[lane] = register_tile(stage.extents[lane + 1], block, unit)
        keep = is_held(tile[lane + 1], tile[lane], unit)
        tile[-1] = min(unit.tiles.unrolled_terms, stage.extents[-1])
    terms = _TERMS_A_SUM[is_product(stage)]
    long = stage.anchor is not None and stage.extents[-1] > terms and stage.is_fixed(-1)
    return StageSchedule(
        order, tuple(tile), lane, terms if long else None, layout=layout, keep=keep
    )
