"""What lowering must know about a processor: its vector registers, and what it does a cycle."""

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
    multiply_adds: float = 1
    """Multiply-adds of whole registers that a core begins a cycle."""
    loads: float = 1
    """Registers that a core loads a cycle."""
    broadcasts: float = 2
    """Numbers that a core loads into all lanes of a register a cycle, if it does nothing else."""
    holds: bool = False
    """Whether C can ask that a value stays in one of its registers."""

    @property
    def bytes(self) -> int:
        """Size of one register in bytes."""
        return 4 * self.lanes_f32


GENERIC = VectorUnit("generic", lanes_f32=4, registers=16, fma=False)
"""A processor of which nothing is known; the compiler splits what it lacks."""

# Rates are those of Zen 4 for AVX-512 and of Zen 3 for AVX2; Intel's cores of these years
# differ by a factor that multiply-adds and loads share.
_AVX512 = VectorUnit("avx512", 16, 32, fma=True, holds=True)
_AVX2 = VectorUnit("avx2", 8, 16, fma=True, multiply_adds=2, loads=2, holds=True)
_NEON = VectorUnit("neon", lanes_f32=4, registers=32, fma=True)

# Widest first: the first row whose features are all present wins.
_UNITS: tuple[tuple[frozenset[str], VectorUnit], ...] = (
    (frozenset({"avx512f"}), _AVX512),
    (frozenset({"avx2", "fma"}), _AVX2),
    (frozenset({"asimd"}), _NEON),
    (frozenset({"neon"}), _NEON),
    (frozenset({"sse2"}), VectorUnit("sse", lanes_f32=4, registers=16, fma=False)),
)


def vector_unit(features: Collection[str]) -> VectorUnit:
    """The widest vector unit that a processor with these features has.

    Features carry the names that Linux gives them: avx512f, avx2, fma, sse2,
    asimd (64-bit ARM) or neon (32-bit ARM).
    """
    present = frozenset(features)
    return next((unit for needed, unit in _UNITS if needed <= present), GENERIC)
