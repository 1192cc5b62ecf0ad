"""C types of MLIR types, and C literals of their constants."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xdsl.dialects.builtin import (
    AnyFloat,
    IndexType,
    IntegerType,
    VectorType,
)
from xdsl.ir import Attribute

from canao.lowering.c.errors import Unprintable
from canao.storage_types import BY_ELEMENT, STORAGE_TYPES

MAX_LANES = 64

_FLOATS = frozenset({"f32", "f64", *BY_ELEMENT})


@dataclass(frozen=True)
class Element:
    """A number as C sees it: alone, as a lane of a vector, and in memory."""

    key: str
    """Name of the type in MLIR."""
    c: str
    """Type of a scalar."""
    lane: str
    """Key of the element that a lane of a vector has; masks have 32-bit lanes."""
    memory: str
    """Type of an element of a buffer."""
    bytes: int
    """Size in memory."""
    unsigned: str = ""
    """Key of the unsigned integer of the same width."""

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point number."""
        return self.key in _FLOATS

    @property
    def is_only_stored(self) -> bool:
        """Whether only memory holds it: alone and in a lane it is a float."""
        return self.key in BY_ELEMENT

    @property
    def is_bool(self) -> bool:
        """Whether it is a truth value: 0 or 1 alone, 0 or -1 in a lane."""
        return self.key == "i1"


def _element(key: str, c: str, size: int, unsigned: str = "") -> Element:
    return Element(key, c, key, c, size, unsigned)


ELEMENTS = {
    element.key: element
    for element in (
        *(
            Element(s.element, "float", "f32", s.memory, s.dtype.itemsize)
            for s in STORAGE_TYPES.values()
        ),
        _element("f32", "float", 4, "u32"),
        _element("f64", "double", 8, "u64"),
        Element("i1", "int", "i32", "unsigned char", 1, "u32"),
        _element("i8", "int8_t", 1, "u8"),
        _element("i16", "int16_t", 2, "u16"),
        _element("i32", "int32_t", 4, "u32"),
        _element("i64", "int64_t", 8, "u64"),
        _element("u8", "uint8_t", 1, "u8"),
        _element("u16", "uint16_t", 2, "u16"),
        _element("u32", "uint32_t", 4, "u32"),
        _element("u64", "uint64_t", 8, "u64"),
        _element("index", "long", 8, "u64"),
    )
}

MASK_LANE = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}
"""Lane of what comparing two vectors gives, by the size of their lanes."""


@dataclass(frozen=True)
class CType:
    """A scalar (one lane) or a vector."""

    element: Element
    lanes: int

    @property
    def is_vector(self) -> bool:
        """Whether it has more than one lane; vectors of one are held as scalars."""
        return self.lanes > 1

    @property
    def c(self) -> str:
        """Its name in C."""
        return f"{self.element.lane}x{self.lanes}" if self.is_vector else self.element.c

    @property
    def tag(self) -> str:
        """What helper functions for this type have at the end of their name."""
        return self.c if self.is_vector else self.element.key

    @property
    def bytes(self) -> int:
        """Size of a value."""
        size = ELEMENTS[self.element.lane].bytes if self.is_vector else self.element.bytes
        return size * self.lanes

    def of(self, key: str) -> CType:
        """As many lanes of another element."""
        return CType(ELEMENTS[key], self.lanes)

    def with_lanes(self, lanes: int) -> CType:
        """Another number of lanes of the same element."""
        return CType(self.element, lanes)

    @property
    def native_mask(self) -> CType:
        """What comparing two such vectors gives in C."""
        return self.of(MASK_LANE[ELEMENTS[self.element.lane].bytes])


def _element_of(attribute: Attribute) -> Element | None:
    if isinstance(attribute, AnyFloat):
        return ELEMENTS.get(str(attribute))
    if isinstance(attribute, IndexType):
        return ELEMENTS["index"]
    if isinstance(attribute, IntegerType):
        return ELEMENTS.get(f"i{attribute.width.data}")
    return None


def element_of(attribute: Attribute) -> Element:
    """The element that a scalar type stands for."""
    element = _element_of(attribute)
    if element is None:
        raise Unprintable(f"type {attribute} has no form in C; use f32, f64, i1 to i64 or index")
    return element


def ctype_of(attribute: Attribute, most_lanes: int = MAX_LANES) -> CType:
    """The type in C of a scalar or of a vector of rank 0 or 1."""
    if not isinstance(attribute, VectorType):
        return CType(element_of(attribute), 1)
    shape = attribute.get_shape()
    lanes = shape[0] if shape else 1
    if len(shape) > 1 or not 1 <= lanes <= most_lanes or lanes & (lanes - 1):
        raise Unprintable(
            f"{attribute} has no form in C; use 1, 2, 4 ... {most_lanes} lanes and rank 1"
        )
    return CType(element_of(attribute.element_type), lanes)


def _float_literal(element: Element, value: float) -> str:
    suffix = "f" if element.key == "f32" else ""
    special = "" if element.key == "f32" else f"({element.c})"
    if math.isnan(value):
        return f"({special}NAN)" if special else "NAN"
    if math.isinf(value):
        text = f"{special}INFINITY"
    elif value == int(value) and abs(value) < 1 << 20:
        text = f"{abs(value):.1f}{suffix}"
    else:
        text = f"{abs(value).hex()}{suffix}"
    return f"(-{text})" if math.copysign(1.0, value) < 0 else text


def _integer_literal(element: Element, value: int) -> str:
    limit = 1 << (8 * element.bytes - 1)
    value = (value + limit) % (2 * limit) - limit
    if value == -limit and element.bytes >= 4:
        return f"({literal(element, value + 1)} - 1)"
    if element.key == "index":
        text = f"{abs(value)}L"
    elif element.key == "i64":
        text = f"INT64_C({abs(value)})"
    else:
        text = str(abs(value))
    return f"(-{text})" if value < 0 else text


def literal(element: Element, value: float) -> str:
    """A C expression with exactly this value; in parentheses if it has a sign."""
    if element.is_only_stored:
        raise Unprintable(f"a constant of {element.key}: only memory holds such numbers")
    if element.is_float:
        return _float_literal(element, float(value))
    if element.is_bool:
        return "1" if value else "0"
    return _integer_literal(element, int(value))


def lane_literal(element: Element, value: float) -> str:
    """The same as a lane of a vector, where true is -1."""
    if element.is_bool:
        return "-1" if value else "0"
    return literal(element, value)
