"""The larger or smaller of two float vectors, by what gcc has for x86 vector units.

gcc for C does not see that a blend of two vectors is a maximum; clang and
compilers for other processors do, and take the blend.
"""

from __future__ import annotations

from canao.lowering.c.language.types import CType

# By the size of a vector: what tells that the processor has it, the end of the
# builtin's name, and the other arguments of the builtin.
_BUILTINS: dict[int, tuple[str, str, str]] = {
    16: ("__SSE__", "", ""),
    32: ("__AVX__", "256", ""),
    64: ("__AVX512F__", "512_mask", ", a, {lanes}, 4"),
}
_ALL_LANES = "-1"
_ORDERED_LANES = "__builtin_ia32_cmpps512_mask(a, a, 7, -1, 4)"


def native_extremum(ctype: CType, kind: str, *, ordered: bool, blended: str) -> str:
    """Statements that return the extremum of `a` and `b` where a builtin exists; or nothing.

    `kind` is "maximum" or "minimum". Unless `ordered`, a NaN in `a` is kept (one
    in `b` always is); `blended` is the expression that puts `a` back into `m`
    where `a` is NaN, for units without masks.
    """
    if ctype.element.key != "f32" or ctype.bytes not in _BUILTINS:
        return ""
    feature, suffix, others = _BUILTINS[ctype.bytes]
    others = others.format(lanes=_ALL_LANES if ordered else _ORDERED_LANES)
    call = f"__builtin_ia32_{kind[:3]}ps{suffix}(a, b{others})"
    if ordered or others:
        body = f"  return {call};"
    else:
        body = f"  const {ctype.c} m = {call};\n  return {blended};"
    return (
        f"\n#if defined({feature}) && defined(__GNUC__) && !defined(__clang__)\n{body}\n#else\n  "
    )
