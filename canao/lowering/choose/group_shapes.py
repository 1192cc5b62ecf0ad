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
"""Terms of each block of a product that one item adds up."""
_FLOATS_A_CYCLE = 6
"""float32 numbers that each compute unit reads a cycle while all units read."""
_READ_SHARE = 0.8
"""How much of what its items read a group waits for: the rest comes from caches. Fitted."""
_BARRIERS = 50
"""Cycles in which a group waits between two blocks of terms. Fitted."""
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
    """An estimate of the time of a product, in cycles of a compute unit.

    It is the sum of three times. *Multiplying* comes near the unit's rate if many warps hide
    each other's waits and if register tiles are large. *Reading* is for the operands of each
    group, less what caches give. *Waiting* is for the barriers between blocks of terms.
    The last factor has no model behind it: measured groups with narrow rows, many items or long
    blocks were slower than the sum says. All numbers were fitted to an NVIDIA H100.
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
    multiplying = terms * height * width / _LANES * (1 + 3 / warps) * (1 + 4 / prod(tile))
    reading = _READ_SHARE * terms * (height + width) / _FLOATS_A_CYCLE
    waiting = _BARRIERS * ceil(terms / (shape.terms * split_k))
    disliked = (1 + 8 / width) * (1 + items / 2048) * (1 + shape.terms / 128)
    return share * (multiplying + reading + waiting) * disliked
