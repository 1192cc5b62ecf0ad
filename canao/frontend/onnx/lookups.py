"""Lookups in several dimensions at once as PyTorch has them.

torch-mlir writes `GatherND` as a lookup in one dimension, made of all that numbers are given for.
Where those vary their product is no size that compiled code has, and there is no need for it.
"""

from __future__ import annotations

import re
from typing import Any

from torch_mlir import ir as torch_mlir_ir

# The bindings come without types.
ir: Any = torch_mlir_ir

_GATHER = "onnx.GatherND"
_TENSOR = re.compile(r"!torch\.vtensor<\[(?P<sizes>[^\]]*)\],(?P<element>[^>]+)>")


def index_by_columns(module: Any) -> None:
    """`GatherND(t, n) -> t[n[..., 0], n[..., 1], ...]`, in place; others stay as they are."""
    for op in [each for each in _operators(module) if _is_plain(each)]:
        _replace(op)


def _operators(module: Any) -> list[Any]:
    (functions,) = module.regions[0].blocks
    return [
        each.operation
        for function in functions.operations
        for block in function.operation.regions[0].blocks
        for each in block.operations
        if each.operation.name == "torch.operator"
    ]


def _is_plain(op: Any) -> bool:
    """Whether it looks up by so many numbers as its type says, without dimensions of a batch."""
    if ir.StringAttr(op.attributes["name"]).value != _GATHER:
        return False
    if "torch.onnx.batch_dims" in op.attributes:
        batch = ir.IntegerAttr(op.attributes["torch.onnx.batch_dims"]).value
        if batch:
            return False
    indices = _TENSOR.fullmatch(str(op.operands[1].type))
    return indices is not None and indices["sizes"].split(",")[-1].isdigit()


def _replace(op: Any) -> None:
    table, indices = op.operands
    found = _TENSOR.fullmatch(str(indices.type))
    assert found is not None
    *outer, count = found["sizes"].split(",")
    with op.context, op.location, ir.InsertionPoint(op):
        whole = ir.Type.parse("!torch.int")
        inner = f"vtensor<[{','.join(outer)}],{found['element']}>"
        column = ir.Type.parse(f"!torch.{inner}")

        def number(value: int) -> Any:
            attribute = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
            made = ir.Operation.create(
                "torch.constant.int", results=[whole], attributes={"value": attribute}
            )
            return made.result

        last = number(-1)
        columns = [
            ir.Operation.create(
                "torch.aten.select.int", results=[column], operands=[indices, last, number(n)]
            ).result
            for n in range(int(count))
        ]
        listed = ir.Operation.create(
            "torch.prim.ListConstruct",
            results=[ir.Type.parse(f"!torch.list<{inner}>")],
            operands=columns,
        ).result
        made = ir.Operation.create(
            "torch.aten.index.Tensor", results=[op.results[0].type], operands=[table, listed]
        ).result
        op.results[0].replace_all_uses_with(made)
    op.erase()
