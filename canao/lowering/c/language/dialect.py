"""The words in which C and its relatives differ: types of vectors, casts, lanes, memory.

Printers of expressions ask the dialect of their unit for these and write the
rest themselves. This one is GNU C, with the vector extensions of gcc and clang.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from canao.lowering.c.errors import Unprintable
from canao.lowering.c.language.extrema import native_extremum
from canao.lowering.c.language.registers import (
    held_in_register,
    kept_as_rounded,
    kept_in_register,
)
from canao.lowering.c.language.types import ELEMENTS, MAX_LANES, CType, Element

_NOT_STORED = "memory of {} has a form in OpenCL C only"


class Types(Protocol):
    """The types of a translation unit: a unit declares each one when it is first asked for."""

    def declare(self, ctype: CType) -> str:
        """The name of a type, which the unit declares."""
        ...

    def in_memory(self, ctype: CType) -> str:
        """The name of a vector type that may lie anywhere."""
        ...


class CDialect:
    """GNU C."""

    most_lanes = MAX_LANES
    """Lanes of the longest vector."""

    def typedef(self, ctype: CType) -> str:
        """The declaration of a vector type under the name `ctype.c`."""
        lane = ELEMENTS[ctype.element.lane].c
        return f"typedef {lane} {ctype.c} __attribute__((vector_size({ctype.bytes})));"

    def in_memory(self, name: str, element: Element, lanes: int) -> str:
        """The declaration of a vector type that may lie at any element of a buffer."""
        size = element.bytes * lanes
        return (
            f"typedef {element.c} {name} __attribute__((vector_size({size}), "
            f"aligned({element.bytes}), may_alias));"
        )

    # ------------------------------------------------------------ expressions

    def vector(self, ctype: CType, lanes: Sequence[str]) -> str:
        """A vector of these lanes."""
        return f"({ctype.c}){{{', '.join(lanes)}}}"

    def cast(self, ctype: CType, text: str) -> str:
        """A scalar converted as C does; a vector whose bits are read as another type."""
        return f"({ctype.c}){text}"

    def convert(self, unit: Types, target: CType, text: str) -> str:
        """A vector whose lanes are converted by value."""
        return f"__builtin_convertvector({text}, {unit.declare(target)})"

    def widen(self, unit: Types, ctype: CType) -> str | None:
        """Statements that return the floats `a` as doubles; None where `convert` will do.

        gcc 12 fails on a blend of such doubles if they fill two registers.
        """
        return (
            "\n#if defined(__GNUC__) && !defined(__clang__)\n"
            f"  {self.by_lane(ctype, '', ['a'])}\n"
            "#else\n"
            f"  return {self.convert(unit, ctype, 'a')};\n"
            "#endif"
        )

    def lane(self, ctype: CType, name: str, place: int | str) -> str:
        """One lane of a vector variable, as something that can be assigned to."""
        return f"{name}[{place}]"

    def shuffle(self, ctype: CType, names: Sequence[str], places: Sequence[int]) -> str:
        """Lanes of two vectors of equal types in another order."""
        return f"__builtin_shufflevector({', '.join(names)}, {', '.join(map(str, places))})"

    def half(self, ctype: CType, name: str, *, upper: bool) -> str:
        """The lower or the upper lanes of a vector, as many as `ctype` has."""
        start = ctype.lanes if upper else 0
        return self.shuffle(ctype, [name, name], range(start, start + ctype.lanes))

    # ---------------------------------------------------- bodies of functions

    def blend(self, ctype: CType) -> str:
        """Lanes of `a` where the native `mask` is -1, of `b` where it is 0."""
        a, b = (self.cast(ctype.native_mask, name) for name in "ab")
        return f"return {self.cast(ctype, f'((mask & {a}) | (~mask & {b}))')};"

    def extremum(self, ctype: CType, kind: str, *, ordered: bool, blended: str) -> str:
        """What precedes the portable form of an extremum; see `native_extremum`."""
        return native_extremum(ctype, kind, ordered=ordered, blended=blended)

    def by_lane(self, ctype: CType, function: str, labels: Sequence[str]) -> str:
        """A function of scalars for each lane of the vectors `labels`."""
        lanes = ", ".join(f"{label}[i]" for label in labels)
        return (
            f"{ctype.c} r;\n"
            f"  for (int i = 0; i < {ctype.lanes}; ++i) r[i] = {function}({lanes});\n"
            "  return r;"
        )

    def bits(self, target: CType) -> str:
        """The bits of `a`, a scalar or a vector, as another type of the same size."""
        return f"{target.c} r;\n  __builtin_memcpy(&r, &a, sizeof r);\n  return r;"

    def keep(self, ctype: CType) -> str | None:
        """Statements that return `a`, held in a register; None where there is no way to."""
        return kept_in_register(ctype)

    def in_order(self, ctype: CType) -> str | None:
        """Statements that return `a`, computed before what follows; None as above."""
        return kept_in_register(ctype, compiler="__clang__")

    def keep_rounding(self, ctype: CType) -> str | None:
        """Statements that return `a`, joined with nothing; None where a pragma sees to that."""
        return kept_as_rounded(ctype)

    def hold(self, ctype: CType) -> str | None:
        """Statements up to which `a` is in a register; None as above."""
        return held_in_register(ctype)

    def compiler_fence(self) -> str:
        """The statement that no access to memory is moved across; empty where there is none."""
        return '__asm__ volatile("" ::: "memory");'

    # -------------------------------------------------------------- functions

    def library(self, ctype: CType, function: str) -> tuple[str, bool]:
        """The name of a mathematical function, and whether it takes whole vectors."""
        return function + ("f" if ctype.element.key == "f32" else ""), False

    # ----------------------------------------------------------------- memory

    def load(self, unit: Types, ctype: CType, address: str, space: str, *, aligned: bool) -> str:
        """A vector of what lies at an address in an address space; for truth values, of bytes.

        `aligned` if the address is known to be a multiple of the vector's size.
        """
        return f"*({space}const {unit.in_memory(ctype)} *)({address})"

    def store(
        self, unit: Types, ctype: CType, address: str, space: str, text: str, *, aligned: bool
    ) -> str:
        """The statement that puts a vector at an address; for truth values, of bytes."""
        return f"*({space}{unit.in_memory(ctype)} *)({address}) = {text};"

    def load_stored(self, ctype: CType, address: str, *, aligned: bool) -> str:
        """One number, or a vector, of floats that lie at an address as a storage type."""
        raise Unprintable(_NOT_STORED.format(ctype.element.key))

    def store_stored(self, ctype: CType, address: str, name: str, *, aligned: bool) -> str:
        """The statement that puts floats at an address as the nearest of a storage type."""
        raise Unprintable(_NOT_STORED.format(ctype.element.key))


GNU_C = CDialect()
