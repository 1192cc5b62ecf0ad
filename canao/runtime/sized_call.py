"""A call whose inputs and results stay where they are, for sizes that vary from run to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from canao.program import TensorSpec
from canao.runtime.memory import aligned_empty
from canao.runtime.module import Pointers, pointers


class SizedCall:
    """Inputs to be filled, and results to be read, without copies from run to run.

    All have room for the largest sizes; what a run reads and writes is at the front of each
    dimension. Results have the shapes that `shapes` tells.
    """

    def __init__(
        self,
        run: Callable[[Pointers, Pointers], None],
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        symbols: Sequence[str],
    ) -> None:
        self._run = run
        self._outputs = tuple(outputs)
        self._symbols = tuple(symbols)
        made = [aligned_empty(spec.shape, spec.dtype) for spec in inputs]
        self.inputs = dict(zip((spec.name for spec in inputs), made, strict=True))
        """By the names of the inputs; whatever is in memory at first."""
        self.results = [aligned_empty(spec.shape, spec.dtype) for spec in outputs]
        self._sizes = np.zeros(len(self._symbols), np.int64)
        self._given = pointers([a.ctypes.data for a in (*made, self._sizes)])
        self._made = pointers([array.ctypes.data for array in self.results])

    def run(self, sizes: Mapping[str, int]) -> None:
        """Compute the results for values of the symbols, by name."""
        self._sizes[:] = [sizes[name] for name in self._symbols]
        self._run(self._given, self._made)

    def shapes(self, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
        """The shapes of the results for values of the symbols."""
        return [spec.shape_at(sizes) for spec in self._outputs]
