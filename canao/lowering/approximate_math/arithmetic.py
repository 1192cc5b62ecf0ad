"""Builds float32 arithmetic on scalars or vectors, one operation a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from xdsl.builder import Builder
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    Float32Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    VectorType,
    f32,
    i32,
)
from xdsl.ir import Operation, SSAValue

F32Type: TypeAlias = Float32Type | VectorType[Float32Type]
"""The types that the approximations take."""


Values: TypeAlias = tuple[SSAValue, ...]
"""One value, or several independent ones that are computed step by step side by side."""


class Arithmetic:
    """Operations on `count` values of one float32 type, scalar or vector.

    A multiplication whose only use is the addition after it is left to the C
    compiler, which makes one instruction of both where the processor has it.
    """

    def __init__(self, builder: Builder, value_type: F32Type, count: int = 1) -> None:
        self._builder = builder
        self._type = value_type
        self._count = count
        self._constants: dict[float | int, SSAValue] = {}

    def _insert(self, op: Operation) -> SSAValue:
        return self._builder.insert(op).results[0]

    def _each(self, make: Callable[..., Operation], *operands: Values) -> Values:
        return tuple(self._insert(make(*each)) for each in zip(*operands, strict=True))

    def constant(self, value: float) -> Values:
        """A float32 number, the same in every lane; one operation for equal numbers."""
        if value not in self._constants:
            if isinstance(self._type, VectorType):
                attribute = DenseIntOrFPElementsAttr.from_list(self._type, [value])
            else:
                attribute = FloatAttr(value, f32)
            self._constants[value] = self._insert(arith.ConstantOp(attribute))
        return (self._constants[value],) * self._count

    @property
    def _bits_type(self) -> IntegerType | VectorType[IntegerType]:
        return VectorType(i32, self._type.shape) if isinstance(self._type, VectorType) else i32

    def _integer(self, value: int) -> SSAValue:
        bits_type = self._bits_type
        if isinstance(bits_type, VectorType):
            return self._insert(
                arith.ConstantOp(DenseIntOrFPElementsAttr.from_list(bits_type, [value]))
            )
        return self._insert(arith.ConstantOp(IntegerAttr(value, bits_type)))

    def constant_of_bits(self, bits: int) -> Values:
        """The float32 number with these bits.

        For numbers that MLIR writes in hexadecimal: in a dense attribute xDSL
        reads them back as integers.
        """
        return (self._insert(arith.BitcastOp(self._integer(bits), self._type)),) * self._count

    def add(self, a: Values, b: Values) -> Values:
        """The sums `a + b`, vector by vector."""
        return self._each(arith.AddfOp, a, b)

    def subtract(self, a: Values, b: Values) -> Values:
        """The differences `a - b`, vector by vector."""
        return self._each(arith.SubfOp, a, b)

    def multiply(self, a: Values, b: Values) -> Values:
        """The products `a * b`, vector by vector."""
        return self._each(arith.MulfOp, a, b)

    def divide(self, a: Values, b: Values) -> Values:
        """The quotients `a / b`, vector by vector."""
        return self._each(arith.DivfOp, a, b)

    def multiply_add(self, a: Values, b: Values, c: Values) -> Values:
        """`a * b + c`, vector by vector: a product and a sum, which a compiler may fuse."""
        return self.add(self.multiply(a, b), c)

    def clamp(self, x: Values, low: float, high: float) -> Values:
        """The number between `low` and `high` nearest to x; NaN stays NaN.

        With the constant on the left, `c > x ? c : x` keeps NaN: one instruction in C.
        """
        raised = self._each(arith.MaximumfOp, self.constant(low), x)
        return self._each(arith.MinimumfOp, self.constant(high), raised)

    def polynomial(self, x: Values, coefficients: Sequence[float]) -> Values:
        """The polynomial with these coefficients, by rising power, in Horner's form."""
        *lower, highest = coefficients
        value = self.constant(highest)
        for coefficient in reversed(lower):
            value = self.multiply_add(value, x, self.constant(coefficient))
        return value

    def shift_bits_left(self, x: Values, places: int) -> Values:
        """The number whose bits are those of x, `places` further left."""
        shift = (self._integer(places),) * self._count
        bits = self._each(lambda v: arith.BitcastOp(v, self._bits_type), x)
        moved = self._each(arith.ShLIOp, bits, shift)
        return self._each(lambda v: arith.BitcastOp(v, self._type), moved)
