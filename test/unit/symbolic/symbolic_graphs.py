"""Random modules whose shapes depend on one or two symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from xdsl.builder import Builder
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import (
    AddOp,
    BroadcastOp,
    ConcatOp,
    ConstantOp,
    DivOp,
    ExpOp,
    MatmulOp,
    MaximumOp,
    MulOp,
    ReduceMaxOp,
    ReduceSumOp,
    ReshapeOp,
    SliceOp,
    SoftmaxOp,
    TanhOp,
    TransposeOp,
    WeightOp,
)
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import shape_of
from canao.extent import Symbol, at, extent_of, is_symbolic, symbols_in
from canao.interpreters.canao import evaluate
from canao.transforms.fix_extents import fix_extents

Array = npt.NDArray[np.generic]
Values = Sequence[SSAValue]
Step = Callable[[Builder, Values, Callable[[int], int]], SSAValue | None]

WIDTH = 8
_WEIGHTS = {"narrow": (WIDTH, 5), "wide": (WIDTH, 48), "row": (WIDTH,)}


@dataclass(frozen=True)
class SymbolicGraph:
    """A module, its weights, and the symbols that its shapes depend on."""

    module: ModuleOp
    weights: Mapping[str, Array]
    symbols: tuple[Symbol, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Those of the inputs, symbols and all."""
        return [shape_of(argument) for argument in _main(self.module).body.block.args]

    def inputs(self, sizes: Mapping[str, int], seed: int) -> list[Array]:
        """Random inputs for values of the symbols."""
        random = np.random.default_rng(seed)
        shapes = [[at(e, sizes) for e in shape] for shape in self.shapes]
        return [random.standard_normal(shape).astype(np.float32) for shape in shapes]

    def expected(self, inputs: Sequence[Array], sizes: Mapping[str, int]) -> tuple[Array, ...]:
        """The results in float64, of the module with the sizes put in."""
        return results(self.module, inputs, self.weights, sizes)


def results(
    module: ModuleOp,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    sizes: Mapping[str, int],
) -> tuple[Array, ...]:
    """The results in float64 of a module with sizes put in."""
    fixed = module.clone()
    fix_extents(fixed, sizes)
    fixed.verify()
    wide = [array.astype(np.float64) for array in inputs]
    return evaluate(fixed, wide, weights, float64=True)


def _main(module: ModuleOp) -> FuncOp:
    return next(op for op in module.ops if isinstance(op, FuncOp))


def _pick(values: Values, choose: Callable[[int], int], rank: int | None = None) -> SSAValue:
    fitting = [v for v in values if rank is None or len(shape_of(v)) == rank]
    return fitting[choose(len(fitting))]


