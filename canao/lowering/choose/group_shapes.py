"""Sizes that are tried for a group of work-items and its products, the likeliest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, inf, prod

from canao.lowering.schedules.pipelining_plan import even_tile
from canao.lowering.stages.row_lanes import is_product
from canao.lowering.stages.stage import Stage
from canao.machine.opencl_device import DeviceModel

_ITEMS = 256
"""Work-items of a group, where a device allows as many."""
_TILE = (8, 8)
"""Rows and columns of a product that one item has in registers."""
_TILES = (_TILE, (4, 8), (4, 4))
"""Those that are tried."""
_SIDES = (64, 32, 16)
"""Rows and columns of a product that a group makes at most."""
_TERMS = 8
"""Terms that an item adds up of each block of a product."""
_FLOATS_A_CYCLE = 6
"""Numbers that a compute unit reads in a cycle, when all of them do."""
_LANES = 128
"""Multiply-adds that a compute unit of a GPU makes in a cycle at most."""
_WARP = 32
"""Items that run in step."""


@dataclass(frozen=True)
class Shape:
    """What is chosen for the products of a layer."""

    rows: int = _SIDES[0]
    columns: int = _SIDES[0]
    """Points of a product that a group makes at most."""
    tile: tuple[int, int] = _TILE
    items: int = _ITEMS
    terms: int = _TERMS
    """Terms that an item adds up of a block; 0 reads operands where they are."""


def ranked_shapes(stages: Sequence[Stage], device: DeviceModel) -> list[Shape]:
    """Shapes, those first that a model of the time of a product likes."""
    alone = len(stages) == 1 and is_product(stages[0])
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
    split_k = max(1, items // tiles)
    groups = prod(leading) * ceil(rows / height) * ceil(columns / width)
    share = ceil(groups / device.units)
    warps = min(8.0, share * split_k * tiles / _WARP)
    adding = terms * height * width / _LANES * (1 + 3 / warps) * (1 + 4 / prod(tile))
    reading = 0.8 * terms * (height + width) / _FLOATS_A_CYCLE
    stopping = 50 * ceil(terms / (shape.terms * split_k))
    disliked = (1 + 8 / width) * (1 + items / 2048) * (1 + shape.terms / 128)
    return share * (adding + reading + stopping) * disliked
