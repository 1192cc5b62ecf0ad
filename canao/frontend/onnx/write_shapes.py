"""Writes the shapes of tensors that depend on symbols beside them, as PyTorch's models have them.

`torch.symbolic_int` names a symbol, `torch.bind_symbolic_shape` says which shape a tensor has.
What only checked or computed sizes is gone then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch_mlir import ir as torch_mlir_ir

from canao.dialects.canao.names import ascii_name
from canao.errors import UnsupportedModelError, UnsupportedOpError
from canao.extent import Symbol, symbols_in, terms_of, volume
from canao.frontend.imported import memory_bytes
from canao.frontend.onnx.symbolic_shapes import proved_shapes, stated_shape
from canao.frontend.onnx.to_torch import place_of_op
from canao.transforms.convert_torch_to_canao.constants import LOCATION
from canao.transforms.convert_torch_to_canao.symbolic_shapes import BINDING, SYMBOL

# The bindings come without types.
ir: Any = torch_mlir_ir

Shape = tuple[int, ...]

_CONTROL = {"torch.prim.If": "If", "torch.prim.Loop": "Loop"}
"""Operations that choose what runs, by the ONNX operator that they come from."""


def write_shapes(module: Any, entry: str, shapes: Sequence[Shape], guessed: bool) -> None:
    """Completes a function of the torch dialect whose arguments have some shapes.

    Types are proved where sizes vary or types were `guessed`. Every operation gets the place of
    its node as an attribute.
    """
    (block,) = module.regions[0].blocks
    function = next(op.operation for op in block.operations if _name(op) == entry)
    (body,) = function.regions[0].blocks
    operations = [each.operation for each in body.operations]
    for op in operations:
        if op.name in _CONTROL:
            raise UnsupportedOpError(
                _CONTROL[op.name], place_of_op(op), "export the model without branches and loops"
            )
    symbols = symbols_in(extent for shape in shapes for extent in shape)
    for value, shape in zip(body.arguments, shapes, strict=True):
        _check_size(f"input {value.arg_number} of the model", shape)
    with module.context, ir.Location.unknown():
        if symbols or guessed:
            found = proved_shapes(module, entry, shapes)
            assert len(found) == len(operations)
            bound: list[tuple[Any, Shape]] = [*zip(body.arguments, shapes, strict=True)]
            for op, results in zip(operations, found, strict=True):
                pairs = zip(op.results, results, strict=True)
                bound += [(value, shape) for value, shape in pairs if shape is not None]
            _bind(body, bound, symbols)
        else:
            found = [[stated_shape(result) for result in op.results] for op in operations]
        for op, results in zip(operations, found, strict=True):
            for shape in results:
                _check_size(place_of_op(op), shape or ())
        for op in operations:
            op.attributes[LOCATION] = ir.StringAttr.get(ascii_name(place_of_op(op)))
    _erase_unused(operations)


def _check_size(where: str, shape: Shape) -> None:
    """An error for a tensor that cannot lie in this machine's memory."""
    if volume(shape) > memory_bytes():
        raise UnsupportedModelError(
            f"{where} gives a tensor of shape {shape}, larger than this machine's memory; give "
            "inputs of other shapes, or a smaller range of sizes"
        )


def _name(op: Any) -> str:
    return ir.StringAttr(op.operation.attributes["sym_name"]).value


def _bind(body: Any, bound: Sequence[tuple[Any, Shape]], symbols: Sequence[Symbol]) -> None:
    """Binds each value whose shape depends on symbols."""
    named: dict[str, Any] = {}
    start = ir.InsertionPoint.at_block_begin(body)
    for symbol in symbols:
        named[symbol.name] = _symbol(symbol, start)
    after = next(each.operation for each in body.operations if each.operation.name != SYMBOL)
    for value, shape in bound:
        used = symbols_in(shape)
        if not used:
            continue
        numbers = {symbol.name: f"s{number}" for number, symbol in enumerate(used)}
        listed = ", ".join(_written(extent, numbers) for extent in shape)
        text = f"affine_map<()[{', '.join(numbers.values())}] -> ({listed})>"
        owner = value.owner
        place = (
            ir.InsertionPoint(after)
            if isinstance(owner, ir.Block)
            else ir.InsertionPoint.after(owner)
        )
        ir.Operation.create(
            BINDING,
            operands=[value, *(named[symbol.name] for symbol in used)],
            attributes={"shape_expressions": ir.Attribute.parse(text)},
            ip=place,
        )


def _symbol(symbol: Symbol, place: Any) -> Any:
    wide = ir.IntegerType.get_signless(64)
    return ir.Operation.create(
        SYMBOL,
        results=[ir.Type.parse("!torch.int")],
        attributes={
            "symbol_name": ir.StringAttr.get(symbol.name),
            "min_val": ir.IntegerAttr.get(wide, symbol.low),
            "max_val": ir.IntegerAttr.get(wide, symbol.high),
        },
        ip=place,
    ).result


def _written(extent: int, names: Mapping[str, str]) -> str:
    """An extent as an expression of an affine map, which may multiply symbols."""
    terms = [
        " * ".join([*(names[symbol.name] for symbol in monomial), str(factor)])
        for monomial, factor in terms_of(extent)
    ]
    return " + ".join(terms) or "0"


def _erase_unused(operations: Sequence[Any]) -> None:
    """Erases checks of sizes, and what nothing uses then."""
    for op in reversed(operations):
        binds = [use.owner for result in op.results for use in result.uses]
        if op.name == "func.return" or any(owner.name != BINDING for owner in binds):
            continue
        for owner in binds:
            owner.operation.erase()
        op.erase()
