"""Hypothesis strategies: random canao graphs with awkward shapes, and data for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, prod
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from xdsl.builder import Builder
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType, f32, f64
from xdsl.ir import Block, Region, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects import canao
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import broadcast_shapes, element_of, i64, shape_of

# Lengths that loops get wrong: one, primes, and one around the widths of vectors and tiles.
AWKWARD = (1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 47, 48, 49)

Array = npt.NDArray[Any]

_MOST_ELEMENTS = 20_000


@dataclass
class Graph:
    """A module with a function @main, and values for its inputs and weights."""

    module: ModuleOp
    inputs: list[Array]
    weights: dict[str, Array] = field(default_factory=dict[str, Array])


def values(rng: np.random.Generator, value: SSAValue, rows: int = 2) -> Array:
    """Random data for a value: mild numbers, indices below `rows`, or truth values."""
    dtype, shape = dtype_of_element(element_of(value)), shape_of(value)
    if dtype.kind == "f":
        return rng.uniform(-1.5, 1.5, shape).astype(dtype)
    return rng.integers(0, rows, shape).astype(dtype)


class GraphMaker:
    """Grows a graph, one operation a call, from values drawn by hypothesis."""

    def __init__(self, draw: Callable[..., Any]) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        shapes = st.lists(st.sampled_from(AWKWARD), min_size=1, max_size=3)
        types = [TensorType(f32, draw(shapes)) for _ in range(draw(st.integers(1, 2)))]
        types += [TensorType(i64, [draw(st.sampled_from((1, 3, 5)))])]
        self.block = Block(arg_types=types)
        self.builder = Builder(InsertPoint.at_end(self.block))
        self.weights: dict[str, Array] = {}
        self.floats: list[SSAValue] = [a for a in self.block.args if element_of(a) == f32]
        self.indices: list[SSAValue] = [a for a in self.block.args if element_of(a) == i64]
        self.truths: list[SSAValue] = []

    # ------------------------------------------------------------ drawing

    def pick(self, among: list[SSAValue], rank: int = 0) -> SSAValue:
        """A value of a rank or more; the last ones are likelier."""
        fitting = [v for v in among if len(shape_of(v)) >= rank]
        if not fitting:
            return self.reshape_to_rank(self.draw(st.sampled_from(among)), rank)
        return self.draw(st.sampled_from(fitting[-6:]))

    def bounded(self, rank: int = 0) -> SSAValue:
        """A value between -1 and 1, of a rank or more."""
        return self.insert(canao.TanhOp(self.pick(self.floats, rank)))

    def reshape_to_rank(self, value: SSAValue, rank: int) -> SSAValue:
        shape = shape_of(value)
        return self.insert(canao.ReshapeOp(value, (1,) * (rank - len(shape)) + shape))

    def insert(self, op: Any) -> SSAValue:
        return self.builder.insert(op).results[0]

    def weight(self, shape: tuple[int, ...]) -> SSAValue:
        name = f"w{len(self.weights)}"
        value = self.insert(canao.WeightOp(name, TensorType(f32, shape)))
        self.weights[name] = values(self.rng, value)
        return value

    def constant(self, shape: tuple[int, ...] = ()) -> SSAValue:
        number = self.draw(st.sampled_from((0.0, 0.5, 1.0, -1.0, 2.0)))
        return self.insert(canao.ConstantOp.from_array(np.full(shape, number, np.float32)))

    def partner(self, value: SSAValue) -> SSAValue:
        """A value that broadcasts with another."""
        shape = shape_of(value)
        small = tuple(e if self.draw(st.booleans()) else 1 for e in shape)
        kinds: list[Callable[[], SSAValue]] = [
            lambda: value,
            lambda: self.constant(),
            lambda: self.constant(shape),
            lambda: self.weight(small),
            lambda: self.weight(shape[-1:]),
            lambda: self.insert(canao.BroadcastOp(self.weight(small), shape)),
        ]
        for other in self.floats:
            if _agree(shape_of(other), shape):
                kinds.append(lambda other=other: other)
        return self.draw(st.sampled_from(kinds))()

    # ------------------------------------------------------------ operations

    def unary(self) -> SSAValue:
        kinds = (canao.AbsOp, canao.NegOp, canao.TanhOp, canao.ErfOp, canao.SigmoidOp)
        return self.insert(self.draw(st.sampled_from(kinds))(self.pick(self.floats)))

    def guarded_unary(self) -> SSAValue:
        """Functions that need a positive operand, or blow up errors of a large one."""
        bounded = self.bounded()
        if self.draw(st.booleans()):
            kinds = (canao.ExpOp, canao.SinOp, canao.CosOp)
            return self.insert(self.draw(st.sampled_from(kinds))(bounded))
        two = self.insert(canao.ConstantOp.from_array(np.array(2, np.float32)))
        positive = self.insert(canao.AddOp(bounded, two))
        kinds = (canao.LogOp, canao.SqrtOp, canao.RsqrtOp, canao.ReciprocalOp)
        return self.insert(self.draw(st.sampled_from(kinds))(positive))

    def binary(self) -> SSAValue:
        kinds = (canao.AddOp, canao.SubOp, canao.MulOp, canao.MaximumOp, canao.MinimumOp)
        a = self.pick(self.floats)
        operands = self.draw(st.permutations([a, self.partner(a)]))
        return self.insert(self.draw(st.sampled_from(kinds))(*operands))

    def division(self) -> SSAValue:
        two = self.insert(canao.ConstantOp.from_array(np.array(2, np.float32)))
        a = self.pick(self.floats)
        if self.draw(st.booleans()):
            return self.insert(canao.DivOp(a, two))
        return self.insert(canao.PowOp(a, two))

    def compare(self) -> SSAValue:
        a = self.pick(self.floats)
        predicate = self.draw(st.sampled_from(("lt", "le", "gt", "ge")))
        # No model compares with 0.37 what rounding may have brought there.
        number = self.insert(canao.ConstantOp.from_array(np.array(0.37, np.float32)))
        truth = self.insert(canao.CompareOp(predicate, a, number))
        if self.truths and self.draw(st.booleans()):
            other = self.pick(self.truths)
            if _agree(shape_of(other), shape_of(truth)):
                kind = self.draw(st.sampled_from((canao.AndOp, canao.OrOp)))
                truth = self.insert(kind(truth, other))
        if self.draw(st.booleans()):
            truth = self.insert(canao.NotOp(truth))
        self.truths.append(truth)
        return truth

    def select(self) -> SSAValue:
        truth = self.compare()
        a = self.weight(shape_of(truth)[-1:]) if shape_of(truth) else self.constant()
        return self.insert(canao.SelectOp(truth, a, self.constant()))

    def cast(self) -> SSAValue:
        source = self.pick(self.truths) if self.truths else self.pick(self.floats)
        wide = self.insert(canao.CastOp(source, f64 if element_of(source) == f32 else i64))
        return self.insert(canao.CastOp(wide, f32))

    def reduce(self) -> SSAValue:
        a = self.pick(self.floats, 1)
        axes = self.draw(st.sets(st.integers(0, len(shape_of(a)) - 1), min_size=1))
        kinds = (canao.ReduceSumOp, canao.ReduceMaxOp, canao.ReduceMinOp)
        folded = self.insert(self.draw(st.sampled_from(kinds))(a, sorted(axes)))
        return self.insert(canao.TanhOp(folded))

    def matmul(self) -> SSAValue:
        a = self.pick(self.floats, 2)
        shape, columns = shape_of(a), self.draw(st.sampled_from(AWKWARD))
        batch = tuple(e if self.draw(st.booleans()) else 1 for e in shape[:-2])
        leading = self.draw(st.sampled_from(((), batch)))
        product = self.insert(canao.MatmulOp(a, self.weight((*leading, shape[-1], columns))))
        scaled = self.insert(canao.MulOp(product, self.constant()))
        return self.draw(st.sampled_from((product, scaled)))

    def sibling_products(self) -> SSAValue:
        """Products of one value, with biases or without, as of queries and keys."""
        a = self.pick(self.floats, 2)
        rows = self.insert(canao.ReshapeOp(a, (_rows(a), shape_of(a)[-1])))
        biased = self.draw(st.booleans())
        parts: list[SSAValue] = []
        for _ in range(self.draw(st.integers(2, 3))):
            columns = self.draw(st.sampled_from((1, 3, 8)))
            weight = self.insert(canao.TransposeOp(self.weight((columns, shape_of(a)[-1])), (1, 0)))
            part = self.insert(canao.MatmulOp(rows, weight))
            if biased:
                part = self.insert(canao.AddOp(part, self.weight((columns,))))
            parts.append(self.insert(canao.TanhOp(part)))
        self.floats.extend(parts[:-1])
        return parts[-1]

    def attention(self) -> SSAValue:
        a = self.bounded(2)
        rank = len(shape_of(a))
        swapped = [*range(rank - 2), rank - 1, rank - 2]
        transposed = self.insert(canao.TransposeOp(a, swapped))
        scores = self.insert(canao.MatmulOp(a, transposed))
        scores = self.insert(canao.MulOp(scores, self.constant()))
        weights = self.insert(canao.SoftmaxOp(scores, rank - 1, self.draw(st.booleans())))
        return self.insert(canao.MatmulOp(weights, a))

    def masked_softmax(self) -> SSAValue:
        a = self.bounded(1)
        mask = self.weight(shape_of(a)[-1:])
        zero = self.insert(canao.ConstantOp.from_array(np.array(0, np.float32)))
        lowest = self.insert(canao.ConstantOp.from_array(np.array(-inf, np.float32)))
        kept = self.insert(canao.CompareOp("ge", mask, zero))
        bias = self.insert(canao.SelectOp(kept, zero, lowest))
        masked = self.insert(canao.AddOp(a, bias))
        return self.insert(canao.SoftmaxOp(masked, len(shape_of(a)) - 1, True))

    def composite(self) -> SSAValue:
        a = self.bounded(1)
        kind = self.draw(st.sampled_from(("layer_norm", "softmax", "none", "tanh")))
        whole = self.draw(st.booleans())
        if kind == "layer_norm":
            width = shape_of(a)[-1:]
            op = canao.LayerNormOp(a, self.weight(width), self.weight(width), 1e-2)
        elif kind == "softmax":
            op = canao.SoftmaxOp(a, self.draw(st.integers(0, len(shape_of(a)) - 1)))
        else:
            op = canao.GeluOp(a, kind)
        if whole:
            return self.insert(op)
        (result,) = op.decompose(self.builder)
        op.drop_all_references()
        return result

    def reorganise(self) -> SSAValue:
        a = self.pick(self.floats, 1)
        shape = shape_of(a)
        kind = self.draw(st.sampled_from(("transpose", "reshape", "flatten", "slice", "broadcast")))
        if kind == "transpose":
            axes = self.draw(st.permutations(range(len(shape))))
            return self.insert(canao.TransposeOp(a, axes))
        if kind == "reshape":
            place = self.draw(st.integers(0, len(shape)))
            return self.insert(canao.ReshapeOp(a, (*shape[:place], 1, *shape[place:])))
        if kind == "flatten":
            rows = _rows(a)
            return self.insert(canao.ReshapeOp(a, (rows, shape[-1])))
        if kind == "slice":
            return self.slice(a)
        return self.insert(canao.BroadcastOp(a, (self.draw(st.sampled_from((1, 2))), *shape)))

    def slice(self, a: SSAValue) -> SSAValue:
        starts, sizes, steps = [], [], []
        for extent in shape_of(a):
            start = self.draw(st.integers(0, extent - 1))
            step = self.draw(st.integers(1, 2))
            starts.append(start)
            steps.append(step)
            sizes.append(self.draw(st.integers(1, -(-(extent - start) // step))))
        return self.insert(canao.SliceOp(a, starts, sizes, steps))

    def concat(self) -> SSAValue:
        a = self.pick(self.floats, 1)
        axis = self.draw(st.integers(0, len(shape_of(a)) - 1))
        return self.insert(canao.ConcatOp([a, self.weight(shape_of(a)), a][: 2 + (axis % 2)], axis))

    def gather(self) -> SSAValue:
        table = self.draw(st.sampled_from((self.pick(self.floats, 1), self.weight((5, 7)))))
        rows = shape_of(table)[0]
        if rows < 2 or self.draw(st.booleans()):
            start = self.draw(st.integers(0, rows - 1))
            length = self.draw(st.integers(1, rows - start))
            shape = self.draw(st.sampled_from(((length,), (1, length), (length, 1))))
            index = np.arange(start, start + length).reshape(shape)
            return self.insert(
                canao.GatherOp(table, [self.insert(canao.ConstantOp.from_array(index))])
            )
        return self.insert(canao.GatherOp(table, [self.pick(self.indices)]))

    # ------------------------------------------------------------ whole

    def grow(self) -> None:
        """Adds one operation, or one group of them."""
        kinds = (
            self.unary,
            self.guarded_unary,
            self.binary,
            self.division,
            self.select,
            self.cast,
            self.reduce,
            self.matmul,
            self.sibling_products,
            self.attention,
            self.masked_softmax,
            self.composite,
            self.reorganise,
            self.concat,
            self.gather,
        )
        value = self.draw(st.sampled_from(kinds))()
        # Graphs stay small, and so do the numbers in them.
        if prod(shape_of(value)) <= _MOST_ELEMENTS:
            self.floats.append(value)

    def finish(self) -> Graph:
        """The graph, with the last values for results."""
        results = [*dict.fromkeys(self.floats[-2:]), *self.truths[-1:]]
        self.builder.insert(func.ReturnOp(*results))
        types = FunctionType.from_lists(
            [a.type for a in self.block.args], [r.type for r in results]
        )
        module = ModuleOp([func.FuncOp("main", types, Region(self.block))])
        inputs = [values(self.rng, a) for a in self.block.args]
        return Graph(module, inputs, self.weights)


def _agree(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    rank = max(len(a), len(b))
    padded = ((1,) * (rank - len(s)) + s for s in (a, b))
    fits = all(x == y or 1 in (x, y) for x, y in zip(*padded, strict=True))
    return fits and prod(broadcast_shapes([a, b])) <= _MOST_ELEMENTS


def _rows(value: SSAValue) -> int:
    return prod(shape_of(value)[:-1])


@st.composite
def graphs(draw: st.DrawFn, most: int = 8) -> Graph:
    """Graphs of up to `most` operations, or groups of them, after the inputs."""
    maker = GraphMaker(draw)
    for _ in range(draw(st.integers(1, most))):
        maker.grow()
    return maker.finish()


__all__ = ["AWKWARD", "Graph", "GraphMaker", "graphs", "values"]
