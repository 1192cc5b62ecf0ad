"""xDSL's parser, which reads bits of floating-point numbers as MLIR means them."""

from __future__ import annotations

import re
from typing import Any

from xdsl.dialects.builtin import AnyFloat, BytesAttr, DenseIntOrFPElementsAttr, RankedStructure
from xdsl.parser import Parser

_ELEMENT = re.compile(r"0x[0-9A-Fa-f]+|[^\[\]<>,\s]+")


class MlirParser(Parser):
    """Reads `dense<0xFF800000> : tensor<f32>` as -inf: the digits are bits.

    xDSL prints numbers so that it cannot write otherwise, and reads the digits back as the
    integer 4286578688.
    """

    def parse_dense_int_or_fp_elements_attr(
        self, type: RankedStructure[Any] | None
    ) -> DenseIntOrFPElementsAttr:
        """The elements of `dense<...> : type`."""
        start = self.pos
        value = super().parse_dense_int_or_fp_elements_attr(type)
        text = self.lexer.input.slice(start, self.pos) or ""
        elements = text.partition(">")[0]
        if "0x" not in elements or '"' in elements:
            return value
        if not isinstance(value.get_element_type(), AnyFloat):
            return value
        return self._with_bits(value, _ELEMENT.findall(elements))

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
