"""Placing buffers in one arena."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canao.lowering.plan_memory import Lifetime, place

ALIGNMENT = 64


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


@st.composite
def lifetimes(draw: st.DrawFn) -> Lifetime:
    first = draw(st.integers(0, 20))
    return Lifetime(draw(st.integers(1, 5000)), first, first + draw(st.integers(0, 8)))


def most_live(buffers: list[Lifetime]) -> int:
    """Bytes that are needed at once, at the worst step."""
    steps = range(max(b.last for b in buffers) + 1)
    return max(sum(rounded(b.size) for b in buffers if b.first <= s <= b.last) for s in steps)


@given(st.lists(lifetimes(), min_size=1, max_size=25))
def test_live_buffers_do_not_overlap(buffers: list[Lifetime]) -> None:
    offsets, total = place(buffers)
    for n, (a, at) in enumerate(zip(buffers, offsets, strict=True)):
        assert at % ALIGNMENT == 0
        assert at >= 0
        assert at + a.size <= total
        for b, other in zip(buffers[:n], offsets, strict=False):
            if a.overlaps(b):
                assert at + a.size <= other or other + b.size <= at


@given(st.lists(lifetimes(), min_size=1, max_size=25))
def test_waste_is_bounded(buffers: list[Lifetime]) -> None:
    _, total = place(buffers)
    assert most_live(buffers) <= total
    assert total <= 2 * most_live(buffers)


def test_a_chain_needs_two_buffers() -> None:
    chain = [Lifetime(1000, n, n + 1) for n in range(12)]
    offsets, total = place(chain)
    assert total == 2 * rounded(1000)
    assert sorted(set(offsets)) == [0, rounded(1000)]


def test_the_smallest_gap_that_fits_is_taken() -> None:
    buffers = [
        Lifetime(640, 0, 9),  # at 0
        Lifetime(512, 0, 1),  # at 640: leaves a gap of 512
        Lifetime(448, 0, 9),  # at 1152
        Lifetime(256, 0, 1),  # at 1600: leaves a gap of 256
        Lifetime(192, 0, 9),  # at 1856
        Lifetime(180, 5, 6),  # fits both gaps
    ]
    offsets, total = place(buffers)
    assert offsets == [0, 640, 1152, 1600, 1856, 1600]
    assert total == 2048


def test_nothing_to_place() -> None:
    assert place([]) == ([], 0)
