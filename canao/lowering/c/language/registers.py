"""Holding vectors in registers, by the inline assembly of gcc and clang.

An empty statement that takes a vector and may change it ends what the compiler
knows of the vector. gcc would otherwise read the weights of a product from memory
for every multiply-add, and put sums where weights were, to move them back later.
clang would begin with the loads of several rows, and move sums over the stack.
"""

from __future__ import annotations

from canao.lowering.c.language.types import CType

# By the size of a vector: for each processor what tells that it has such
# registers, and the constraint that names them.
_REGISTERS: dict[int, tuple[tuple[str, str], ...]] = {
    16: (("__SSE2__", "v"), ("__aarch64__", "w")),
    32: (("__AVX__", "v"),),
    64: (("__AVX512F__", "v"),),
}


def kept_in_register(ctype: CType, compiler: str = "__GNUC__") -> str | None:
    """Statements that return `a`; None for what no register holds.

    `compiler` is the macro of the compilers that need them.
    """
    statement = _in_register(ctype, compiler, '__asm__("" : "+{}"(r));')
    return None if statement is None else f"{ctype.c} r = a;\n{statement}\n  return r;"


def kept_as_rounded(ctype: CType) -> str:
    """Statements that return `a`, a scalar or a vector, as compilers know nothing of it."""
    lines = [f"{ctype.c} r = a;"]
    registers = _REGISTERS.get(ctype.bytes, () if ctype.is_vector else _REGISTERS[16])
    for n, (feature, constraint) in enumerate(registers):
        condition = f"defined(__GNUC__) && defined({feature})"
        lines += [f"#{'el' if n else ''}if {condition}", f'  __asm__("" : "+{constraint}"(r));']
    # without such a register, through memory
    lines += (
        ["#else", '  __asm__("" : "+m"(r));', "#endif"] if registers else ['__asm__("" : "+m"(r));']
    )
    return "\n".join([*lines, "  return r;"])


def held_in_register(ctype: CType) -> str | None:
    """Statements that read `a` in a register; None for what no register holds."""
    return _in_register(ctype, "__GNUC__", '__asm__ volatile("" : : "{}"(a));')


def _in_register(ctype: CType, compiler: str, statement: str) -> str | None:
    """A statement with the constraint of the processor, where it has such registers."""
    if not ctype.is_vector or ctype.bytes not in _REGISTERS:
        return None
    lines: list[str] = []
    for feature, constraint in _REGISTERS[ctype.bytes]:
        condition = f"#if defined({compiler}) && defined({feature})"
        lines += [condition, f"  {statement.format(constraint)}", "#endif"]
    return "\n".join(lines)
