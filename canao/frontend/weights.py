"""The data of weights, outside the IR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from canao.dialects.canao.names import shown_name
from canao.errors import UnsupportedModelError
from canao.frontend.dtypes import (
    NARROW_FLOATS,
    Array,
    Widened,
    check_dtype,
    computed_array,
    dtype_name,
    storage_problem,
)

if TYPE_CHECKING:
    import torch


_SMALL = 64
"""Tensors of up to so many elements that are no parameters become constants."""
_SMALL_INTEGERS = 4096
"""The same for integers and bools: positions and masks fold when their values are known."""


def is_small(floats: bool, size: int) -> bool:
    """Whether a tensor of `size` elements, floats or integers, may become a constant of the IR."""
    return 0 < size <= (_SMALL if floats else _SMALL_INTEGERS)


class WeightStore(Mapping[str, Array]):
    """Weights by name, as arrays that share the memory of the model's tensors.

    The arrays keep that memory alive. Only tensors that are not dense and
    row-major, integers narrower than 64 bits and floats narrower than 32 are copied.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._names: dict[tuple[object, ...], str] = {}
        self.ties: dict[str, str] = {}
        """Names of memory that another name stands for."""
        self.folded: dict[str, Array] = {}
        """Copies of weights that were forgotten since the IR holds their values."""
        self._dtypes: dict[str, str] = {}

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def add(self, name: str, tensor: torch.Tensor) -> str:
        """Stores a tensor; returns its name, the older one for memory seen before."""
        array = array_of(name, tensor)
        same = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        known = self._names.get(same)
        if known is not None and tensor.numel() > 0:
            self.ties[name] = known
            return known
        self._names[same] = name
        self._arrays[name] = array
        self._dtypes[name] = dtype_name(tensor)
        return name

    def dtype_of(self, name: str) -> str:
        """The dtype that the model gives a weight."""
        return self._dtypes[name]

    def fold(self, name: str) -> None:
        """Forgets a weight whose values are in the IR now; `folded` keeps a copy."""
        self.folded[name] = self._arrays.pop(name).copy()

    def note_folded(self, name: str, tensor: torch.Tensor) -> None:
        """Keeps a copy of a weight that others were made from when the model was imported."""
        self.folded[name] = array_of(name, tensor).copy()
        self._dtypes[name] = dtype_name(tensor)

    @property
    def widened(self) -> tuple[Widened, ...]:
        """What is float32 here and narrower in the model, weights that the IR holds too."""
        return tuple(
            Widened("weight", name, dtype)
            for name, dtype in self._dtypes.items()
            if dtype in NARROW_FLOATS and (name in self._arrays or name in self.folded)
        )

    def discard(self, name: str) -> None:
        """Forgets a weight, if there is one of that name."""
        self._arrays.pop(name, None)


def array_of(name: str, tensor: torch.Tensor) -> Array:
    """The memory of a tensor as compiled code takes it; `name` goes into the error."""
    check_dtype(f"weight '{shown_name(name)}'", dtype_name(tensor))
    problem = storage_problem(tensor)
    if problem:
        raise UnsupportedModelError(f"weight '{shown_name(name)}' {problem}")
    return computed_array(tensor)
