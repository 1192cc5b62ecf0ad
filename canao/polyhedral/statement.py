"""Programs as plain data: arrays, and statements that read and write them.

A statement stands for all its instances, one a point of its dimensions. In the
program as written the statements run one after another, the instances of one
in lexicographic order. The rest of the package turns this into isl sets and
maps and reasons about other orders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from canao.polyhedral.index import Index, Variable

_NAME = re.compile(r"[A-Za-z_]\w*")
_RESERVED = re.compile(
    "and|ceild?|eq|exists|false|floord?|implies|infinity|infty|l[et]|g[et]|max|min|mod|NaN|n[eo]|"
    "not|or|rat|true"
)


@dataclass(frozen=True)
class Array:
    """A buffer of `shape`.

    `given`: it holds values before the first statement runs.
    `private`: every parallel task has a copy of its own, which holds nothing
    when the task starts. `window[r]` is then the number of the band dimension
    whose part of dimension `r` the copy has room for, or None for all of it.
    `holder`: another array of the same shape in whose memory it lies, element by
    element; its own if empty.
    """

    name: str
    shape: tuple[int, ...]
    element_bytes: int = 4
    given: bool = False
    private: bool = False
    window: tuple[int | None, ...] = ()
    holder: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class Access:
    """One access of an array by a statement.

    `index[r]` is a function of the statement's dimensions; None where it is
    known only when running, which stands for every index within the shape.
    """

    array: str
    index: tuple[Index | None, ...]

    def __str__(self) -> str:
        return f"{self.array}[{', '.join('?' if i is None else str(i) for i in self.index)}]"


@dataclass(frozen=True)
class Statement:
    """Reads, computes, writes; once for every point of `dims`.

    The first `parallel` dimensions are independent, the others are reduced. A
    `reduction` combines by an associative, commutative operation: its instances
    accumulate into what they write, in any order.
    """

    name: str
    dims: tuple[Variable, ...]
    parallel: int
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    reduction: bool = False

    def __post_init__(self) -> None:
        for name in (self.name, *(v.name for v in self.dims)):
            check_name(name)

    @property
    def extents(self) -> tuple[int, ...]:
        """The length of every dimension."""
        return tuple(v.extent for v in self.dims)

    def written(self, array: str) -> tuple[Access, ...]:
        """The writes to one array."""
        return tuple(a for a in self.writes if a.array == array)

    def read(self, array: str) -> tuple[Access, ...]:
        """The reads of one array."""
        return tuple(a for a in self.reads if a.array == array)


@dataclass(frozen=True)
class Program:
    """Statements in the order in which they are written, and their arrays.

    Arrays that no statement writes are given.
    """

    statements: tuple[Statement, ...]
    arrays: tuple[Array, ...]
    by_name: dict[str, Array] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for what in ([s.name for s in self.statements], [a.name for a in self.arrays]):
            twice = next((a for a, b in pairwise(sorted(what)) if a == b), None)
            if twice is not None:
                raise ValueError(f"two statements or two arrays have the name {twice}")
        object.__setattr__(self, "by_name", {a.name: a for a in self.arrays})
        for array in self.arrays:
            holder = self.by_name.get(array.holder, array)
            if (array.holder and holder is array) or holder.shape != array.shape:
                raise ValueError(f"{array.name} cannot lie in the memory of {array.holder}")
        for statement in self.statements:
            for access in (*statement.reads, *statement.writes):
                array = self.by_name.get(access.array)
                if array is None or len(array.shape) != len(access.index):
                    raise ValueError(f"{statement.name} uses {access}, which is no array's element")

    def made(self, array: str) -> bool:
        """Whether some statement writes an array."""
        return any(s.written(array) for s in self.statements)


def check_name(name: str) -> None:
    """Raises `ValueError` unless isl can read a name as one."""
    if _NAME.fullmatch(name) is None or _RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a statement, a dimension or an array in isl")


def element(name: str, coordinates: Sequence[int]) -> str:
    """An instance or an element in words: `add[1, 0]`."""
    return f"{name}[{', '.join(str(c) for c in coordinates)}]"
