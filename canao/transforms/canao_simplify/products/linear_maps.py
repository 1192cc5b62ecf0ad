"""Expressions that are linear in one value, but for a constant row: `x @ m + c`.

They are made of what operations declare: products with constant matrices, operations that
products distribute over, and those that are linear in one operand while the other is a constant
row. Lookups pick rows of a table and are linear in it, so a table is a matrix whose left factor
is the numbers looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from xdsl.builder import Builder
from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import BroadcastOp, GatherOp, MatmulOp, NegOp, ReshapeOp, WeightOp
from canao.dialects.canao.elementwise import BinaryOp, UnaryOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import element_of, shape_of
from canao.transforms.constants import is_constant_expression
from canao.transforms.cost import Cost, cost_of_op

_DEEPEST = 24
"""An expression reaches at most this many operations back from its result."""


def is_sum(op: Operation) -> bool:
    """Whether products distribute over an operation."""
    return isinstance(op, BinaryOp) and isinstance(op, MatmulOp.LAWS.distributes_over)


def is_row(value: SSAValue, columns: int) -> bool:
    """Whether a value is constant and has one number a column, or one in all."""
    shape = shape_of(value)
    return prod(shape) in (1, prod(shape[-1:])) and (
        shape[-1:] in ((), (1,), (columns,)) and is_constant_expression(value)
    )


def as_row(value: SSAValue, columns: int, builder: Builder) -> SSAValue:
    """A constant row as a tensor of rank 1."""
    shape = shape_of(value)
    if shape == (columns,):
        return value
    if prod(shape) == columns:
        return builder.insert(ReshapeOp(value, (columns,))).result
    number = value if not shape else builder.insert(ReshapeOp(value, ())).result
    return builder.insert(BroadcastOp(number, (columns,))).result


def _is_matrix(value: SSAValue) -> bool:
    return len(shape_of(value)) == 2 and is_constant_expression(value)


@dataclass(frozen=True)
class Application:
    """A constant matrix applied to something that varies: `x @ m`, or rows of `m` by number."""

    kind: type[MatmulOp] | type[GatherOp]
    of_values: tuple[SSAValue, ...]
    """What varies."""
    matrix: SSAValue

    @staticmethod
    def of(value: SSAValue) -> Application | None:
        """How a value is made, if by applying a constant matrix to what varies."""
        owner = value.owner
        if isinstance(owner, MatmulOp) and _is_matrix(owner.rhs):
            varying, matrix = (owner.lhs,), owner.rhs
        elif isinstance(owner, GatherOp) and len(owner.indices) == 1 and _is_matrix(owner.table):
            varying, matrix = tuple(owner.indices), owner.table
        else:
            return None
        if all(is_constant_expression(v) for v in varying):
            return None
        return Application(type(owner), varying, matrix)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where different matrices are applied to the same."""
        return (self.kind, self.of_values)

    @property
    def inner(self) -> int:
        """How many rows the matrix has."""
        return shape_of(self.matrix)[0]

    def apply(self, matrix: SSAValue) -> Operation:
        """The same with another matrix."""
        if self.kind is MatmulOp:
            return MatmulOp(self.of_values[0], matrix)
        return GatherOp(matrix, self.of_values)

    def cost(self, columns: int) -> Cost:
        """What it costs with a matrix of so many columns."""
        tensor = tensor_type(element_of(self.matrix), (self.inner, columns))
        matrix = WeightOp("any", tensor)
        op = self.apply(matrix.result)
        cost = cost_of_op(op)
        op.erase()
        matrix.erase()
        return cost


class LinearReader:
    """Tells which values are linear, but for a constant row, in what a matrix is applied to."""

    def __init__(self, source: Application) -> None:
        self.source = source
        self.ops: set[Operation] = set()
        """The operations that such values are made by."""
        self._known: dict[SSAValue, bool] = {}
        self._depth = 0

    @staticmethod
    def ways(value: SSAValue) -> list[SSAValue]:
        """The operands in which an operation may be linear."""
        owner = value.owner
        if isinstance(owner, MatmulOp) and _is_matrix(owner.rhs):
            return [owner.lhs]
        if isinstance(owner, Operation) and is_sum(owner):
            return list(owner.operands)
        if isinstance(owner, BinaryOp | UnaryOp):
            return [owner.operands[n] for n in owner.LAWS.linear_in]
        return []

    def is_source(self, value: SSAValue) -> bool:
        """Whether a value is what a matrix makes of the source itself."""
        application = Application.of(value)
        return application is not None and application.key == self.source.key

    def reads(self, value: SSAValue) -> bool:
        """Whether a value is linear in the source."""
        if value not in self._known:
            self._depth += 1
            self._known[value] = self._depth <= _DEEPEST and self._reads(value)
            self._depth -= 1
            if self._known[value]:
                assert isinstance(value.owner, Operation)
                self.ops.add(value.owner)
        return self._known[value]

    def _reads(self, value: SSAValue) -> bool:
        owner = value.owner
        if self.is_source(value):
            return True
        if isinstance(owner, MatmulOp):
            return _is_matrix(owner.rhs) and self.reads(owner.lhs)
        if isinstance(owner, UnaryOp):
            return bool(owner.LAWS.linear_in) and self.reads(owner.operands[0])
        if not isinstance(owner, BinaryOp):
            return False
        if is_sum(owner):
            return all(self._is_part(v, owner) for v in owner.operands) and any(
                self.reads(v) for v in owner.operands
            )
        return any(True for _ in self.scaled(owner))

    def _is_part(self, value: SSAValue, op: BinaryOp) -> bool:
        shape = shape_of(op.result)
        return is_row(value, shape[-1]) or (shape_of(value) == shape and self.reads(value))

    def scaled(self, op: BinaryOp) -> Iterator[int]:
        """The operands that an operation scales by a constant row."""
        shape = shape_of(op.result)
        for slot in op.LAWS.linear_in:
            value, scale = op.operands[slot], op.operands[1 - slot]
            if shape_of(value) == shape and is_row(scale, shape[-1]) and self.reads(value):
                yield slot

    def has_offset(self, value: SSAValue) -> bool:
        """Whether a constant row is added to what is linear."""
        owner = value.owner
        assert isinstance(owner, Operation)
        if self.is_source(value):
            return False
        if is_sum(owner) and not all(self.reads(v) for v in owner.operands):
            return True
        return any(self.has_offset(v) for v in self.ways(value) if self.reads(v))


