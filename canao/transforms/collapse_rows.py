"""Pass `collapse-rows`: the rows of a batch become the rows of one matrix.

`[b, s, n]` is `[b * s, n]` where every operation of a layer treats its rows
alike. The reshapes around such a layer are index transforms that cancel, and
loops over one long dimension split evenly where two short ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import LayerOp, MatmulOp, ReshapeOp, YieldOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.source import SourceOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import element_of, shape_of
from canao.extent import is_symbolic, most
from canao.transforms.name_layers import copy_name

Shape = tuple[int, ...]


@dataclass(frozen=True)
class CollapseRowsPass(ModulePass):
    """Flattens the leading dimensions of layers around products with matrices."""

    name = "collapse-rows"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in [each for each in op.walk() if isinstance(each, LayerOp)]:
            leading = _leading(layer)
            if leading is not None:
                _collapse(layer, leading)


def _leading(layer: LayerOp) -> Shape | None:
    """The leading extents that can be flattened; None if there are none or not everywhere."""
    block = layer.body.block
    found = {shape_of(op.result)[:-1] for op in block.ops if isinstance(op, MatmulOp)}
    if len(found) != 1:
        return None
    (leading,) = found
    if sum(most(extent) > 1 for extent in leading) < 2 or not _is_dense(leading):
        return None
    alike = all(_treats_rows_alike(op, leading) for op in block.ops)
    whole = all(_is_rows(a, leading) or _is_shared(a, leading) or _is_matrix(a) for a in block.args)
    return leading if alike and whole else None


def _is_dense(leading: Shape) -> bool:
    """Whether rows lie one after another: below the outermost dimension, all are full.

    What depends on symbols lies in memory as if it were at its largest.
    """
    long = [extent for extent in leading if extent != 1]
    return not any(map(is_symbolic, long[1:]))


def _is_rows(value: SSAValue, leading: Shape) -> bool:
    return shape_of(value)[:-1] == leading


def _is_shared(value: SSAValue, leading: Shape) -> bool:
    """Whether all rows read the same elements of a value."""
    shape = shape_of(value)
    return len(shape) <= len(leading) + 1 and prod(shape[:-1]) == 1


def _is_matrix(value: SSAValue) -> bool:
    """Whether a value is the right operand of products and nothing else."""
    return all(isinstance(use.operation, MatmulOp) and use.index == 1 for use in value.uses)


def _treats_rows_alike(op: Operation, leading: Shape) -> bool:
    if isinstance(op, SourceOp | YieldOp):
        return all(_is_rows(v, leading) for v in op.operands)
    if isinstance(op, MatmulOp):
        return _is_rows(op.lhs, leading) and len(shape_of(op.rhs)) == 2
    if isinstance(op, ReduceOp):
        return _is_rows(op.operand, leading) and op.axis_numbers() == (len(leading),)
    if isinstance(op, ElementwiseOp):
        values = (*op.operands, op.result)
        return all(_is_rows(v, leading) or _is_shared(v, leading) for v in values)
    return False


def _collapse(layer: LayerOp, leading: Shape) -> None:
    """Rebuilds the body on matrices, between reshapes of its inputs and results."""
    old = layer.body.block
    new = Block(arg_types=[a.type for a in old.args])
    flat: dict[SSAValue, SSAValue] = {}

    def add(op: Operation) -> SSAValue:
        new.add_op(op)
        return op.results[0]

    for before, after in zip(old.args, new.args, strict=True):
        shape = shape_of(before) if _is_matrix(before) else _flattened(before, leading)
        flat[before] = after if shape == shape_of(before) else add(ReshapeOp(after, shape))
    for op in old.ops:
        if isinstance(op, YieldOp):
            results = [add(ReshapeOp(flat[v], shape_of(v))) for v in op.arguments]
            new.add_op(YieldOp(*results))
            continue
        result = op.results[0]
        operands = [flat[v] for v in op.operands]
        if isinstance(op, ReduceOp):
            flat[result] = add(type(op)(operands[0], [1]))
            continue
        tensor = tensor_type(element_of(result), _flattened(result, leading))
        flat[result] = add(
            type(op).create(operands=operands, properties=op.properties, result_types=[tensor])
        )
    region = Region(new)
    copy = LayerOp(list(layer.inputs), [v.type for v in layer.outs], region)
    copy_name(layer, copy)
    parent = layer.parent
    assert parent is not None
    parent.insert_op_before(copy, layer)
    for before, after in zip(layer.outs, copy.outs, strict=True):
        before.replace_all_uses_with(after)
    layer.detach()
    layer.erase()


def _flattened(value: SSAValue, leading: Shape) -> Shape:
    shape = shape_of(value)
    if _is_rows(value, leading):
        return (prod(leading), shape[-1])
    return shape[-1:]
