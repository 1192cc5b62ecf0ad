"""Splitting an extent into tiles whose sizes differ by at most one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """`count` consecutive tiles of `size` points each, the first at `start`."""

    start: int
    count: int
    size: int


def split_evenly(extent: int, tile: int) -> tuple[Segment, ...]:
    """The fewest tiles of at most `tile` points, as even as can be.

    128 by 9 is 8 tiles of 9 and 7 of 8: no tile is left nearly empty.
    """
    tiles = -(-extent // tile)
    size, larger = divmod(extent, tiles)
    segments: list[Segment] = []
    if larger:
        segments.append(Segment(0, larger, size + 1))
    if tiles > larger:
        segments.append(Segment(larger * (size + 1), tiles - larger, size))
    return tuple(segments)


def split_by_width(extent: int, tile: int, lanes: int) -> tuple[Segment, ...]:
    """Tiles of exactly `tile` points, then whole vectors, then a tail below `lanes`."""
    segments: list[Segment] = []
    start = 0
    rest = extent - extent // tile * tile
    for size in (tile, rest // lanes * lanes, rest % lanes):
        count = (extent - start) // size if size else 0
        if count:
            segments.append(Segment(start, count, size))
            start += count * size
    return tuple(segments)


def split_with_rest(extent: int, tile: int) -> tuple[Segment, ...]:
    """Tiles of exactly `tile` points and one smaller at the end, if any are left."""
    count, rest = divmod(extent, tile)
    whole = (Segment(0, count, tile),) if count else ()
    return (*whole, Segment(count * tile, 1, rest)) if rest else whole


def tile_sizes(tile: int, lanes: int | None) -> tuple[int, ...]:
    """Sizes of tiles of which every length can be made.

    Each is half of the one before, or less, but 2 comes after 3. Along vectors of so many
    `lanes`, they are whole vectors.
    """
    sizes = [tile]
    grain = lanes or 1
    while sizes[-1] > grain:
        half = max(grain, sizes[-1] // (2 * grain) * grain)
        sizes.append(2 if (sizes[-1], grain) == (3, 1) else half)
    return tuple(sizes)


def vector_pieces(size: int, lanes: int) -> tuple[tuple[int, int], ...]:
    """Covers `size` points by vectors: (first point, width) with widths that are
    `lanes`, then falling powers of two.
    """
    pieces: list[tuple[int, int]] = []
    start = 0
    width = lanes
    while start < size:
        while width > size - start:
            width //= 2
        pieces.append((start, width))
        start += width
    return tuple(pieces)