def _unary(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue:
    kind = (TanhOp, ExpOp)[choose(2)]
    value = builder.insert(TanhOp(_pick(values, choose))).result
    return builder.insert(kind(value)).result


def _binary(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    lhs = _pick(values, choose)
    alike = [v for v in values if shape_of(v) == shape_of(lhs)]
    kind = (AddOp, MulOp, MaximumOp)[choose(3)]
    return builder.insert(kind(lhs, alike[choose(len(alike))])).result


def _product(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    lhs = _pick(values, choose)
    if shape_of(lhs)[-1] != WIDTH:
        return None
    name = ("narrow", "wide")[choose(2)]
    weight = builder.insert(WeightOp(name, TensorType(f32, _WEIGHTS[name]))).result
    return builder.insert(MatmulOp(lhs, weight)).result


def _scores(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    value = _pick(values, choose)
    if len(shape_of(value)) < 2 or not is_symbolic(shape_of(value)[-2]):
        return None
    if is_symbolic(shape_of(value)[-1]):
        return None
    axes = [*range(len(shape_of(value)))]
    axes[-1], axes[-2] = axes[-2], axes[-1]
    other = builder.insert(TransposeOp(value, axes)).result
    scores = builder.insert(MatmulOp(value, other)).result
    shares = builder.insert(SoftmaxOp(scores, len(axes) - 1)).result
    return builder.insert(MatmulOp(shares, value)).result


def _mean(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue:
    value = _pick(values, choose)
    axis = choose(len(shape_of(value)))
    kind = (ReduceSumOp, ReduceMaxOp)[choose(2)]
    total = builder.insert(kind(value, [axis])).result
    one = builder.insert(ConstantOp.from_array(np.array(1, np.float32))).result
    ones = builder.insert(BroadcastOp(one, [shape_of(value)[axis]])).result
    count = builder.insert(ReduceSumOp(ones, [0])).result
    scalar = builder.insert(ReshapeOp(count, [])).result
    return builder.insert(DivOp(total, scalar)).result


def _split(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    value = _pick(values, choose)
    *front, last = shape_of(value)
    if last != WIDTH:
        return None
    apart = builder.insert(ReshapeOp(value, [*front, 2, WIDTH // 2])).result
    rank = len(front) + 2
    moved = builder.insert(TransposeOp(apart, [*range(rank - 3), rank - 2, rank - 3, rank - 1]))
    return moved.result if rank >= 3 else apart


def _front(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    value = _pick(values, choose)
    shape = list(shape_of(value))
    fixed = [d for d, extent in enumerate(shape) if not is_symbolic(extent) and extent > 1]
    if not fixed:
        return None
    axis = fixed[choose(len(fixed))]
    shape[axis] -= 1
    starts = [int(d == axis) for d in range(len(shape))]
    return builder.insert(SliceOp(value, starts, shape)).result


def _joined(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    value = _pick(values, choose)
    axes = [d for d, extent in enumerate(shape_of(value)) if not is_symbolic(extent)]
    if not axes:
        return None
    return builder.insert(ConcatOp([value, value], axes[choose(len(axes))])).result


def _positions(builder: Builder, values: Values, choose: Callable[[int], int]) -> SSAValue | None:
    value = _pick(values, choose)
    shape = shape_of(value)
    symbolic = [d for d, extent in enumerate(shape) if is_symbolic(extent)]
    if not symbolic:
        return None
    axis = symbolic[choose(len(symbolic))]
    (symbol,) = symbols_in([shape[axis]])
    numbers = np.arange(symbol.high, dtype=np.float32) / symbol.high
    whole = builder.insert(ConstantOp.from_array(numbers)).result
    some = builder.insert(SliceOp(whole, [0], [shape[axis]])).result
    spread = [shape[axis] if d == axis else 1 for d in range(len(shape))]
    return builder.insert(AddOp(value, builder.insert(ReshapeOp(some, spread)).result)).result


_STEPS: tuple[Step, ...] = (
    _unary,
    _binary,
    _product,
    _scores,
    _mean,
    _split,
    _front,
    _joined,
    _positions,
)


@st.composite
def symbolic_graphs(draw: st.DrawFn, most: int = 6) -> SymbolicGraph:
    """Modules of up to `most` steps with one or two symbols."""
    low = draw(st.integers(1, 3))
    rows = Symbol("rows", low, low + draw(st.sampled_from([1, 4, 14, 15, 16, 30, 47])))
    batch = Symbol("batch", 1, draw(st.sampled_from([2, 3])))
    two = draw(st.booleans())
    symbols = (batch, rows) if two else (rows,)
    front = [extent_of(batch)] if two else draw(st.sampled_from([[], [1], [3]]))
    block = Block(arg_types=[tensor_type(f32, [*front, extent_of(rows), WIDTH])])
    builder = Builder(InsertPoint.at_end(block))
    values: list[SSAValue] = list(block.args)

    def choose(count: int) -> int:
        return draw(st.integers(0, count - 1))

    for step in draw(st.lists(st.sampled_from(_STEPS), min_size=1, max_size=most)):
        made = step(builder, values, choose)
        if made is not None and len(shape_of(made)) <= 5:
            values.append(made)
    last = builder.insert(AddOp(values[-1], values[-1])).result
    returned = [last, *values[1:][:1]] if len(values) > 2 else [last]
    block.add_op(ReturnOp(*returned))
    function = FuncOp("main", ([block.args[0].type], [v.type for v in returned]), Region(block))
    module = ModuleOp([function])
    module.verify()
    random = np.random.default_rng(0)
    weights = {
        name: random.standard_normal(shape).astype(np.float32) for name, shape in _WEIGHTS.items()
    }
    return SymbolicGraph(module, weights, symbols)
