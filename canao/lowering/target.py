"""What lowering must know about a processor: its vector registers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class VectorUnit:
    """The vector registers of a processor, as single-precision numbers see them."""

    name: str
    lanes_f32: int
    """float32 numbers in one register."""
    registers: int
    """Registers that a program can name."""
    fma: bool
    """Whether a multiplication and an addition are one instruction."""

    @property
    def bytes(self) -> int:
        """Size of one register in bytes."""
        return 4 * self.lanes_f32


GENERIC = VectorUnit("generic", lanes_f32=4, registers=16, fma=False)
"""A processor of which nothing is known; the compiler splits what it lacks."""

# Widest first: the first row whose features are all present wins.
_UNITS: tuple[tuple[frozenset[str], VectorUnit], ...] = (
    (frozenset({"avx512f"}), VectorUnit("avx512", lanes_f32=16, registers=32, fma=True)),
    (frozenset({"avx2", "fma"}), VectorUnit("avx2", lanes_f32=8, registers=16, fma=True)),
    (frozenset({"asimd"}), VectorUnit("neon", lanes_f32=4, registers=32, fma=True)),
    (frozenset({"neon"}), VectorUnit("neon", lanes_f32=4, registers=32, fma=True)),
    (frozenset({"sse2"}), VectorUnit("sse", lanes_f32=4, registers=16, fma=False)),
)


def vector_unit(features: Collection[str]) -> VectorUnit:
    """The widest vector unit that a processor with these features has.

    Features carry the names that Linux gives them: avx512f, avx2, fma, sse2,
    asimd (64-bit ARM) or neon (32-bit ARM).
    """
    present = frozenset(features)
    return next((unit for needed, unit in _UNITS if needed <= present), GENERIC)
