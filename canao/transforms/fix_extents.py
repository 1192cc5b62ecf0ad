"""Pass `fix-extents`: symbols become numbers.

Before: `tensor<?x8xf32, #canao.extents<[sequence, 8], sequence in 1 to 512>>`; after
`fix-extents{sizes="sequence=17"}`: `tensor<17x8xf32>`. This is what a module with symbols
means: for all values of the symbols, what it is with these values put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from canao.dialects.canao.symbolic import shape_of_type, tensor_type
from canao.errors import ShapeMismatchError
from canao.extent import at, symbols_in


def fix_extents(module: ModuleOp, sizes: Mapping[str, int]) -> None:
    """Puts numbers in place of the symbols of a module, by name.

    `ShapeMismatchError` for a symbol without a number, or with one out of its range.
    """
    for op in module.walk():
        for value in op.results:
            Rewriter.replace_value_with_new_type(value, _fixed(value.type, sizes))
        for block in (block for region in op.regions for block in region.blocks):
            for argument in block.args:
                Rewriter.replace_value_with_new_type(argument, _fixed(argument.type, sizes))
        if isinstance(op, FuncOp):
            inputs, outputs = op.function_type.inputs, op.function_type.outputs
            op.function_type = FunctionType.from_lists(
                [_fixed(t, sizes) for t in inputs], [_fixed(t, sizes) for t in outputs]
            )


def _fixed(given: Attribute, sizes: Mapping[str, int]) -> Attribute:
    if not isinstance(given, TensorType):
        return given
    shape = shape_of_type(given)
    for symbol in symbols_in(shape):
        check_size(symbol.name, sizes.get(symbol.name), symbol.low, symbol.high)
    return tensor_type(given.element_type, [at(extent, sizes) for extent in shape])


def check_size(name: str, size: int | None, low: int, high: int) -> None:
    """A `ShapeMismatchError` for a size that a dimension does not have."""
    if size is None:
        raise ShapeMismatchError(f"dimension '{name}' has no size; give one from {low} to {high}")
    if not low <= size <= high:
        raise ShapeMismatchError(
            f"dimension '{name}' is {size}, and must be from {low} to {high}; give a size in this "
            "range, or compile for another one"
        )


@dataclass(frozen=True)
class FixExtentsPass(ModulePass):
    """Puts numbers in place of symbols: `fix-extents{sizes="batch=2","sequence=17"}`."""

    name = "fix-extents"

    sizes: tuple[str, ...] = ()
    """Each as `name=number`."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        fix_extents(op, dict(map(_size, self.sizes)))


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise ShapeMismatchError(f"'{text}' is no size; write name=number, such as sequence=17")
    return name, int(number)
