"""Register tiles of products, by a model of their time."""

from __future__ import annotations

from canao.machine.processor import VectorUnit
from canao.polyhedral.split import split_by_width, split_evenly, vector_pieces


def register_tile(rows: int, columns: int, unit: VectorUnit) -> tuple[int, int]:
    """The best of `register_tiles`."""
    return register_tiles(rows, columns, unit)[0]


def register_tiles(rows: int, columns: int, unit: VectorUnit) -> list[tuple[int, int]]:
    """Rows and columns of accumulators that fit the registers, fastest first.

    The time of a tile is the larger of its multiply-adds and its loads; both
    are counted over all tiles of a `rows` by `columns` result. A tile has a
    register for each of its sums, one for each vector of a term's columns, and
    one for the number of a row that is multiplied with them. Where a load brings
    several terms of a row, each row has a register, and the columns of the next
    term are loaded while those of one are multiplied.
    """
    found: list[tuple[float, tuple[int, int]]] = []
    for vectors in range(1, unit.tiles.most_vectors + 1):
        width = vectors * unit.lanes_f32
        if vectors > 1 and width - unit.lanes_f32 >= columns:
            break
        for height in range(1, min(unit.tiles.most_rows, rows) + 1):
            operands = vectors + 1 if unit.terms_a_load == 1 else 2 * vectors + height
            if vectors * height + operands > unit.registers:
                break
            found.append((_product_time(rows, columns, height, width, unit), (height, width)))
    return [tile for _, tile in sorted(found)]


def column_cost(rows: int, columns: int, unit: VectorUnit) -> float:
    """What an output of a product costs under the best tile; 1 is a lane busy for one multiply-add.

    It tells which widths fit a processor's registers, and which leave lanes idle.
    """
    height, width = register_tile(rows, columns, unit)
    multiply_adds = unit.lanes_f32 * unit.multiply_adds
    return _product_time(rows, columns, height, width, unit) * multiply_adds / (rows * columns)


def _product_time(rows: int, columns: int, height: int, width: int, unit: VectorUnit) -> float:
    total = 0.0
    for across in split_by_width(columns, width, unit.lanes_f32):
        vectors = len(vector_pieces(across.size, unit.lanes_f32))
        for down in split_evenly(rows, height):
            multiplies = vectors * down.size / unit.multiply_adds
            loads = load_cycles(vectors, down.size / unit.terms_a_load, unit)
            busy = max(multiplies, loads, unit.latency)
            tile = busy + unit.tiles.tile_cycles + unit.tiles.load_share * loads
            total += across.count * down.count * tile
    return total


def loads_a_term(height: int, width: int, unit: VectorUnit) -> float:
    """Instructions that load what a tile of a product reads of one term, on average."""
    return len(vector_pieces(width, unit.lanes_f32)) + height / unit.terms_a_load


def load_cycles(vectors: float, broadcasts: float, unit: VectorUnit) -> float:
    """Cycles that a core needs for so many loads."""
    return vectors / unit.loads + broadcasts / unit.broadcasts


def is_held(height: int, width: int, unit: VectorUnit) -> bool:
    """Whether code for a unit may hold weights in registers, and a tile gains by it.

    It does where it would be slower if each multiply-add read its weights from memory, as
    compilers let it where registers are scarce.
    """
    vectors = len(vector_pieces(width, unit.lanes_f32))
    reads = load_cycles(vectors * height, height, unit)
    return unit.holds and reads > vectors * height / unit.multiply_adds
