"""The data of weights, outside the IR."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from canao.errors import UnsupportedModelError
from canao.frontend.convention import computed_dtype

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.generic]

_DTYPES = ("float32", "float64", "bool", "int64", "int32", "int16", "int8", "uint8")


class WeightStore(Mapping[str, Array]):
    """Weights by name, as arrays that share the memory of the model's tensors.

    The arrays keep that memory alive. Only tensors that are not dense and
    row-major, and integers narrower than 64 bits, are copied.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._names: dict[tuple[object, ...], str] = {}
        self.ties: dict[str, str] = {}
        """Names of memory that another name stands for."""
        self.folded: dict[str, Array] = {}
        """Copies of weights that were forgotten since the IR holds their values."""

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
        return name

    def fold(self, name: str) -> None:
        """Forgets a weight whose values are in the IR now; `folded` keeps a copy."""
        self.folded[name] = self._arrays.pop(name).copy()

    def discard(self, name: str) -> None:
        """Forgets a weight, if there is one of that name."""
        self._arrays.pop(name, None)


def array_of(name: str, tensor: torch.Tensor) -> Array:
    """The memory of a tensor as compiled code takes it; `name` goes into the error."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in _DTYPES:
        raise UnsupportedModelError(
            f"weight '{name}' has dtype {dtype}; canao compiles {', '.join(_DTYPES)}: convert "
            "the model first, for example by model.float()"
        )
    if tensor.device.type != "cpu":
        raise UnsupportedModelError(
            f"weight '{name}' is on {tensor.device}; move the model by model.cpu() first"
        )
    array = np.ascontiguousarray(tensor.detach().numpy(), computed_dtype(dtype))
    return array.reshape(tuple(tensor.shape))