class LinearWriter:
    """Builds the matrix and the constant row of values that are linear."""

    def __init__(self, reader: LinearReader, builder: Builder) -> None:
        self.reader = reader
        self.builder = builder
        self._matrices: dict[SSAValue, SSAValue] = {}
        self._offsets: dict[SSAValue, SSAValue | None] = {}

    def matrix(self, value: SSAValue) -> SSAValue:
        """The matrix `m` of a value `x @ m + c`."""
        if value not in self._matrices:
            self._matrices[value] = self._matrix(value)
        return self._matrices[value]

    def offset(self, value: SSAValue) -> SSAValue | None:
        """The row `c` of a value `x @ m + c`; None if there is none."""
        if value not in self._offsets:
            self._offsets[value] = self._offset(value)
        return self._offsets[value]

    def _matrix(self, value: SSAValue) -> SSAValue:
        owner = value.owner
        assert isinstance(owner, MatmulOp | GatherOp | BinaryOp | UnaryOp)
        if self.reader.is_source(value):
            return owner.rhs if isinstance(owner, MatmulOp) else owner.operands[0]
        if isinstance(owner, MatmulOp):
            return self._insert(MatmulOp(self.matrix(owner.lhs), owner.rhs))
        if isinstance(owner, UnaryOp):
            return self._insert(type(owner)(self.matrix(owner.operands[0])))
        assert isinstance(owner, BinaryOp)
        if not is_sum(owner):
            return self._scaled(owner, self.matrix(owner.operands[self._slot(owner)]))
        parts = [self.matrix(v) if self.reader.reads(v) else None for v in owner.operands]
        return self._combined(owner, parts)

    def _offset(self, value: SSAValue) -> SSAValue | None:
        owner = value.owner
        assert isinstance(owner, MatmulOp | GatherOp | BinaryOp | UnaryOp)
        if not self.reader.has_offset(value):
            return None
        if isinstance(owner, BinaryOp) and is_sum(owner):
            columns = shape_of(value)[-1]
            return self._combined(
                owner,
                [
                    self.offset(v) if self.reader.reads(v) else as_row(v, columns, self.builder)
                    for v in owner.operands
                ],
            )
        slot = self._slot(owner) if isinstance(owner, BinaryOp) else 0
        inner = self.offset(owner.operands[slot])
        assert inner is not None
        if isinstance(owner, BinaryOp):
            return self._scaled(owner, inner)
        if isinstance(owner, UnaryOp):
            return self._insert(type(owner)(inner))
        assert isinstance(owner, MatmulOp)
        row = self._insert(ReshapeOp(inner, (1, *shape_of(inner))))
        product = self._insert(MatmulOp(row, owner.rhs))
        return self._insert(ReshapeOp(product, shape_of(product)[-1:]))

    def _slot(self, op: BinaryOp) -> int:
        return next(self.reader.scaled(op))

    def _scaled(self, op: BinaryOp, value: SSAValue) -> SSAValue:
        slot = self._slot(op)
        scale = op.operands[1 - slot]
        if len(shape_of(scale)) > 1:
            scale = as_row(scale, shape_of(op.result)[-1], self.builder)
        operands = [scale, scale]
        operands[slot] = value
        return self._insert(type(op)(*operands))

    def _combined(self, op: BinaryOp, parts: list[SSAValue | None]) -> SSAValue:
        """A sum of what there is of its two parts; of a difference, the second one negated."""
        left, right = parts
        if left is not None and right is not None:
            return self._insert(type(op)(left, right))
        if left is not None:
            return left
        assert right is not None
        return right if op.LAWS.commutative else self._insert(NegOp(right))

    def _insert(self, op: Operation) -> SSAValue:
        return self.builder.insert(op).results[0]
