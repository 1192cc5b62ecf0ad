"""How a group of work-items multiplies block by block: who copies what, and who adds up what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, inf, prod

from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from canao.dialects.canao.types import element_of
from canao.lowering.schedules.schedule import StageSchedule
from canao.lowering.stages.layout import Shifted, Window
from canao.lowering.stages.stage import Stage, source_strides
from canao.polyhedral.index import Index, Variable


@dataclass(frozen=True)
class OperandCopy:
    """The block of an operand in the memory of the group, and how the items copy it there.

    A *unit* is what is copied at once: a vector along the dimension in which
    neighbours lie together where they come from. Units are counted so that items
    with neighbouring numbers put neighbours into the memory of the group.
    """

    shape: tuple[int, ...]
    start: int
    """Its first element in the memory that all blocks share."""
    order: tuple[int, ...]
    """The dimensions as they lie there, slowest first."""
    vector: int
    width: int
    """Elements of a unit along the dimension `vector`."""
    trips: tuple[int, ...]
    """How many units each item copies along each dimension, slowest first."""

    @property
    def grid(self) -> tuple[int, ...]:
        """The loop over the items that copy: along each dimension, slowest first."""
        counts = _units(self.shape, self.vector, self.width)
        return tuple(counts[d] // n for d, n in zip(self.order, self.trips, strict=True))

    def places(
        self, base: Sequence[Index], at: Sequence[Index]
    ) -> Iterator[tuple[tuple[Index, ...], Variable | None]]:
        """Where the units of an item lie in the operand, whose block begins at `base`.

        `at` is the place of the item in the grid. With each comes its lane.
        """
        lane = Variable("lane", self.width) if self.width > 1 else None
        for trip in product(*map(range, self.trips)):
            place = list(base)
            for d, step, count, n in zip(self.order, at, self.grid, trip, strict=True):
                unit = step + n * count
                place[d] = place[d] + unit * (self.width if d == self.vector else 1)
            if lane is not None:
                place[self.vector] = place[self.vector] + Index.of(lane)
            yield tuple(place), lane

    def layout(self, base: Sequence[Index]) -> Shifted:
        """Where the block that begins at `base` lies in the memory of the group."""
        return Shifted(Window(tuple(base), self.shape, self.order), self.start)


@dataclass(frozen=True)
class TileGrid:
    """A part of a product in tiles of one size, and a tile in vectors.

    Along the dimension of vectors those of a tile do not follow each other: tiles
    take turns, so that items with neighbouring numbers use neighbouring vectors.
    """

    tiles: tuple[int, ...]
    """Tiles along each independent dimension."""
    inner: tuple[int, ...]
    """Vectors of a tile along each."""
    width: int
    """Elements of a vector."""
    vector: int | None
    """The dimension of vectors; None for single elements."""

    def dims(
        self, starts: Sequence[Index], tile: Sequence[Index], n: Sequence[Index | int]
    ) -> tuple[Index, ...]:
        """The first element of vector `n` of a tile, in a part that begins at `starts`."""
        out: list[Index] = []
        for d, (start, at, k) in enumerate(zip(starts, tile, n, strict=True)):
            inside = Index.constant(k) if isinstance(k, int) else k
            if d == self.vector:
                out.append(start + (at + inside * self.tiles[d]) * self.width)
            else:
                out.append(start + at * self.inner[d] + inside)
        return tuple(out)

    def rounds(self, split_k: int, capacity: int) -> tuple[int, ...]:
        """Vectors along each dimension of which `split_k` sums a tile fit `capacity` elements."""
        taken = list(self.inner)
        while split_k * prod(taken) * prod(self.tiles) * self.width > capacity:
            d = next(d for d, count in enumerate(taken) if count > 1)
            taken[d] = even_tile(taken[d], taken[d] - 1)
        return tuple(taken)


@dataclass(frozen=True)
class PipeliningPlan:
    """What a work-group copies of both operands, and which tile each item sums up."""

    copies: tuple[OperandCopy, ...]
    last: tuple[OperandCopy, ...]
    """Copies of the terms after the last whole K-tile; an item may take several, in a loop."""
    tiling: TileGrid
    split_k: int

    @property
    def grid(self) -> tuple[int, ...]:
        """The loop over items that add up: the share of the terms, then the tile."""
        return (self.split_k, *self.tiling.tiles)


def plan_pipelining(
    stage: Stage,
    schedule: StageSchedule,
    sizes: Sequence[int],
    group: tuple[int, int, int],
    lanes: int,
    stored: Collection[SSAValue],
) -> PipeliningPlan | None:
    """How a work-group computes a part of a product, with points of `sizes` along each dimension.

    `group` has three numbers: the work-items, the items that may share one sum (split-K), and
    the terms that are copied at once (the K-tile). `lanes` is the width of a vector in elements.
    All tiles have one size, at most that of the schedule, and each has a work-item of its own.
    None if the sizes do not divide so: then operands are read where they are.
    """
    items, split_k, k_tile = group
    anchor = stage.anchor
    if anchor is None or len(stage.extents) != stage.parallel + 1 or k_tile % split_k:
        return None
    element = element_of(anchor.results[0])
    if any(element_of(operand) != element for operand in anchor.operands):
        return None
    tiling = _tiling(schedule, sizes, lanes)
    while split_k > 1 and split_k * prod(tiling.tiles) > items:
        split_k //= 2
    if split_k * prod(tiling.tiles) > items or k_tile % split_k:
        return None
    copies = _plan_copies(stage, (*sizes, k_tile), items, lanes, stored)
    if copies is None:
        return None
    rest = stage.extents[-1] % k_tile
    last = _plan_copies(stage, (*sizes, rest), inf, lanes, stored) if rest else ()
    assert last is not None
    return PipeliningPlan(copies, last, tiling, split_k)


def _tiling(schedule: StageSchedule, sizes: Sequence[int], lanes: int) -> TileGrid:
    tile = [even_tile(size, most) for size, most in zip(sizes, schedule.tile, strict=False)]
    tiles = tuple(size // points for size, points in zip(sizes, tile, strict=True))
    vector = schedule.vector
    if vector is None or vector >= len(tile) or tile[vector] % lanes:
        return TileGrid(tiles, tuple(tile), 1, None)
    tile[vector] //= lanes
    return TileGrid(tiles, tuple(tile), lanes, vector)


def k_tile_elements(stage: Stage, sizes: Sequence[int], items: int, lanes: int) -> int:
    """Elements of the memory of a group that hold a block of both operands.

    `sizes` are those of the largest part, then the terms of a block. They also
    hold a vector of each item.
    """
    blocks = sum(_rounded(prod(shape), lanes) for shape in operand_extents(stage, sizes))
    return max(blocks, items * lanes)


def own_parts(
    stage: Stage, schedule: StageSchedule, sizes: Sequence[int], items: int, lanes: int
) -> list[int]:
    """Elements that an item needs at most for the sums of its tile, and to copy each operand."""
    tile = prod(min(pair) for pair in zip(schedule.tile[: stage.parallel], sizes, strict=False))
    copied = [-(-prod(shape) // items) for shape in operand_extents(stage, sizes)]
    return [_rounded(size, lanes) for size in (tile, *copied)]


def _rounded(size: int, lanes: int) -> int:
    return -(-size // lanes) * lanes


def even_tile(size: int, most: int) -> int:
    """The largest tile that divides a size."""
    return next(tile for tile in range(min(size, most), 0, -1) if size % tile == 0)


def operand_extents(stage: Stage, sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """The shape of the part that each operand of a product has in a part of its points.

    `sizes` are those of the part, reduced dimensions included.
    """
    assert stage.anchor is not None
    return [
        tuple(1 if d is None else sizes[d] for d in _dimensions(access))
        for access in stage.anchor.iteration_space().operands
    ]


def _dimensions(access: AffineMap) -> list[int | None]:
    """The dimension of a product that each dimension of an operand is; None for a constant."""
    return [e.position if isinstance(e, AffineDimExpr) else None for e in access.results]


def _plan_copies(
    stage: Stage, sizes: Sequence[int], items: float, lanes: int, stored: Collection[SSAValue]
) -> tuple[OperandCopy, ...] | None:
    anchor = stage.anchor
    assert anchor is not None
    copies: list[OperandCopy] = []
    start = 0
    accesses = anchor.iteration_space().operands
    shapes = operand_extents(stage, sizes)
    for operand, access, shape in zip(anchor.operands, accesses, shapes, strict=True):
        dims = _dimensions(access)
        # Tiles read neighbours along the dimension that is not reduced: these lie together.
        order = sorted(range(len(dims)), key=lambda r: _rank(dims[r], stage.parallel))
        vector, width = _unit(shape, source_strides(operand, stored), lanes)
        counts = _units(shape, vector, width)
        trips = _trips([counts[d] for d in order], items)
        if trips is None:
            return None
        copies.append(OperandCopy(shape, start, tuple(order), vector, width, trips))
        start += _rounded(prod(shape), lanes)
    return tuple(copies)


def _units(shape: Sequence[int], vector: int, width: int) -> tuple[int, ...]:
    """Units along each dimension."""
    return tuple(e // width if d == vector else e for d, e in enumerate(shape))


def _trips(counts: Sequence[int], items: float) -> tuple[int, ...] | None:
    """Units for each item along each dimension, in equal shares; the slowest is cut first."""
    units = prod(counts)
    if units <= items:
        return (1,) * len(counts)
    if units % items:
        return None
    left, trips = int(units // items), list[int]()
    for count in counts:
        trips.append(gcd(left, count))
        left //= trips[-1]
    return tuple(trips)


def _rank(dim: int | None, reduced: int) -> tuple[int, int]:
    """Sorts the leading dimensions first, then the reduced one, then rows and columns."""
    if dim is None:
        return 0, 0
    if dim == reduced:
        return 1, 0
    return (2, dim) if dim >= reduced - 2 else (0, dim)


def _unit(shape: Sequence[int], strides: Sequence[int | None], lanes: int) -> tuple[int, int]:
    """The dimension along which units are vectors, and their width."""
    for d, (extent, stride) in enumerate(zip(shape, strides, strict=True)):
        if stride == 1 and extent > 1 and extent % lanes == 0:
            return d, lanes
    return len(shape) - 1, 1
