"""Splits cover an extent exactly once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canao.polyhedral.split import (
    Segment,
    split_by_width,
    split_evenly,
    split_with_rest,
    vector_pieces,
)

EXTENTS = st.integers(1, 400)
TILES = st.integers(1, 70)
LANES = st.sampled_from((1, 2, 4, 8, 16))


def points(segments: Sequence[Segment]) -> list[int]:
    return [
        s.start + n * s.size + p for s in segments for n in range(s.count) for p in range(s.size)
    ]


@given(EXTENTS, TILES)
def test_even_tiles(extent: int, tile: int) -> None:
    segments = split_evenly(extent, tile)
    assert points(segments) == list(range(extent))
    sizes = [s.size for s in segments for _ in range(s.count)]
    assert max(sizes) <= tile
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == -(-extent // tile)


@given(EXTENTS, TILES, LANES)
def test_tiles_of_whole_vectors(extent: int, tile: int, lanes: int) -> None:
    segments = split_by_width(extent, tile, lanes)
    assert points(segments) == list(range(extent))
    whole, *rest = segments
    if extent >= tile:
        assert (whole.start, whole.size, whole.count) == (0, tile, extent // tile)
    else:
        rest = list(segments)
    assert all(s.count == 1 or s.size % lanes == 0 or s.size == tile for s in rest)
    assert sum(s.size < lanes for s in rest) <= 1


@given(EXTENTS, TILES)
def test_tiles_and_a_rest(extent: int, tile: int) -> None:
    segments = split_with_rest(extent, tile)
    assert points(segments) == list(range(extent))
    assert all(s.size == tile for s in segments[:-1])
    assert segments[-1].size <= tile


@given(EXTENTS, LANES)
def test_pieces(size: int, lanes: int) -> None:
    pieces = vector_pieces(size, lanes)
    assert [first + n for first, width in pieces for n in range(width)] == list(range(size))
    widths = [width for _, width in pieces]
    assert widths == sorted(widths, reverse=True)
    assert all(w == lanes or widths.count(w) == 1 for w in widths)
    assert all(w & (w - 1) == 0 for w in widths)


@pytest.mark.parametrize(
    ("extent", "tile", "expected"),
    [
        (128, 9, (Segment(0, 8, 9), Segment(72, 7, 8))),
        (12, 4, (Segment(0, 3, 4),)),
        (3, 9, (Segment(0, 1, 3),)),
        (1, 1, (Segment(0, 1, 1),)),
    ],
)
def test_examples(extent: int, tile: int, expected: tuple[Segment, ...]) -> None:
    assert split_evenly(extent, tile) == expected
