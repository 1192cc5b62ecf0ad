"""OpenCL C as a dialect of C: vectors are types of the language."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from canao.lowering.c.language.dialect import CDialect, Types
from canao.lowering.c.language.types import CType, Element
from canao.lowering.opencl.storage import STORAGE_TEXTS

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
_WIDEST_ARGUMENT = 32
"""Bytes. Functions of PoCL were compiled for other registers than kernels are."""
_SWIZZLES = (1, 2, 4, 8, 16)
"""How many lanes an expression such as `a.s02` may name; 3 too, which nothing here needs."""


def type_name(ctype: CType) -> str:
    """The name in OpenCL C of the type that `ctype.c` is declared to be."""
    name = _NAMES[ctype.element.lane]
    return f"{name}{ctype.lanes}" if ctype.is_vector else name


class OpenCLDialect(CDialect):
    """OpenCL C 1.2, by operators of the language wherever there are some.

    Drivers for CPUs may have built-in functions as calls, each of which spills
    all vectors: PoCL does on processors that its compiler does not know.
    """

    most_lanes = 16

    def typedef(self, ctype: CType) -> str:
        return f"typedef {type_name(ctype)} {ctype.c};"

    def in_memory(self, name: str, element: Element, lanes: int) -> str:
        vector = f"{_NAMES[element.key]}{lanes}"
        return f"typedef {vector} {name} __attribute__((aligned({element.bytes})));"

    def keep(self, ctype: CType) -> str | None:
        return None

    def in_order(self, ctype: CType) -> str | None:
        return None

    def keep_rounding(self, ctype: CType) -> str | None:
        return None

    def hold(self, ctype: CType) -> str | None:
        return None

    def compiler_fence(self) -> str:
        return ""

    def vector(self, ctype: CType, lanes: Sequence[str]) -> str:
        items = lanes[:1] if len(set(lanes)) == 1 else lanes
        return f"({ctype.c})({', '.join(items)})"

    def cast(self, ctype: CType, text: str) -> str:
        if not ctype.is_vector:
            return super().cast(ctype, text)
        return f"as_{type_name(ctype)}({text})"

    def convert(self, unit: Types, target: CType, text: str) -> str:
        return f"CANAO_CONVERT({text}, {unit.declare(target)}, {type_name(target)})"

    def widen(self, unit: Types, ctype: CType) -> str | None:
        return None

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
        made = ctype.with_lanes(len(places)).c
        return parts[0] if len(parts) == 1 else f"({made})({', '.join(parts)})"

    def half(self, ctype: CType, name: str, *, upper: bool) -> str:
        return f"{name}.{'hi' if upper else 'lo'}"

    def blend(self, ctype: CType) -> str:
        return "return mask ? a : b;"

    def extremum(self, ctype: CType, kind: str, *, ordered: bool, blended: str) -> str:
        return ""

    def by_lane(self, ctype: CType, function: str, labels: Sequence[str]) -> str:
        lanes = [
            f"{function}({', '.join(self.lane(ctype, label, n) for label in labels)})"
            for n in range(ctype.lanes)
        ]
        return f"return {self.vector(ctype, lanes)};"

    def bits(self, target: CType) -> str:
        return f"return as_{type_name(target)}(a);"

    def library(self, ctype: CType, function: str) -> tuple[str, bool]:
        return function, False

    def load_stored(self, ctype: CType, address: str, *, aligned: bool) -> str:
        return STORAGE_TEXTS[ctype.element.key].load(ctype, address, aligned)

    def store_stored(self, ctype: CType, address: str, name: str, *, aligned: bool) -> str:
        return STORAGE_TEXTS[ctype.element.key].store(ctype, address, name, aligned)


class LanesDialect(OpenCLDialect):
    """For devices whose lanes are work-items, which read whole vectors where they are aligned.

    Buffers, their parts and arrays are.
    """

    def library(self, ctype: CType, function: str) -> tuple[str, bool]:
        return function, True

    def load(self, unit: Types, ctype: CType, address: str, space: str, *, aligned: bool) -> str:
        if not aligned:
            return self._by_halves(ctype, address)
        return f"*({space}const {_in_memory(ctype)} *)({address})"

    def store(
        self, unit: Types, ctype: CType, address: str, space: str, text: str, *, aligned: bool
    ) -> str:
        if not aligned:
            if not _is_wide(ctype):
                return f"vstore{ctype.lanes}({text}, 0, {address});"
            half = ctype.lanes // 2
            stores = (
                f"vstore{half}(({text}).{part}, 0, ({address}) + {start});"
                for part, start in (("lo", 0), ("hi", half))
            )
            return " ".join(stores)
        return f"*({space}{_in_memory(ctype)} *)({address}) = {text};"

    def _by_halves(self, ctype: CType, address: str) -> str:
        if not _is_wide(ctype):
            return f"vload{ctype.lanes}(0, {address})"
        half = ctype.lanes // 2
        parts = (f"vload{half}(0, ({address}) + {start})" for start in (0, half))
        return f"({type_name(ctype)})({', '.join(parts)})"


def _is_wide(ctype: CType) -> bool:
    """Whether built-in functions must not be given a vector: PoCL loses the upper half of some."""
    return ctype.lanes * ctype.element.bytes > _WIDEST_ARGUMENT


def _in_memory(ctype: CType) -> str:
    """The vector of what lies in memory: of bytes for truth values."""
    return type_name(ctype.of("u8") if ctype.element.is_bool else ctype)


DIALECTS = {"cpu": OpenCLDialect(), "gpu": LanesDialect()}
"""By the kind of device."""
