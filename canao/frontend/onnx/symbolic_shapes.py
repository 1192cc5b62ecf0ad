"""The shapes of all tensors of a module in the torch dialect, by torch-mlir's shape functions.

torch-mlir has a function of shapes for every operator, written in its own dialect. They are
evaluated here with extents in place of integers, so that what comes out holds for every size.
Where the answer to a question would depend on sizes, there is an `UndecidedError`. The functions
are evaluated at single sizes, too: an operator that does something else there, as one that drops
dimensions of size 1, is found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from torch_mlir import ir as torch_mlir_ir
from torch_mlir import passmanager as torch_mlir_passes

from canao.errors import UndecidedError, UnsupportedModelError
from canao.extent import Symbol, at, symbols_in
from canao.frontend.onnx.shape_operations import OPERATIONS, ShapeError
from canao.frontend.onnx.to_torch import place_of_op

# The bindings come without types.
ir: Any = torch_mlir_ir
passes: Any = torch_mlir_passes

Shape = tuple[int, ...]

_DIMS = re.compile(r"!torch\.vtensor<\[([^\]]*)\]")
_TENSOR = "!torch.vtensor"
_CALCULATE = "torch.shape.calculate"
_MOST_SYMBOLS = 6
"""Symbols whose ranges have so many ends that all are looked at."""


def proved_shapes(module: Any, entry: str, shapes: Sequence[Shape]) -> list[list[Shape | None]]:
    """The shapes of the results of each operation of a function, for arguments of some shapes.

    None for what is no tensor. `UndecidedError` and `UnsupportedModelError` where a shape is not
    the same expression for all sizes, or not the one that the types say.
    """
    reified = module.clone()
    with reified.context:
        passes.PassManager.parse("builtin.module(torch-reify-shape-calculations)").run(reified)
    functions = _Functions(reified)
    found = functions.results(entry, shapes)
    symbols = symbols_in(extent for shape in shapes for extent in shape)
    for sizes in _corners(symbols):
        fixed = functions.results(entry, [_fixed(shape, sizes) for shape in shapes])
        if fixed != [[s and _fixed(s, sizes) for s in results] for results in found]:
            raise UnsupportedModelError(
                "the model does something else at the smallest or largest sizes of its dynamic "
                f"shapes ({', '.join(f'{n} = {v}' for n, v in sizes.items())}); give them another "
                "range: torch.export.Dim('sequence', min=2, max=512)"
            )
    return found


def _fixed(shape: Shape, sizes: Mapping[str, int]) -> Shape:
    return tuple(at(extent, sizes) for extent in shape)


def _corners(symbols: Sequence[Symbol]) -> list[dict[str, int]]:
    """The smallest and the largest values of the symbols, in all combinations."""
    if len(symbols) > _MOST_SYMBOLS:
        names = ", ".join(symbol.name for symbol in symbols)
        raise UnsupportedModelError(
            f"{len(symbols)} dimensions vary ({names}), and {_MOST_SYMBOLS} may; fix some of them"
        )
    ends = product(*((symbol.low, symbol.high) for symbol in symbols))
    names = [symbol.name for symbol in symbols]
    return [dict(zip(names, values, strict=True)) for values in ends] if symbols else []


@dataclass
class _Functions:
    """The functions of a module with shape calculations."""

    module: Any

    def __post_init__(self) -> None:
        (block,) = self.module.regions[0].blocks
        self.by_name: dict[str, Any] = {
            ir.StringAttr(op.operation.attributes["sym_name"]).value: op.operation
            for op in block.operations
        }

    def results(self, entry: str, shapes: Sequence[Shape]) -> list[list[Shape | None]]:
        """The shapes of the results of each operation of a function of tensors."""
        (block,) = self.by_name[entry].regions[0].blocks
        values: dict[Any, Any] = {}
        for argument, shape in zip(block.arguments, shapes, strict=True):
            values[argument] = list(shape)
        found: list[list[Shape | None]] = []
        for each in block.operations:
            op = each.operation
            try:
                self._run(op, values)
                found.append([_checked(op, result, values) for result in op.results])
            except UndecidedError as error:
                raise UndecidedError(f"{place_of_op(op)}: {error}") from error
            except ShapeError as error:
                raise UnsupportedModelError(
                    f"{place_of_op(op)} cannot run for these sizes: {error}; give inputs of other "
                    "shapes, or other dynamic_shapes"
                ) from error
        return found

    def _run(self, op: Any, values: dict[Any, Any]) -> None:
        """Puts what an operation gives among the values; of tensors their shapes."""
        if op.name == _CALCULATE:
            (block,) = op.regions[1].blocks
            given = self._block(block, values)
            values.update(zip(op.results, given, strict=True))
            return
        structured = _STRUCTURED.get(op.name)
        if structured is not None:
            values.update(zip(op.results, structured(self, op, values), strict=True))
            return
        operands = [values.get(operand, _UNKNOWN) for operand in op.operands]
        operation = OPERATIONS.get(op.name)
        if operation is None or any(each is _UNKNOWN for each in operands):
            values.update((result, _stated(result)) for result in op.results)
            return
        given = operation(op, operands)
        results = list(given) if len(op.results) > 1 else [given]
        values.update(zip(op.results, results, strict=len(op.results) > 0))

    def _block(self, block: Any, values: dict[Any, Any]) -> list[Any]:
        """What the last operation of a block is given."""
        operations = [each.operation for each in block.operations]
        for op in operations[:-1]:
            self._run(op, values)
        return [values.get(operand, _UNKNOWN) for operand in operations[-1].operands]

    def call(self, op: Any, values: dict[Any, Any]) -> list[Any]:
        """A call of another function."""
        name = ir.FlatSymbolRefAttr(op.attributes["callee"]).value
        (block,) = self.by_name[name].regions[0].blocks
        given = [values.get(operand, _UNKNOWN) for operand in op.operands]
        return self._block(block, dict(zip(block.arguments, given, strict=True)))

    def branch(self, op: Any, values: dict[Any, Any]) -> list[Any]:
        """One of two blocks, by a condition."""
        condition = values.get(op.operands[0], _UNKNOWN)
        if condition is _UNKNOWN:
            raise ShapeError("which way it goes is known only when the model runs")
        (block,) = op.regions[0 if condition else 1].blocks
        return self._block(block, values)

    def loop(self, op: Any, values: dict[Any, Any]) -> list[Any]:
        """A block that runs some number of times, while a condition holds."""
        most, going, *carried = (values[operand] for operand in op.operands)
        (block,) = op.regions[0].blocks
        number = 0
        while going and number < most:
            values.update(zip(block.arguments, [number, *carried], strict=True))
            going, *carried = self._block(block, values)
            number += 1
        return carried


_STRUCTURED = {
    "func.call": _Functions.call,
    "torch.prim.If": _Functions.branch,
    "torch.prim.Loop": _Functions.loop,
}
_UNKNOWN = object()
"""A value that is known only when the model runs."""


def _dims(value: Any) -> list[int | None] | None:
    """The sizes that a tensor's type says; None for an unknown rank."""
    match = _DIMS.match(str(value.type))
    if match is None:
        return None
    texts = [text for text in match[1].split(",") if text]
    return [None if text == "?" else int(text) for text in texts]


