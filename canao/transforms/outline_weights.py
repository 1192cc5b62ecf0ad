"""Pass `outline-weights`: what depends on weights only is computed once, ahead of time.

Before: `@main` computes with `canao.weight` and `canao.constant`. After:
`@prepare` computes every value that layers need and that no input reaches, and
`@main` refers to its results as weights of their own. `@prepare` is run by the
interpreter when a model is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, TensorType
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import LayerOp, WeightOp
from canao.errors import VerificationError

WEIGHT_NAMES = "canao.names"
"""Attribute of `@prepare`: the name by which `@main` knows each result."""


@dataclass(frozen=True)
class OutlineWeightsPass(ModulePass):
    """Moves weight-only computations from `@main` to `@prepare`."""

    name = "outline-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = {f.sym_name.data: f for f in op.ops if isinstance(f, func.FuncOp)}
        if "main" not in functions:
            raise VerificationError("outline-weights needs a function @main")
        if "prepare" in functions:
            return
        _outline(op, functions["main"])


def _outline(module: ModuleOp, main: func.FuncOp) -> None:
    block = main.body.block
    fixed = [op for op in block.ops if not isinstance(op, LayerOp) and op is not block.last_op]
    inside = set(fixed)
    needed: dict[SSAValue, str] = {}
    for op in block.ops:
        if isinstance(op, LayerOp) or op is block.last_op:
            for value in op.operands:
                if value.owner in inside:
                    needed.setdefault(value, f"prepared.{len(needed)}")
    copies: dict[SSAValue, SSAValue] = {}
    body = Block()
    for op in fixed:
        _check_independent(op, copies)
        body.add_op(op.clone(copies))
    body.add_op(func.ReturnOp(*(copies[v] for v in needed)))
    prepare = func.FuncOp("prepare", ([], [v.type for v in needed]), Region(body))
    prepare.attributes[WEIGHT_NAMES] = ArrayAttr([StringAttr(n) for n in needed.values()])
    module.body.block.insert_op_before(prepare, main)
    first = block.first_op
    assert first is not None
    for value, name in needed.items():
        assert isinstance(value.type, TensorType)
        weight = WeightOp(name, value.type)
        block.insert_op_before(weight, first)
        value.replace_uses_with_if(weight.result, lambda use: use.operation not in inside)
    for op in reversed(fixed):
        op.detach()
        op.erase()


def _check_independent(op: Operation, copies: dict[SSAValue, SSAValue]) -> None:
    for value in op.operands:
        if value not in copies:
            raise VerificationError(
                f"{op.name} in @main depends on an input and is in no layer; run lp-fusion first"
            )
