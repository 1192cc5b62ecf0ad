"""Where the elements of a value lie in its buffer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.ir import SSAValue

from canao.dialects.canao.types import shape_of
from canao.extent import stored_extent
from canao.polyhedral.index import Index, linearise


def stored_shape(value: SSAValue) -> tuple[int, ...]:
    """The shape of a value in memory."""
    return tuple(map(stored_extent, shape_of(value)))


class Layout(ABC):
    """Maps an index of a value to a position in a flat buffer."""

    @abstractmethod
    def position(self, index: Sequence[Index]) -> Index:
        """The position of an element."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Elements in the buffer."""


@dataclass(frozen=True)
class Dense(Layout):
    """Row-major."""

    shape: tuple[int, ...]

    def position(self, index: Sequence[Index]) -> Index:
        return linearise(index, self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Window(Layout):
    """The part of a value that one task makes, dense.

    `base` is the first index of the part, `extents` its shape. `order` has its
    dimensions, slowest first; row-major if None.
    """

    base: tuple[Index, ...]
    extents: tuple[int, ...]
    order: tuple[int, ...] | None = None

    def position(self, index: Sequence[Index]) -> Index:
        order = range(len(self.extents)) if self.order is None else self.order
        return linearise([index[r] - self.base[r] for r in order], [self.extents[r] for r in order])

    @property
    def size(self) -> int:
        return prod(self.extents)


@dataclass(frozen=True)
class Shifted(Layout):
    """Another layout that begins at element `start` of a buffer; something else lies before it."""

    layout: Layout
    start: int

    def position(self, index: Sequence[Index]) -> Index:
        return self.layout.position(index) + self.start

    @property
    def size(self) -> int:
        return self.start + self.layout.size


@dataclass(frozen=True)
class Panels(Layout):
    """A matrix in panels of columns, `[n / width][k][width]`, as `canao.pack` makes."""

    rows: int
    columns: int
    width: int

    def position(self, index: Sequence[Index]) -> Index:
        row, column = index
        panel, inner = column // self.width, column % self.width
        return panel * (self.rows * self.width) + row * self.width + inner

    @property
    def size(self) -> int:
        return -(-self.columns // self.width) * self.rows * self.width
