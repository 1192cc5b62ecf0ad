"""Operations without operands: constants and references to weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from xdsl.builder import Builder
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    IntegerType,
    StringAttr,
    TensorType,
    VectorType,
    bf16,
    f16,
    f32,
    f64,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, prop_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.types import element_of, i1, i8, i16, i32, i64, ui8
from canao.dialects.interfaces import AccessPattern, CanaoOp
from canao.dialects.mlir_parser import MlirParser
from canao.storage_types import BY_ELEMENT, STORAGE_TYPES, StorageType

_BARE_HEX = re.compile(r"[<\[,\s-]0x[0-9A-Fa-f]")

_ELEMENT_OF_DTYPE: dict[str, Attribute] = {
    "float32": f32,
    "float64": f64,
    "int64": i64,
    "int32": i32,
    "int16": i16,
    "int8": i8,
    "uint8": ui8,
    "bool": i1,
    **{s.name: e for e in (bf16, f16) if (s := BY_ELEMENT.get(str(e)))},
}
_DTYPE_OF_ELEMENT = {element: np.dtype(name) for name, element in _ELEMENT_OF_DTYPE.items()}
_STORAGE_OF_ELEMENT = {_ELEMENT_OF_DTYPE[stored.name]: stored for stored in STORAGE_TYPES.values()}


def element_of_dtype(dtype: npt.DTypeLike) -> Attribute:
    """The element type of a numpy dtype; storage types lie in memory only.

    Integers of fewer than 64 bits are those of the model: nothing computes with them.
    """
    name = np.dtype(dtype).name
    if name not in _ELEMENT_OF_DTYPE:
        raise VerifyException(f"dtype {name} has no element type in the canao dialect")
    return _ELEMENT_OF_DTYPE[name]


def dtype_of_element(element: Attribute) -> np.dtype[np.generic]:
    """The numpy dtype of an element type."""
    if element not in _DTYPE_OF_ELEMENT:
        raise VerifyException(f"element type {element} has no numpy dtype in canao")
    return _DTYPE_OF_ELEMENT[element]


def storage_type(element: Attribute) -> StorageType | None:
    """The type of memory that an element type is; None for one that is computed with."""
    return _STORAGE_OF_ELEMENT.get(element)


def dense_elements(
    type_: TensorType[Attribute] | VectorType[Attribute], data: Sequence[float]
) -> DenseIntOrFPElementsAttr:
    """Dense elements of any type: one number for all elements, or one each."""
    element = type_.element_type
    if isinstance(element, AnyFloat):
        return DenseIntOrFPElementsAttr.from_list(
            cast(TensorType[AnyFloat], type_), [float(v) for v in data]
        )
    return DenseIntOrFPElementsAttr.from_list(
        cast(TensorType[IntegerType], type_), [int(v) for v in data]
    )


def _has_bare_hex(text: str) -> bool:
    """Whether the elements of dense text have hexadecimal digits; `0x4` may begin its shape."""
    return _BARE_HEX.search(text.partition(" : ")[0]) is not None


class SourceOp(IRDLOperation, CanaoOp):
    """An operation that makes a tensor from nothing."""

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.SOURCE

    def computations(self) -> int:
        return 0


@irdl_op_definition
class ConstantOp(SourceOp):
    """A small tensor known when compiling: `canao.constant dense<0.5> : tensor<f32>`."""

    name = "canao.constant"
    value = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(self, value: DenseIntOrFPElementsAttr) -> None:
        super().__init__(properties={"value": value}, result_types=[value.type])

    @staticmethod
    def from_array(array: npt.NDArray[np.generic]) -> ConstantOp:
        """A constant holding `array`; splats are stored once."""
        element = element_of_dtype(array.dtype)
        tensor: TensorType[Any] = TensorType(element, array.shape)
        flat = array.reshape(-1)
        # as bytes: -0.0 is not 0.0
        same = flat.size > 0 and flat.tobytes() == flat[:1].tobytes() * flat.size
        data = [flat[0].item()] if same else flat.tolist()
        return ConstantOp(dense_elements(tensor, data))

    def array(self) -> npt.NDArray[np.generic]:
        """The value as a numpy array of the result's shape and dtype."""
        tensor = self.value.type
        dtype = dtype_of_element(tensor.element_type)
        shape = tensor.get_shape()
        if 0 in shape:
            return np.empty(shape, dtype)
        if self._is_uniform():
            return np.full(shape, self.value.get_values()[0], dtype=dtype)
        return np.array(self.value.get_values()).astype(dtype).reshape(shape)

    def _is_uniform(self) -> bool:
        """Whether all elements have the same bytes, which -0.0 and 0.0 do not."""
        whole = self.value.data.data
        first = whole[: self.value.type.element_type.compile_time_size]
        return first * (len(whole) // max(1, len(first))) == whole

    def verify_(self) -> None:
        if self.result.type != self.value.type:
            raise VerifyException(f"result type must be {self.value.type}")

    @classmethod
    def parse(cls, parser: Parser) -> ConstantOp:
        start = parser.pos
        value = parser.parse_attribute()
        if not isinstance(value, DenseIntOrFPElementsAttr):
            parser.raise_error("expected a dense elements attribute")
        text = parser.lexer.input.slice(start, parser.pos) or ""
        bare = isinstance(value.get_element_type(), AnyFloat) and _has_bare_hex(text)
        if bare and not isinstance(parser, MlirParser):
            # xDSL's own parser takes the digits for an integer: 0xFF800000 would be 4.3e9
            parser.raise_error('write the bytes of floats in quotes: dense<"0x000080FF"> is -inf')
        return cls(value)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        text = str(self.value)
        if 0 in self.value.type.get_shape():
            printer.print_string(text)
            return
        if not _has_bare_hex(text) and self.value.is_splat() == self._is_uniform():
            printer.print_string(text)
            return
        # Infinities, NaN, some large numbers and zeros of both signs as bytes: xDSL cannot
        # read back the form that it prints.
        whole = self.value.data.data
        data = whole[: self.value.type.element_type.compile_time_size]
        if not self._is_uniform():
            data = whole
        printer.print_string(f'dense<"0x{data.hex().upper()}"> : ')
        printer.print_attribute(self.value.type)


@irdl_op_definition
class WeightOp(SourceOp):
    """A tensor kept outside the IR: `canao.weight "encoder.0.bias" : tensor<384xf32>`.

    The data lives in a `WeightStore` under the given name.
    """

    name = "canao.weight"
    sym = prop_def(StringAttr, prop_name="name")
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$name attr-dict `:` type($result)"

    def __init__(self, name: str, result_type: TensorType) -> None:
        super().__init__(properties={"name": StringAttr(name)}, result_types=[result_type])


def scalar(builder: Builder, value: float, like: SSAValue) -> SSAValue:
    """A rank-0 constant of the element type of `like`."""
    dtype = dtype_of_element(element_of(like))
    return builder.insert(ConstantOp.from_array(np.array(value, dtype=dtype))).result
