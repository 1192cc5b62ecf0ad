"""Inputs whose shapes depend on symbols, put where compiled code expects them.

Compiled code has room for the largest sizes: its strides never change. An input is copied to the
front of its room, and the sizes of the call become one more input. Rooms are kept from call to
call: to get memory of the largest sizes anew takes longer than a short call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from canao.errors import ShapeMismatchError
from canao.extent import Extent, Symbol, at, stored_extent, symbols_in
from canao.program import TensorSpec
from canao.runtime.memory import aligned_empty

Array = npt.NDArray[np.generic]
Shape = tuple[int, ...]


def symbols_of(shapes: Sequence[Shape]) -> tuple[Symbol, ...]:
    """The symbols that shapes depend on, in the order in which compiled code takes their values."""
    return symbols_in(extent for shape in shapes for extent in shape)


def bind_sizes(
    names: Sequence[str], shapes: Sequence[Shape], given: Sequence[Shape]
) -> dict[str, int]:
    """The values of the symbols for which inputs of some `shapes` are as `given`, by name.

    `names` are those of the inputs. `ShapeMismatchError` where there are none: a size out of its
    range, dimensions that must be equal and are not, a shape that no sizes make.
    """
    sizes: dict[str, int] = {}
    where: dict[str, str] = {}
    for name, shape, actual in zip(names, shapes, given, strict=True):
        if len(shape) != len(actual):
            raise _unfit(name, shape, actual)
        for axis, (extent, size) in enumerate(zip(shape, actual, strict=True)):
            found = _solved(extent, size)
            if found is None:
                continue
            symbol, value = found
            place = f"dimension {axis} of '{name}'"
            if value is None or not symbol.low <= value <= symbol.high:
                raise ShapeMismatchError(
                    f"{place} is {size}, and must be {_wanted(extent, symbol)}: give a size in "
                    "this range, or compile for a larger one"
                )
            if sizes.setdefault(symbol.name, value) != value:
                raise ShapeMismatchError(
                    f"{place} is {size}, but {where[symbol.name]} makes '{symbol.name}' "
                    f"{sizes[symbol.name]}: give inputs of one size"
                )
            where.setdefault(symbol.name, place)
    for name, shape, actual in zip(names, shapes, given, strict=True):
        missing = [s.name for s in symbols_in(shape) if s.name not in sizes]
        if missing or tuple(at(extent, sizes) for extent in shape) != actual:
            raise _unfit(name, shape, actual)
    return sizes


def _solved(extent: int, size: int) -> tuple[Symbol, int | None] | None:
    """The symbol of an extent `a * symbol + b`, and the value that makes it a size.

    None for other extents; no value where none makes it that size.
    """
    if not isinstance(extent, Extent) or len(extent.symbols) != 1:
        return None
    (symbol,) = extent.symbols
    factors = {len(monomial): factor for monomial, factor in extent.terms}
    if set(factors) - {0, 1}:
        return None
    value, rest = divmod(size - factors.get(0, 0), factors[1])
    return symbol, None if rest else value


def _wanted(extent: int, symbol: Symbol) -> str:
    text = f"from {symbol.low} to {symbol.high}"
    return text if str(extent) == symbol.name else f"{extent}, with {symbol.name} {text}"


def _unfit(name: str, shape: Shape, actual: Shape) -> ShapeMismatchError:
    wanted = ", ".join(str(extent) for extent in shape)
    return ShapeMismatchError(
        f"input '{name}' must have shape ({wanted}), got {actual}: give such a shape, or compile "
        "again with an example of this one"
    )


def in_rooms(
    shapes: Sequence[Shape], arrays: Sequence[Array], sizes: Mapping[str, int]
) -> list[Array]:
    """The inputs of compiled code: arrays in rooms of the largest sizes, and then the sizes.

    The arrays themselves where shapes depend on nothing.
    """
    if not symbols_of(shapes):
        return list(arrays)
    return Rooms(shapes, [array.dtype.name for array in arrays], ()).place(arrays, sizes)


class Rooms:
    """Rooms of the largest sizes for the inputs and results of a call, used for one at a time."""

    def __init__(
        self, shapes: Sequence[Shape], dtypes: Sequence[str], outputs: Sequence[TensorSpec]
    ) -> None:
        self._inputs = [
            _room(shape, dtype) if symbols_in(shape) else None
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        self._outputs = tuple(outputs)
        self._names = [symbol.name for symbol in symbols_of(shapes)]
        self._sizes = np.zeros(len(self._names), np.int64)
        self.results = [aligned_empty(spec.shape, spec.dtype) for spec in outputs]
        """What compiled code writes."""

    def place(self, arrays: Sequence[Array], sizes: Mapping[str, int]) -> list[Array]:
        """What compiled code reads: the arrays, at the front of their rooms, and the sizes."""
        placed: list[Array] = []
        for room, array in zip(self._inputs, arrays, strict=True):
            if room is None:
                placed.append(array)
                continue
            room[tuple(map(slice, array.shape))] = array
            placed.append(room)
        self._sizes[:] = [sizes[name] for name in self._names]
        return [*placed, self._sizes]

    def copied(self, sizes: Mapping[str, int]) -> list[Array]:
        """The results, each as large as it is for these sizes, in memory of its own."""
        pairs = zip(self.results, self._outputs, strict=True)
        return [np.array(r[tuple(map(slice, spec.shape_at(sizes)))]) for r, spec in pairs]


def _room(shape: Shape, dtype: str) -> Array:
    return aligned_empty(tuple(map(stored_extent, shape)), dtype)


class RoomPool:
    """Rooms that calls take and give back, as many as there are calls at one time."""

    def __init__(self, make: Callable[[], Rooms]) -> None:
        self._make = make
        self._free: list[Rooms] = []

    @contextmanager
    def taken(self) -> Generator[Rooms]:
        """Rooms for one call."""
        try:
            rooms = self._free.pop()
        except IndexError:
            rooms = self._make()
        try:
            yield rooms
        finally:
            self._free.append(rooms)
