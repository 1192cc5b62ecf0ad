"""Example inputs of a model whose dimensions vary, at other sizes than they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from canao.errors import ShapeMismatchError
from canao.extent import Symbol, at, symbols_in
from canao.runtime.rooms import Array, Shape, in_rooms


def sizes_of(symbols: Sequence[Symbol], placed: Sequence[Array]) -> dict[str, int]:
    """The values of the symbols in inputs as compiled code takes them; its last input has them."""
    if not symbols:
        return {}
    names = (symbol.name for symbol in symbols)
    return dict(zip(names, map(int, placed[-1]), strict=True))


def resized(
    symbols: Sequence[Symbol],
    shapes: Sequence[Shape],
    placed: Sequence[Array],
    sizes: Mapping[str, int],
) -> list[Array]:
    """Inputs as compiled code takes them, cut or repeated from their beginning to other sizes.

    `shapes` are those of the inputs, and `sizes` are values of symbols by name; the other symbols
    keep theirs. `ShapeMismatchError` for a name or a value that there is none of.
    """
    _check(symbols, sizes)
    before = sizes_of(symbols, placed)
    after = before | dict(sizes)
    arrays = [_fitted(a, s, before, after) for a, s in zip(placed, shapes, strict=False)]
    return in_rooms(shapes, arrays, after)


def _fitted(
    room: Array, shape: Shape, before: Mapping[str, int], after: Mapping[str, int]
) -> Array:
    if not symbols_in(shape):
        return room
    array = room[tuple(slice(at(extent, before)) for extent in shape)]
    for axis, extent in enumerate(shape):
        array = np.take(array, np.arange(at(extent, after)), axis=axis, mode="wrap")
    return array


def _check(symbols: Sequence[Symbol], sizes: Mapping[str, int]) -> None:
    known = {symbol.name: symbol for symbol in symbols}
    for name, value in sizes.items():
        symbol = known.get(name)
        if symbol is None:
            varies = ", ".join(known) or "none"
            raise ShapeMismatchError(
                f"'{name}' is no dimension that varies (there are: {varies}); leave it out, or "
                "compile with dynamic_shapes"
            )
        if not symbol.low <= value <= symbol.high:
            raise ShapeMismatchError(
                f"{name} is {value}, and must be from {symbol.low} to {symbol.high}: give a size "
                "in this range, or compile for a larger one"
            )
