"""The table of processors: whoever makes code asks a row of it, never for a name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from canao.machine.processor import (
    Caches,
    CpuModel,
    PrefetchDistance,
    RegisterTiles,
    Traffic,
    VectorUnit,
)

GENERIC = VectorUnit("generic", lanes_f32=4, registers=16, fma=False)
"""A processor of which nothing is known; the compiler splits what it lacks."""

# The levels of the x86-64 psABI, by the names that Linux gives their features.
_V1 = frozenset({"sse2"})
X86_64_V2 = _V1 | {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}
_V3 = X86_64_V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}

# On AArch64 the first scheduling pass of gcc moves the sums of products over the stack.
_ARM_OPTIONS = ("-fno-schedule-insns",)

# Rates are those of Zen 4 for AVX-512 and of Zen 3 for AVX2; Intel's cores of these years
# differ by a factor that multiply-adds and loads share.
AVX512 = VectorUnit(
    "avx512",
    lanes_f32=16,
    registers=32,
    fma=True,
    holds=True,
    prefetch=PrefetchDistance(bytes_ahead=12288),
    march="x86-64-v4",
)
# After AMD's optimisation guide: two 512-bit multiply-adds and two 512-bit loads a cycle,
# 48 KiB of first cache; the second has 1 MiB, as that of Zen 4.
_ZEN5 = replace(
    AVX512,
    name="zen5",
    multiply_adds=2,
    loads=2,
    caches=Caches(nearest_bytes=48 << 10),
    traffic=Traffic(cache_bytes=16.0),
)
AVX2 = VectorUnit(
    "avx2",
    lanes_f32=8,
    registers=16,
    fma=True,
    multiply_adds=2,
    loads=2,
    holds=True,
    tiles=RegisterTiles(unrolled_terms=4),
    prefetch=PrefetchDistance(results_from=1 << 20),
    traffic=Traffic(memory_bytes=5.0, cache_bytes=16.0, layer_cycles=4000.0),
    march="x86-64-v3",
)
SSE = VectorUnit("sse", lanes_f32=4, registers=16, fma=False, march="x86-64")
# Rates are those of Cortex-A76 and A78. A multiply-add takes any lane of a register for all lanes
# of another: a load brings the next four terms of a row.
NEON = VectorUnit(
    "neon",
    lanes_f32=4,
    registers=32,
    fma=True,
    multiply_adds=2,
    loads=2,
    terms_a_load=4,
    prefetch=PrefetchDistance(terms=16),
    march="armv8-a",
    gcc_options=_ARM_OPTIONS,
)
# Its 32 registers of 64 bits are 16 of 128.
NEON_OF_32_BITS = VectorUnit("neon32", lanes_f32=4, registers=16, fma=True)
# The compiler splits vectors into the 32 registers of single numbers.
SCALAR_FLOATS = VectorUnit("scalar", lanes_f32=4, registers=8, fma=True)
# An engine maps its values to 16 registers on x86-64, of which V8 keeps one, and to 32 on ARM.
SIMD128 = VectorUnit("simd128", lanes_f32=4, registers=15, fma=False)


@dataclass(frozen=True)
class Row:
    """A processor, how it is recognised, and what one asks for by its name."""

    unit: VectorUnit
    needed: frozenset[str]
    """Features that it has, by the names that Linux gives them."""
    level: frozenset[str] = frozenset()
    """Features that code for its name may use; none if nobody can ask for it by name."""
    design: tuple[str, int] | None = None
    """The maker and the family of its design; None if any processor with these features fits."""
    models: tuple[range, ...] = ()
    """The models of that family that it is: all of them if there are no ranges."""

    def fits(self, features: frozenset[str], cpu: CpuModel | None) -> bool:
        """Whether it is the row of a processor, if none before it is."""
        if not self.needed <= features:
            return False
        if self.design is None:
            return True
        if cpu is None or (cpu.vendor, cpu.family) != self.design:
            return False
        return not self.models or any(cpu.model in models for models in self.models)


PROCESSORS: tuple[Row, ...] = (
    # Zen 5 with units of 512 bits: servers, desktops and the largest laptops; others halve them.
    Row(
        _ZEN5,
        frozenset({"avx512f"}),
        design=("AuthenticAMD", 0x1A),
        models=(range(0x20), range(0x40, 0x50), range(0x70, 0x80)),
    ),
    Row(AVX512, frozenset({"avx512f"}), _V4),
    Row(AVX2, frozenset({"avx2", "fma"}), _V3),
    Row(NEON, frozenset({"asimd"})),
    Row(NEON_OF_32_BITS, frozenset({"neon"})),
    Row(SSE, _V1, _V1),
)
"""The best first: the first row that fits a processor is its row."""

LEVELS = {row.unit.name: row.level for row in reversed(PROCESSORS) if row.level}
"""Features by the names that one may ask for, the narrowest first."""

VECTOR_FEATURES = tuple(name for row in PROCESSORS for name in sorted(row.needed))
"""The features that tell processors apart."""


def vector_unit(features: Collection[str], cpu: CpuModel | None = None) -> VectorUnit:
    """The row of a processor that has these features: avx512f, avx2, fma, sse2, asimd, neon.

    Rows of one design are found only where `cpu` tells it.
    """
    present = frozenset(features)
    return next((row.unit for row in PROCESSORS if row.fits(present, cpu)), GENERIC)
