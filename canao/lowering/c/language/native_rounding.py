"""Vectors of whole numbers, by what compilers have for vector units.

clang has builtins for vectors of any length. gcc has some for the vectors of x86, and inline
assembly does for those of AArch64. All else goes lane by lane to the C library.
"""

from __future__ import annotations

from canao.lowering.c.language.types import CType

# For each function: clang's name, the direction in the immediate operand of x86 (with exceptions
# masked), the instruction of AArch64.
_FUNCTIONS: dict[str, tuple[str, int, str]] = {
    "floor": ("floor", 9, "frintm"),
    "ceil": ("ceil", 10, "frintp"),
    "trunc": ("trunc", 11, "frintz"),
    "rint": ("roundeven", 8, "frintn"),
}

# By the size of a vector: what tells that the processor has it, and gcc's builtin; {s} is the
# letter of the precision.
_BUILTINS: dict[int, tuple[str, str]] = {
    16: ("__SSE4_1__", "__builtin_ia32_roundp{s}(a, {to})"),
    32: ("__AVX__", "__builtin_ia32_roundp{s}256(a, {to})"),
    64: ("__AVX512F__", "__builtin_ia32_rndscalep{s}_mask(a, {to}, a, -1, 4)"),
}
_ARM_LANES = {"f32": "4s", "f64": "2d"}


def native_rounding(ctype: CType, name: str, portable: str) -> str:
    """Statements that return the lanes of `a` rounded; `portable` is what others do.

    `name` is floor, ceil, trunc or rint: to nearest, halves to even.
    """
    clang, direction, instruction = _FUNCTIONS[name]
    builtin = f"__builtin_elementwise_{clang}"
    lines = [
        "#ifdef __has_builtin",
        f"#if __has_builtin({builtin})",
        f"#define CANAO_{name.upper()}_LANES(a) {builtin}(a)",
        "#endif",
        "#endif",
        f"#ifdef CANAO_{name.upper()}_LANES",
        f"  return CANAO_{name.upper()}_LANES(a);",
        *_of_gcc(ctype, direction, instruction),
        "#else",
        f"  {portable}",
        "#endif",
    ]
    return "\n".join(lines)


def _of_gcc(ctype: CType, direction: int, instruction: str) -> list[str]:
    """The branches for gcc, for vectors of the length that registers have."""
    if ctype.bytes not in _BUILTINS:
        return []
    feature, call = _BUILTINS[ctype.bytes]
    letter = "s" if ctype.element.key == "f32" else "d"
    lines = [
        f"#elif defined({feature}) && defined(__GNUC__)",
        f"  return {call.format(s=letter, to=direction)};",
    ]
    if ctype.bytes == 16:
        lanes = _ARM_LANES[ctype.element.key]
        lines += [
            "#elif defined(__aarch64__) && defined(__GNUC__)",
            f"  {ctype.c} r;",
            f'  __asm__("{instruction} %0.{lanes}, %1.{lanes}" : "=w"(r) : "w"(a));',
            "  return r;",
        ]
    return lines
