"""OpenCL C as a flavour of C: vectors are types of the language."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from canao.lowering.c.flavour import Flavour
from canao.lowering.c.types import CType

if TYPE_CHECKING:
    from canao.lowering.c.context import UnitPrinter

_NAMES = {
    "f32": "float",
    "f64": "double",
    "i8": "char",
    "i16": "short",
    "i32": "int",
    "i64": "long",
    "u8": "uchar",
    "u16": "ushort",
    "u32": "uint",
    "u64": "ulong",
    "index": "long",
}
_WIDEST = 32
"""Bytes of the widest vectors that built-in functions are given: those of PoCL for wider ones
send its compiler, LLVM 14 on processors that it does not know, into endless loops."""
_SWIZZLES = (1, 2, 4, 8, 16)
"""How many lanes an expression such as `a.s02` may name; 3 too, which nothing here needs."""


def type_name(ctype: CType) -> str:
    """The name in OpenCL C of the type that `ctype.c` is declared to be."""
    name = _NAMES[ctype.element.lane]
    return f"{name}{ctype.lanes}" if ctype.is_vector else name


class OpenCLFlavour(Flavour):
    """OpenCL C 1.2."""

    most_lanes = 16

    def typedef(self, ctype: CType) -> str:
        return f"typedef {type_name(ctype)} {ctype.c};"

    def vector(self, ctype: CType, lanes: Sequence[str]) -> str:
        items = lanes[:1] if len(set(lanes)) == 1 else lanes
        return f"({ctype.c})({', '.join(items)})"

    def cast(self, ctype: CType, text: str) -> str:
        if not ctype.is_vector:
            return super().cast(ctype, text)
        return f"as_{type_name(ctype)}({text})"

    def convert(self, unit: UnitPrinter, source: CType, target: CType, text: str) -> str:
        if max(source.bytes, target.bytes) <= _WIDEST:
            return f"convert_{type_name(target)}({text})"
        name = f"canao_convert_{source.c}_{target.c}"
        halves = [t.with_lanes(t.lanes // 2) for t in (source, target)]
        types = [unit.declare(t) for t in (source, target)]

        def make() -> str:
            parts = [self.convert(unit, *halves, f"a.{part}") for part in ("lo", "hi")]
            body = f"return ({types[1]})({', '.join(parts)});"
            return f"CANAO_INLINE {types[1]} {name}(const {types[0]} a) {{\n  {body}\n}}"

        # What `make` needs comes before it in the unit.
        text_of_it = "" if name in unit.helpers else make()
        return f"{unit.helper(name, lambda: text_of_it)}({text})"

    def lane(self, ctype: CType, name: str, place: int | str) -> str:
        if isinstance(place, int):
            return f"{name}.s{place:x}"
        return f"((__private {type_name(ctype.with_lanes(1))} *)&{name})[{place}]"

    def shuffle(self, ctype: CType, names: Sequence[str], places: Sequence[int]) -> str:
        runs = [list(run) for _, run in groupby(places, lambda place: place // ctype.lanes)]
        parts: list[str] = []
        for run in runs:
            name = names[run[0] // ctype.lanes]
            step = len(run) if len(run) in _SWIZZLES else 1
            for first in range(0, len(run), step):
                lanes = "".join(f"{place % ctype.lanes:x}" for place in run[first : first + step])
                parts.append(f"{name}.s{lanes}")
        return (
            parts[0]
            if len(parts) == 1
            else f"({ctype.with_lanes(len(places)).c})({', '.join(parts)})"
        )

    def half(self, ctype: CType, name: str, *, upper: bool) -> str:
        return f"{name}.{'hi' if upper else 'lo'}"

    def blend(self, ctype: CType) -> str:
        return "return select(b, a, mask);" if ctype.bytes <= _WIDEST else super().blend(ctype)

    def extremum(self, ctype: CType, kind: str, *, ordered: bool, blended: str) -> str:
        return ""

    def by_lane(self, ctype: CType, function: str, labels: Sequence[str]) -> str:
        lanes = [
            f"{function}({', '.join(self.lane(ctype, label, n) for label in labels)})"
            for n in range(ctype.lanes)
        ]
        return f"return {self.vector(ctype, lanes)};"

    def floor(self, unit: UnitPrinter, ctype: CType, kept: str) -> str:
        return "return floor(a);" if ctype.bytes <= _WIDEST else self.by_lane(ctype, "floor", "a")

    def bits(self, target: CType) -> str:
        return f"return as_{type_name(target)}(a);"

    def library(self, ctype: CType, function: str) -> tuple[str, bool]:
        return function, ctype.bytes <= _WIDEST

    def load(self, unit: UnitPrinter, ctype: CType, address: str) -> str:
        if ctype.bytes <= _WIDEST:
            return f"vload{ctype.lanes}(0, {address})"
        half = ctype.with_lanes(ctype.lanes // 2)
        unit.declare(half)
        parts = [self.load(unit, half, f"{address}{at}") for at in ("", f" + {half.lanes}")]
        return self.vector(ctype, parts)

    def store(self, unit: UnitPrinter, ctype: CType, address: str, text: str) -> str:
        if ctype.bytes <= _WIDEST:
            return f"vstore{ctype.lanes}({text}, 0, {address});"
        half = ctype.with_lanes(ctype.lanes // 2)
        ends = ((f"{text}.lo", address), (f"{text}.hi", f"{address} + {half.lanes}"))
        return " ".join(self.store(unit, half, place, part) for part, place in ends)


OPENCL_C = OpenCLFlavour()
