"""Shapes that depend on symbols, as torch-mlir writes them beside the tensors.

`torch.symbolic_int` names a symbol with its range, `torch.bind_symbolic_shape` says by an affine
map of symbols which shape a tensor has. Integers computed from sizes become extents.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineExpr,
    AffineSymExpr,
)

from canao.dialects.canao.types import normalise_axis, shape_of
from canao.errors import UnsupportedModelError
from canao.extent import Symbol, extent_of
from canao.transforms.convert_torch_to_canao.torch_call import Argument, TorchCall

SYMBOL = "torch.symbolic_int"
BINDING = "torch.bind_symbolic_shape"

_ARITHMETIC: dict[AffineBinaryOpKind, Callable[[int, int], int]] = {
    AffineBinaryOpKind.Add: operator.add,
    AffineBinaryOpKind.Mul: operator.mul,
    AffineBinaryOpKind.Mod: operator.mod,
    AffineBinaryOpKind.FloorDiv: operator.floordiv,
}


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}


def size_of(call: TorchCall) -> Argument:
    """`size(a, axis)`."""
    shape = shape_of(call.tensor(0))
    return shape[normalise_axis(call.integer(1), len(shape))]


def _of_extents(function: Callable[[int, int], int]) -> Callable[[TorchCall], Argument]:
    return lambda call: function(call.extent(0), call.extent(1))


SIZES: dict[str, Callable[[TorchCall], Argument]] = {
    "torch.aten.size.int": size_of,
    "torch.aten.sym_size.int": size_of,
    "torch.aten.add.int": _of_extents(operator.add),
    "torch.aten.sub.int": _of_extents(operator.sub),
    "torch.aten.mul.int": _of_extents(operator.mul),
    "torch.aten.floordiv.int": _of_extents(operator.floordiv),
    "torch.aten.remainder.int": _of_extents(operator.mod),
}
"""Operations that compute with sizes of tensors, by the function that they stand for."""


def symbol_of(op: Operation) -> int:
    """The extent that a `torch.symbolic_int` names."""
    name, low, high = (_given(op, key) for key in ("symbol_name", "min_val", "max_val"))
    if not (
        isinstance(name, StringAttr)
        and isinstance(low, IntegerAttr)
        and isinstance(high, IntegerAttr)
    ):
        raise UnsupportedModelError(f"{SYMBOL} needs symbol_name, min_val and max_val; add them")
    least, most = low.value.data, high.value.data
    if not max(least, 1) <= most:
        raise UnsupportedModelError(
            f"the dimension '{name.data}' has no values from {least} to {most}; give it some"
        )
    return extent_of(Symbol(name.data, max(least, 1), most))


def name_symbols(module: ModuleOp, names: Mapping[str, str]) -> None:
    """Gives the symbols of a module the names that callers know, by those they have."""
    for op in module.walk():
        if _name(op) == SYMBOL:
            old = _given(op, "symbol_name")
            assert isinstance(old, StringAttr)
            where = op.properties if "symbol_name" in op.properties else op.attributes
            where["symbol_name"] = StringAttr(names.get(old.data, old.data))


def bound_shapes(function: FuncOp) -> Iterator[tuple[SSAValue, Sequence[int]]]:
    """The tensors of a function whose shapes are bound to symbols, with these shapes."""
    symbols: dict[SSAValue, int] = {}
    for op in function.body.block.ops:
        name = _name(op)
        if name == SYMBOL:
            symbols[op.results[0]] = symbol_of(op)
        elif name == BINDING:
            bound = _given(op, "shape_expressions")
            values = [symbols[operand] for operand in op.operands[1:]]
            if isinstance(bound, StringAttr):
                yield op.operands[0], evaluated_text(bound.data, values)
                continue
            assert isinstance(bound, AffineMapAttr)
            yield op.operands[0], [_evaluated(e, values) for e in bound.data.results]


def _name(op: Operation) -> str:
    given = getattr(op, "op_name", None)
    return given.data if isinstance(given, StringAttr) else op.name


def _given(op: Operation, key: str) -> Attribute | None:
    return op.properties.get(key, op.attributes.get(key))


def evaluated_text(text: str, symbols: Sequence[int]) -> list[int]:
    """Expressions of symbols `s0`, `s1` ..., which may be multiplied, as extents."""
    for word, sign in (("floordiv", "//"), ("mod", "%")):
        text = text.replace(f" {word} ", f" {sign} ")
    try:
        (row,) = ast.parse(f"[{text}]").body
    except (SyntaxError, ValueError) as error:
        raise UnsupportedModelError(f"a shape is '{text}', which is no expression") from error
    assert isinstance(row, ast.Expr)
    assert isinstance(row.value, ast.List)
    return [_evaluated_node(node, symbols, text) for node in row.value.elts]


def _evaluated_node(node: ast.expr, symbols: Sequence[int], text: str) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name) and node.id[1:].isdecimal():
        return symbols[int(node.id[1:])]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluated_node(node.operand, symbols, text)
    operation = _OPERATORS.get(type(node.op)) if isinstance(node, ast.BinOp) else None
    if operation is None:
        raise UnsupportedModelError(f"a shape is '{text}'; only sums and products are known")
    assert isinstance(node, ast.BinOp)
    left, right = (_evaluated_node(each, symbols, text) for each in (node.left, node.right))
    return operation(left, right)


def _evaluated(expr: AffineExpr, symbols: Sequence[int]) -> int:
    """An affine expression of symbols as an extent."""
    if isinstance(expr, AffineConstantExpr):
        return expr.value
    if isinstance(expr, AffineSymExpr):
        return symbols[expr.position]
    assert isinstance(expr, AffineBinaryOpExpr)
    lhs, rhs = _evaluated(expr.lhs, symbols), _evaluated(expr.rhs, symbols)
    if expr.kind is AffineBinaryOpKind.CeilDiv:
        return -(-lhs // rhs)
    return _ARITHMETIC[expr.kind](lhs, rhs)
