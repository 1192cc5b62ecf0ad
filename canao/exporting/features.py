"""What a program asks the processor for before it runs: one row of a table a feature.

A compiler defines a macro where its code may use a feature. `kernels.c`, which is compiled for a
kind of processor, gathers these in a number; `model.c`, which any processor runs, compares it with
what the processor says of itself (`support/processor.c`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_AVX, _AVX512 = 0x6, 0xE6
"""Bits of XCR0: registers that the system keeps for each thread."""
_EAX, _EBX, _ECX, _EDX = range(4)
_HWCAP, _HWCAP2 = 16, 26
"""AT_HWCAP and AT_HWCAP2 of Linux."""


@dataclass(frozen=True)
class Feature:
    """One feature of processors of a family."""

    name: str
    macro: str
    """What compilers define for code that may use it."""
    leaf: int
    """Where the processor tells: for cpuid, 256 times the leaf and the subleaf; else the number
    that `getauxval` takes."""
    word: int
    """The register of cpuid: eax, ebx, ecx or edx."""
    bit: int
    state: int = 0


def _cpuid(leaf: int, word: int, rows: str, state: int = 0) -> tuple[Feature, ...]:
    """Features of one word of cpuid, from `name:bit` or `name:MACRO:bit`."""
    found: list[Feature] = []
    for row in rows.split():
        name, *macro, bit = row.split(":")
        named = macro[0] if macro else f"__{name.upper().replace('.', '_')}__"
        found.append(Feature(name, named, leaf, word, int(bit), state))
    return tuple(found)


_X86 = (
    *_cpuid(0x100, _ECX, "sse3:0 ssse3:9 sse4.1:19 sse4.2:20 movbe:22 popcnt:23"),
    *_cpuid(0x100, _ECX, "avx:28 fma:12 f16c:29", _AVX),
    *_cpuid(0x700, _EBX, "bmi:3 bmi2:8"),
    *_cpuid(0x700, _EBX, "avx2:5", _AVX),
    *_cpuid(0x700, _EBX, "avx512f:16 avx512dq:17 avx512ifma:21 avx512cd:28", _AVX512),
    *_cpuid(0x700, _EBX, "avx512bw:30 avx512vl:31", _AVX512),
    *_cpuid(0x700, _ECX, "avx512vbmi:1 avx512vbmi2:6 avx512vnni:11", _AVX512),
    *_cpuid(0x700, _ECX, "avx512bitalg:12 avx512vpopcntdq:14", _AVX512),
    *_cpuid(0x700, _ECX, "gfni:8"),
    *_cpuid(0x700, _EDX, "avx512fp16:23", _AVX512),
    *_cpuid(0x701, _EAX, "avxvnni:4", _AVX),
    *_cpuid(0x701, _EAX, "avx512bf16:5", _AVX512),
    *_cpuid(0x80000100, _ECX, "lzcnt:5 sse4a:6 tbm:21"),
    *_cpuid(0x80000100, _ECX, "xop:11 fma4:16", _AVX),
)
_AARCH64 = (
    Feature("atomics", "__ARM_FEATURE_ATOMICS", _HWCAP, 0, 8),
    Feature("asimdhp", "__ARM_FEATURE_FP16_VECTOR_ARITHMETIC", _HWCAP, 0, 10),
    Feature("asimddp", "__ARM_FEATURE_DOTPROD", _HWCAP, 0, 20),
    Feature("sve", "__ARM_FEATURE_SVE", _HWCAP, 0, 22),
    Feature("sve2", "__ARM_FEATURE_SVE2", _HWCAP2, 0, 1),
    Feature("i8mm", "__ARM_FEATURE_MATMUL_INT8", _HWCAP2, 0, 13),
    Feature("bf16", "__ARM_FEATURE_BF16", _HWCAP2, 0, 14),
)
_ARM = (
    Feature("neon", "__ARM_NEON", _HWCAP, 0, 12),
    Feature("vfpv4", "__ARM_FEATURE_FMA", _HWCAP, 0, 16),
)
_RISCV = (Feature("v", "__riscv_vector", _HWCAP, 0, ord("v") - ord("a")),)

FEATURES: dict[str, Sequence[Feature]] = {
    "defined(__x86_64__) || defined(__i386__)": _X86,
    "defined(__aarch64__)": _AARCH64,
    "defined(__arm__)": _ARM,
    "defined(__riscv)": _RISCV,
}
"""By what compilers define for a family of processors."""


def needs_text() -> list[str]:
    """For `kernels.c`: a number that has a bit for each feature which its code may use."""
    return [
        "/* What the processor must have, as bits in the order of the table in model.c. */",
        "extern const unsigned long long canao_model_needs;",
        "const unsigned long long canao_model_needs = 0",
        *_by_family(
            lambda n, feature: [f"#ifdef {feature.macro}", f"  | 1ull << {n}", "#endif"],
        ),
        "  ;",
    ]


def asked_text() -> list[str]:
    """For `model.c`: the table of features, in the same order."""
    return [
        "typedef struct {",
        "  const char *name;",
        "  unsigned leaf;",
        "  int word, bit;",
        "  unsigned state;",
        "} canao_feature;",
        "extern const unsigned long long canao_model_needs;",
        "static const canao_feature canao_features[] = {",
        *_by_family(
            lambda _, f: [f'  {{"{f.name}", {f.leaf:#x}u, {f.word}, {f.bit}, {f.state:#x}u}},']
        ),
        "  {0, 0, 0, 0, 0},",
        "};",
    ]


def _by_family(lines: Callable[[int, Feature], list[str]]) -> list[str]:
    """The lines of each feature of the family that code is compiled for."""
    text: list[str] = []
    for number, (family, features) in enumerate(FEATURES.items()):
        text.append(f"#{'elif' if number else 'if'} {family}")
        for place, feature in enumerate(features):
            text += lines(place, feature)
    return [*text, "#endif"]
