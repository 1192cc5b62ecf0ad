"""xDSL's parser, which reads bits of floating-point numbers as MLIR means them."""

from __future__ import annotations

import re
import struct
from math import prod
from typing import Any

from xdsl.dialects.builtin import (
    AnyFloat,
    BytesAttr,
    DenseIntOrFPElementsAttr,
    ModuleOp,
    RankedStructure,
)
from xdsl.parser import Parser

_MOST_ELEMENTS = 1 << 28
_SHAPE = re.compile(r"<[^>]*>\s*:\s*(?:tensor|vector)<((?:[0-9]+x)+)")
_ELEMENT = re.compile(r"0x[0-9A-Fa-f]+|[^\[\]<>,\s]+")


class MlirParser(Parser):
    """Reads `dense<0xFF800000> : tensor<f32>` as -inf: the digits are bits.

    xDSL prints numbers so that it cannot write otherwise, and reads the digits back as the
    integer 4286578688.
    """

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        """The module; a `ParseError` also for numbers that their types do not hold."""
        try:
            return super().parse_module(allow_implicit_module)
        except (OverflowError, struct.error):
            self.raise_error("a number that its type does not hold; write a smaller one")
        except ValueError as error:
            self.raise_error(str(error))

    def parse_dense_int_or_fp_elements_attr(
        self, type: RankedStructure[Any] | None
    ) -> DenseIntOrFPElementsAttr:
        """The elements of `dense<...> : type`."""
        self._check_size()
        start = self.pos
        value = super().parse_dense_int_or_fp_elements_attr(type)
        text = self.lexer.input.slice(start, self.pos) or ""
        elements = text.partition(">")[0]
        if "0x" not in elements or '"' in elements:
            return value
        if not isinstance(value.get_element_type(), AnyFloat):
            return value
        return self._with_bits(value, _ELEMENT.findall(elements))

    def _check_size(self) -> None:
        """A `ParseError` before one number is repeated beyond memory."""
        shape = _SHAPE.match(self.lexer.input.content, self.pos)
        elements = prod(int(extent) for extent in shape[1].split("x")[:-1]) if shape else 0
        if elements > _MOST_ELEMENTS:
            self.raise_error(
                f"a constant of {elements} elements is larger than memory; make it a weight"
            )

    def _with_bits(
        self, value: DenseIntOrFPElementsAttr, elements: list[str]
    ) -> DenseIntOrFPElementsAttr:
        """Elements as read, those written as bits aside; one element may stand for all."""
        whole, size = value.data.data, value.type.element_type.compile_time_size
        parts: list[bytes] = []
        for number, element in enumerate(elements):
            part = whole[number * size : (number + 1) * size]
            if element.startswith("0x"):
                bits = int(element, 16)
                if bits.bit_length() > 8 * size:
                    self.raise_error(f"{element} has more bits than {value.get_element_type()}")
                part = bits.to_bytes(size, "little")
            parts.append(part)
        repeated = len(whole) // size if len(parts) == 1 else 1
        return DenseIntOrFPElementsAttr(value.type, BytesAttr(b"".join(parts) * repeated))