def stated_shape(value: Any) -> Shape | None:
    """The shape of a tensor if its type has one of numbers."""
    dims = _dims(value) if str(value.type).startswith(_TENSOR) else None
    return None if dims is None or None in dims else tuple(d for d in dims if d is not None)


def _stated(value: Any) -> Any:
    shape = stated_shape(value)
    return _UNKNOWN if shape is None else list(shape)


def _checked(op: Any, result: Any, values: dict[Any, Any]) -> Shape | None:
    """The shape of a result, which must be the one that its type says."""
    if not str(result.type).startswith(_TENSOR):
        return None
    found = values[result]
    if found is _UNKNOWN:
        raise UnsupportedModelError(
            f"the shape of what {place_of_op(op)} gives ({op.name.removeprefix('torch.')}) is "
            "known only when the model runs; canao compiles models whose shapes depend on those of "
            "their inputs alone"
        )
    stated = _dims(result)
    fits = stated is None or (
        len(stated) == len(found)
        and all(said in (None, extent) for said, extent in zip(stated, found, strict=True))
    )
    if not fits:
        raise UnsupportedModelError(
            f"{place_of_op(op)} gives a tensor of shape {tuple(found)}, and its type says "
            f"{result.type}; compile it for fixed shapes"
        )
    return tuple(found)
