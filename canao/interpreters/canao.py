"""An interpreter of the canao dialect with numpy arrays for values.

It is the oracle of the tests, and it evaluates what depends on weights alone
when a compiled model is loaded. For the second use it avoids copies
(reshapes, transposes, slices and broadcasts are views) and drops each value
after its last use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.builder import Builder
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    ReturnedValues,
    TerminatorValue,
    impl,
    impl_terminator,
    register_impls,
)
from xdsl.interpreters.func import FuncFunctions
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects import canao
from canao.dialects.canao.defined import DefinedOp
from canao.dialects.canao.elementwise import Predicate
from canao.dialects.canao.reduce import ReduceOp, neutral_number
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.errors import ShapeMismatchError, VerificationError
from canao.interpreters import numerics
from canao.interpreters.numerics import Array

_ELEMENTWISE: dict[type[Operation], Callable[..., Array]] = {
    canao.AbsOp: np.abs,
    canao.AddOp: np.add,
    canao.AndOp: np.bitwise_and,
    canao.CeilOp: np.ceil,
    canao.CosOp: np.cos,
    canao.DivOp: numerics.divide,
    canao.ErfOp: numerics.erf,
    canao.ExpOp: np.exp,
    canao.FloorOp: np.floor,
    canao.FmodOp: np.fmod,
    canao.KeepRoundingOp: lambda a: a,
    canao.LogOp: np.log,
    canao.MaximumOp: np.maximum,
    canao.MinimumOp: np.minimum,
    canao.MulOp: np.multiply,
    canao.NegOp: np.negative,
    canao.NotOp: np.invert,
    canao.OrOp: np.bitwise_or,
    canao.PowOp: numerics.power,
    canao.ReciprocalOp: lambda a: 1 / a,
    canao.RoundOp: np.rint,
    canao.RsqrtOp: lambda a: 1 / np.sqrt(a),
    canao.SelectOp: np.where,
    canao.SigmoidOp: numerics.sigmoid,
    canao.SinOp: np.sin,
    canao.SqrtOp: np.sqrt,
    canao.SubOp: np.subtract,
    canao.TanhOp: np.tanh,
    canao.AcosOp: np.arccos,
    canao.AcoshOp: np.arccosh,
    canao.AsinOp: np.arcsin,
    canao.AsinhOp: np.arcsinh,
    canao.AtanOp: np.arctan,
    canao.AtanhOp: np.arctanh,
    canao.CoshOp: np.cosh,
    canao.Exp2Op: np.exp2,
    canao.Expm1Op: np.expm1,
    canao.Log10Op: np.log10,
    canao.Log1pOp: np.log1p,
    canao.Log2Op: np.log2,
    canao.SinhOp: np.sinh,
    canao.TanOp: np.tan,
    canao.Atan2Op: np.arctan2,
    canao.CopysignOp: np.copysign,
    canao.TruncOp: np.trunc,
}

_REDUCTIONS: dict[type[ReduceOp], Callable[..., Array]] = {
    canao.ReduceSumOp: np.sum,
    canao.ReduceMaxOp: np.max,
    canao.ReduceMinOp: np.min,
}

_PREDICATES: dict[Predicate, Callable[..., Array]] = {
    Predicate.EQ: np.equal,
    Predicate.NE: np.not_equal,
    Predicate.LT: np.less,
    Predicate.LE: np.less_equal,
    Predicate.GT: np.greater,
    Predicate.GE: np.greater_equal,
}


@dataclass
class _TableFunctions(InterpreterFunctions):
    """Holds the implementations that the tables above define."""


def _define_elementwise(op_type: type[Operation], function: Callable[..., Array]) -> None:
    def run(
        self: _TableFunctions, interpreter: Interpreter, op: Operation, args: PythonValues
    ) -> PythonValues:
        return (np.asarray(function(*args)),)

    setattr(_TableFunctions, f"run_{op_type.__name__}", impl(op_type)(run))


def _define_defined(op_type: type[DefinedOp]) -> None:
    def run(
        self: _TableFunctions, interpreter: Interpreter, op: DefinedOp, args: PythonValues
    ) -> PythonValues:
        block = Block(arg_types=[op.operand.type])
        result = op_type.define(block.args[0], Builder(InsertPoint.at_end(block)))
        values: dict[SSAValue, Any] = dict(zip(block.args, args, strict=True))
        for inner in block.ops:
            found = interpreter.run_op(inner, tuple(values[v] for v in inner.operands))
            values.update(zip(inner.results, found, strict=True))
        return (values[result],)

    setattr(_TableFunctions, f"run_{op_type.__name__}", impl(op_type)(run))


def _define_reduction(op_type: type[ReduceOp], function: Callable[..., Array]) -> None:
    def run(
        self: _TableFunctions, interpreter: Interpreter, op: ReduceOp, args: PythonValues
    ) -> PythonValues:
        if not args[0].size:
            start = neutral_number(op.KIND, element_of(op.result))
            return (np.full(shape_of(op.result), start, args[0].dtype),)
        reduced = function(args[0], axis=op.axis_numbers(), keepdims=True)
        return (np.asarray(reduced).astype(args[0].dtype, copy=False),)

    setattr(_TableFunctions, f"run_{op_type.__name__}", impl(op_type)(run))


for _op_type, _function in _ELEMENTWISE.items():
    _define_elementwise(_op_type, _function)
for _defined_type in canao.DEFINED_OPS:
    _define_defined(_defined_type)
for _reduce_type, _function in _REDUCTIONS.items():
    _define_reduction(_reduce_type, _function)


@register_impls
@dataclass
class CanaoFunctions(_TableFunctions):
    """Implementations of every operation of the dialect.

    `weights` holds the data of each `canao.weight` under its name. With
    `float64`, f32 values are held and computed in float64.
    """

    weights: Mapping[str, Array] = field(default_factory=dict[str, Array])
    float64: bool = False

    def dtype_of(self, value: SSAValue) -> np.dtype[Any]:
        """The dtype in which a value of the IR is held."""
        dtype = dtype_of_element(element_of(value))
        return np.dtype(np.float64) if self.float64 and dtype.kind == "f" else dtype

    @impl(canao.ConstantOp)
    def run_constant(
        self, interpreter: Interpreter, op: canao.ConstantOp, args: PythonValues
    ) -> PythonValues:
        return (op.array().astype(self.dtype_of(op.result), copy=False),)

    @impl(canao.WeightOp)
    def run_weight(
        self, interpreter: Interpreter, op: canao.WeightOp, args: PythonValues
    ) -> PythonValues:
        return (self.weights[op.sym.data].astype(self.dtype_of(op.result), copy=False),)

    @impl(canao.CastOp)
    def run_cast(
        self, interpreter: Interpreter, op: canao.CastOp, args: PythonValues
    ) -> PythonValues:
        return (np.asarray(numerics.cast(args[0], self.dtype_of(op.result))),)

    @impl(canao.WrapOp)
    def run_wrap(
        self, interpreter: Interpreter, op: canao.WrapOp, args: PythonValues
    ) -> PythonValues:
        return (args[0].astype(dtype_of_element(op.to)).astype(args[0].dtype),)

    @impl(canao.CompareOp)
    def run_compare(
        self, interpreter: Interpreter, op: canao.CompareOp, args: PythonValues
    ) -> PythonValues:
        return (np.asarray(_PREDICATES[Predicate(op.predicate.data)](*args)),)

    @impl(canao.MatmulOp)
    def run_matmul(
        self, interpreter: Interpreter, op: canao.MatmulOp, args: PythonValues
    ) -> PythonValues:
        return (np.matmul(*args),)

    @impl(canao.TransposeOp)
    def run_transpose(
        self, interpreter: Interpreter, op: canao.TransposeOp, args: PythonValues
    ) -> PythonValues:
        return (args[0].transpose(op.axes()),)

    @impl(canao.ReshapeOp)
    def run_reshape(
        self, interpreter: Interpreter, op: canao.ReshapeOp, args: PythonValues
    ) -> PythonValues:
        return (args[0].reshape(shape_of(op.result)),)

    @impl(canao.SliceOp)
    def run_slice(
        self, interpreter: Interpreter, op: canao.SliceOp, args: PythonValues
    ) -> PythonValues:
        bounds = zip(
            op.starts.get_values(), op.steps.get_values(), shape_of(op.result), strict=True
        )
        picked = tuple(slice(start, start + step * size, step) for start, step, size in bounds)
        return (args[0][picked],)

    @impl(canao.BroadcastOp)
    def run_broadcast(
        self, interpreter: Interpreter, op: canao.BroadcastOp, args: PythonValues
    ) -> PythonValues:
        return (np.broadcast_to(args[0], shape_of(op.result)),)

    @impl(canao.ConcatOp)
    def run_concat(
        self, interpreter: Interpreter, op: canao.ConcatOp, args: PythonValues
    ) -> PythonValues:
        return (np.concatenate(args, axis=op.axis.value.data),)

    @impl(canao.GatherOp)
    def run_gather(
        self, interpreter: Interpreter, op: canao.GatherOp, args: PythonValues
    ) -> PythonValues:
        return (numerics.gather(args[0], args[1:]),)

    @impl(canao.PackOp)
    def run_pack(
        self, interpreter: Interpreter, op: canao.PackOp, args: PythonValues
    ) -> PythonValues:
        return (numerics.pack(args[0], op.panel.value.data),)

    @impl(canao.SoftmaxOp)
    def run_softmax(
        self, interpreter: Interpreter, op: canao.SoftmaxOp, args: PythonValues
    ) -> PythonValues:
        masked = op.masked_rows_to_zero is not None
        return (numerics.softmax(args[0], op.axis.value.data, masked),)

    @impl(canao.LayerNormOp)
    def run_layer_norm(
        self, interpreter: Interpreter, op: canao.LayerNormOp, args: PythonValues
    ) -> PythonValues:
        a, scale, shift = args
        overflowing = op.overflow_to_zero is not None
        return (numerics.layer_norm(a, scale, shift, op.epsilon.value.data, overflowing),)

    @impl(canao.GeluOp)
    def run_gelu(
        self, interpreter: Interpreter, op: canao.GeluOp, args: PythonValues
    ) -> PythonValues:
        return (np.asarray(numerics.gelu(args[0], op.approximate.data)),)

    @impl(canao.LayerOp)
    def run_layer(
        self, interpreter: Interpreter, op: canao.LayerOp, args: PythonValues
    ) -> PythonValues:
        return interpreter.run_ssacfg_region(op.body, args, op.name)

    @impl_terminator(canao.YieldOp)
    def run_yield(
        self, interpreter: Interpreter, op: canao.YieldOp, args: PythonValues
    ) -> tuple[TerminatorValue, PythonValues]:
        return ReturnedValues(args), ()


def _last_uses(block: Block) -> dict[Operation, list[SSAValue]]:
    """The values of the block that each of its operations is the last to use."""
    seen: set[SSAValue] = set()
    last: dict[Operation, list[SSAValue]] = {}
    for op in reversed(list(block.ops)):
        fresh = [v for v in dict.fromkeys((*op.operands, *op.results)) if v not in seen]
        seen.update(fresh)
        last[op] = fresh
    return last


class FrugalInterpreter(Interpreter):
    """An interpreter of regions of one block that drops values after their last use."""

    def run_ssacfg_region(
        self, region: Region, args: PythonValues, name: str = "unknown"
    ) -> PythonValues:
        block = region.block
        last_uses = _last_uses(block)
        values: dict[SSAValue, Any] = dict(zip(block.args, args, strict=True))
        for op in block.ops:
            result = self._run_op(op, tuple(values[v] for v in op.operands))
            if isinstance(result.terminator_value, ReturnedValues):
                return result.terminator_value.values
            values.update(zip(op.results, result.values, strict=True))
            for value in last_uses[op]:
                del values[value]
        raise VerificationError(f"the block of {name} must end in a terminator; add a return")


def _find_function(op: func.FuncOp | ModuleOp, name: str) -> tuple[ModuleOp, func.FuncOp]:
    if isinstance(op, func.FuncOp):
        top = op.get_toplevel_object()
        return top if isinstance(top, ModuleOp) else ModuleOp([]), op
    for candidate in op.ops:
        if isinstance(candidate, func.FuncOp) and candidate.sym_name.data == name:
            return op, candidate
    raise VerificationError(f"the module has no function @{name}; name one that it has")


def _checked_inputs(
    function: func.FuncOp, inputs: Sequence[Array], functions: CanaoFunctions
) -> tuple[Array, ...]:
    """The inputs in the dtypes of the arguments, if they fit them."""
    arguments, name = function.body.block.args, function.sym_name.data
    if len(inputs) != len(arguments):
        raise ShapeMismatchError(f"@{name} takes {len(arguments)} inputs, got {len(inputs)}")
    checked: list[Array] = []
    for number, (argument, array) in enumerate(zip(arguments, inputs, strict=True)):
        dtype, shape = dtype_of_element(element_of(argument)), shape_of(argument)
        held = functions.dtype_of(argument)
        if array.shape != shape or array.dtype not in (dtype, held):
            raise ShapeMismatchError(
                f"input {number} of @{name} must be {dtype} of shape {shape}, "
                f"got {array.dtype} of shape {array.shape}"
            )
        checked.append(array.astype(held, copy=False))
    return tuple(checked)


def check_weights(function: func.FuncOp, weights: Mapping[str, Array]) -> None:
    """A `VerificationError` unless every `canao.weight` has data of its shape."""
    for op in function.walk():
        if not isinstance(op, canao.WeightOp):
            continue
        name, shape = op.sym.data, shape_of(op.result)
        if name not in weights:
            raise VerificationError(f"weight '{name}' has no data; pass it in `weights`")
        if weights[name].shape != shape:
            raise VerificationError(
                f"weight '{name}' must have shape {shape}, its data has {weights[name].shape}"
            )


def evaluate(
    func_or_module: func.FuncOp | ModuleOp,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    *,
    float64: bool = False,
    function: str = "main",
) -> tuple[Array, ...]:
    """Runs a function and returns its results.

    `inputs` must have the shapes and dtypes of the arguments. `weights` holds
    the data of each `canao.weight`. `function` names the one to run if a
    module is given. With `float64`, f32 inputs, weights, constants and
    results are float64. Results may share memory with inputs and weights,
    and need not be contiguous.
    """
    module, target = _find_function(func_or_module, function)
    functions = CanaoFunctions(weights, float64)
    check_weights(target, weights)
    interpreter = FrugalInterpreter(module)
    interpreter.register_implementations(functions)
    interpreter.register_implementations(FuncFunctions())
    with np.errstate(all="ignore"):
        return interpreter.call_op(target, _checked_inputs(target, inputs, functions))


def evaluate_op(
    op: Operation, operands: Sequence[Array], weights: Mapping[str, Array] | None = None
) -> tuple[Array, ...]:
    """The results of one operation for the given values of its operands."""
    interpreter = FrugalInterpreter(ModuleOp([]))
    interpreter.register_implementations(CanaoFunctions(weights or {}))
    with np.errstate(all="ignore"):
        return interpreter.run_op(op, tuple(operands))
