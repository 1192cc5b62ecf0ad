"""Replaces functions of the math dialect by helpers of plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, FunctionType, ModuleOp, VectorType
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern
from xdsl.rewriter import InsertPoint
from xdsl.traits import SymbolTable

from canao.errors import VerificationError
from canao.lowering.approximate_math.arithmetic import Arithmetic, F32Type
from canao.lowering.approximate_math.functions import APPROXIMATIONS, Approximation
from canao.machine.processor import SideBySide


def _as_f32(value_type: Attribute) -> F32Type | None:
    """`value_type` if it is f32 or a vector of fixed length of it."""
    if isinstance(value_type, Float32Type):
        return value_type
    if not isinstance(value_type, VectorType):
        return None
    vector = cast(VectorType[Attribute], value_type)
    if not isinstance(vector.element_type, Float32Type) or vector.get_num_scalable_dims():
        return None
    return cast(VectorType[Float32Type], vector)


def _helper_name(approximation: Approximation, value_type: F32Type) -> str:
    """The function's name, then `f32` with the lengths of the vector: `exp_f32x16`."""
    lengths = value_type.get_shape() if isinstance(value_type, VectorType) else ()
    return "x".join([f"{approximation.name}_f32", *map(str, lengths)])


def _build_helper(name: str, approximation: Approximation, value_type: F32Type) -> FuncOp:
    """A private function of `value_type` that computes the approximation."""
    block = Block(arg_types=[value_type])
    builder = Builder(InsertPoint.at_end(block))
    (result,) = approximation.build(Arithmetic(builder, value_type), (block.args[0],))
    builder.insert(ReturnOp(result))
    return FuncOp(name, ([value_type], [value_type]), Region(block), visibility="private")


def _run(op: Operation, most: int) -> list[Operation]:
    """An operation and those of its kind and type right after it that do not need its result.

    There are `most` of them at most.
    """
    run = [op]
    following = op.next_op
    while (
        len(run) < most
        and following is not None
        and type(following) is type(op)
        and following.results[0].type == op.results[0].type
        and following.operands[0].owner not in run
    ):
        run.append(following)
        following = following.next_op
    return run


@dataclass
class CallApproximation(RewritePattern):
    """`math.f %x : T` becomes `func.call @f_T(%x)`, where T is f32 or a vector of it.

    The first call of each helper appends it to the module. Calls for vectors
    that follow each other are expanded instead, step by step side by side: one
    evaluation is a chain of operations that each wait for the one before.
    """

    module: ModuleOp
    together: int = SideBySide().chains
    """Evaluations that are expanded side by side at most."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        approximation = APPROXIMATIONS.get(type(op))
        if approximation is None:
            return
        value_type = _as_f32(op.results[0].type)
        if value_type is None:
            return
        run = _run(op, self.together) if isinstance(value_type, VectorType) else [op]
        if len(run) > 1:
            arithmetic = Arithmetic(Builder(InsertPoint.before(op)), value_type, len(run))
            results = approximation.build(arithmetic, tuple(each.operands[0] for each in run))
            for each, result in zip(run, results, strict=True):
                rewriter.replace(each, [], [result])
            return
        name = _helper_name(approximation, value_type)
        self._ensure_helper(name, approximation, value_type)
        rewriter.replace(op, CallOp(name, op.operands, [value_type]))

    def _ensure_helper(self, name: str, approximation: Approximation, value_type: F32Type) -> None:
        found = SymbolTable.lookup_symbol(self.module, name)
        if found is None:
            helper = _build_helper(name, approximation, value_type)
            self.module.body.block.add_op(helper)
            return
        wanted = FunctionType.from_lists([value_type], [value_type])
        if not isinstance(found, FuncOp) or found.function_type != wanted:
            raise VerificationError(
                f"'@{name}' is the name of the helper that approximates {approximation.name} on "
                f"{value_type}, but the module has another symbol of that name; rename it"
            )


@dataclass(frozen=True)
class ApproximateMathPass(ModulePass):
    """Calls short float32 forms of exp, erf and tanh in place of those of libm.

    One private function a form and type is appended to the module. Other
    functions and other element types stay operations of the math dialect.
    """

    name = "approximate-math"

    together: int = SideBySide().chains
    """Evaluations for vectors that are expanded side by side at most."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        pattern = CallApproximation(op, self.together)
        PatternRewriteWalker(pattern, apply_recursively=False).rewrite_module(op)
