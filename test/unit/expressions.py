"""Graphs written as Python expressions: `build(lambda x, w: x @ w + 1, ((4, 8), (8, 2)))`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from unit.strategies import Array, Graph
from xdsl.builder import Builder
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects import canao
from canao.dialects.canao.source import dtype_of_element, element_of_dtype
from canao.dialects.canao.types import element_of, shape_of

Shape = tuple[int, ...]
Operand = "Tensor | float"


@dataclass(frozen=True)
class Tensor:
    """A value, and the place where operations on it are built."""

    value: SSAValue
    builder: Builder

    def of(self, op: Operation) -> Tensor:
        return Tensor(self.builder.insert(op).results[0], self.builder)

    def lift(self, other: Tensor | float) -> SSAValue:
        if isinstance(other, Tensor):
            return other.value
        number = np.array(other, dtype_of_element(element_of(self.value)))
        return self.builder.insert(canao.ConstantOp.from_array(number)).result

    def __add__(self, other: Tensor | float) -> Tensor:
        return self.of(canao.AddOp(self.value, self.lift(other)))

    def __sub__(self, other: Tensor | float) -> Tensor:
        return self.of(canao.SubOp(self.value, self.lift(other)))

    def __mul__(self, other: Tensor | float) -> Tensor:
        return self.of(canao.MulOp(self.value, self.lift(other)))

    def __truediv__(self, other: Tensor | float) -> Tensor:
        return self.of(canao.DivOp(self.value, self.lift(other)))

    def __pow__(self, other: Tensor | float) -> Tensor:
        return self.of(canao.PowOp(self.value, self.lift(other)))

    def __matmul__(self, other: Tensor) -> Tensor:
        return self.of(canao.MatmulOp(self.value, other.value))

    def __neg__(self) -> Tensor:
        return self.of(canao.NegOp(self.value))

    def __and__(self, other: Tensor) -> Tensor:
        return self.of(canao.AndOp(self.value, other.value))

    def __or__(self, other: Tensor) -> Tensor:
        return self.of(canao.OrOp(self.value, other.value))

    def __getitem__(self, ranges: slice | tuple[slice, ...]) -> Tensor:
        """Part of the first dimensions, all of the others."""
        given = ranges if isinstance(ranges, tuple) else (ranges,)
        shape = shape_of(self.value)
        whole = (slice(None),) * (len(shape) - len(given))
        cut = [r.indices(n) for r, n in zip((*given, *whole), shape, strict=True)]
        sizes = [len(range(*r)) for r in cut]
        return self.of(canao.SliceOp(self.value, [r[0] for r in cut], sizes, [r[2] for r in cut]))

    @property
    def T(self) -> Tensor:
        rank = len(shape_of(self.value))
        axes = (*range(rank - 2), rank - 1, rank - 2)
        return self.of(canao.TransposeOp(self.value, axes))

    def sum(self, *axes: int) -> Tensor:
        return self.of(canao.ReduceSumOp(self.value, axes))

    def largest(self, *axes: int) -> Tensor:
        return self.of(canao.ReduceMaxOp(self.value, axes))

    def max(self, other: Tensor | float) -> Tensor:
        return self.of(canao.MaximumOp(self.value, self.lift(other)))

    def min(self, other: Tensor | float) -> Tensor:
        return self.of(canao.MinimumOp(self.value, self.lift(other)))

    def cast(self, element: Attribute) -> Tensor:
        return self.of(canao.CastOp(self.value, element))

    def broadcast(self, *shape: int) -> Tensor:
        return self.of(canao.BroadcastOp(self.value, shape))

    def reshape(self, *shape: int) -> Tensor:
        return self.of(canao.ReshapeOp(self.value, shape))

    def apply(self, op: type[Any], *arguments: Any) -> Tensor:
        """Any other operation, this value being its first operand."""
        given = [a.value if isinstance(a, Tensor) else a for a in arguments]
        return self.of(op(self.value, *given))


def build(
    function: Callable[..., Any],
    shapes: Sequence[Shape],
    constants: Sequence[int] = (),
    dtypes: Sequence[str] | str = "float32",
    seed: int = 0,
) -> Graph:
    """The graph of a function of tensors; `constants` tells which of them are weights."""
    rng = np.random.default_rng(seed)
    kinds = [dtypes] * len(shapes) if isinstance(dtypes, str) else dtypes
    data = [_values(rng, shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]
    types = [TensorType(element_of_dtype(a.dtype), a.shape) for a in data]
    inputs = [n for n in range(len(data)) if n not in constants]
    block = Block(arg_types=[types[n] for n in inputs])
    builder = Builder(InsertPoint.at_end(block))
    arguments = dict(zip(inputs, block.args, strict=True))
    operands: list[SSAValue] = [
        arguments[n] if n in arguments else builder.insert(canao.WeightOp(f"w{n}", types[n])).result
        for n in range(len(data))
    ]
    made = function(*(Tensor(v, builder) for v in operands))
    results = made if isinstance(made, tuple) else (made,)
    builder.insert(func.ReturnOp(*(r.value for r in results)))
    signature = ([types[n] for n in inputs], [r.value.type for r in results])
    from xdsl.dialects.builtin import ModuleOp

    module = ModuleOp([func.FuncOp("main", signature, Region(block))])
    module.verify()
    weights = {f"w{n}": data[n] for n in constants}
    return Graph(module, [data[n] for n in inputs], weights)


def _values(rng: np.random.Generator, shape: Shape, dtype: str) -> Array:
    """Numbers of either sign, none near 0; small integers; truth values."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype == "int64":
        return rng.integers(1, 9, shape)
    magnitudes = rng.uniform(0.5, 2.0, shape)
    return (magnitudes * rng.choice((-1.0, 1.0), shape)).astype(dtype)


def names_of_ops(graph: Graph) -> list[str]:
    """The operations of @main that compute with numbers, in order."""
    silent = (canao.ConstantOp, canao.WeightOp)
    return [
        op.name.removeprefix("canao.")
        for op in graph.module.walk()
        if op.name.startswith("canao.") and not isinstance(op, silent)
    ]
