"""What programs are measured on: the same random numbers for all, and whether results agree."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from canao.dialects.canao import WeightOp
from canao.lowering.specs import tensor_specs
from canao.program import TensorSpec
from canao.runtime.memory import lasting_empty
from canao.runtime.module import Array
from canao.runtime.parse import parse_module
from canao.runtime.weights import prepare_arrays
from canao.tuning.agreement import disagreement

UNWRITTEN = 0xFF
"""Outputs are filled with this byte before a program's first run: NaN, -1, no bool."""
_WEIGHT_BYTES = 24 << 20
"""Weights are copied up to this size and used in turn: in a model, too, other
layers' weights push them out of the caches between two calls."""
_MOST_COPIES = 16


class Arguments:
    """Inputs, outputs and weights of programs that compute the same; they share what they can."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[Any, ...], Array] = {}
        self._prepared: dict[str, list[Array]] = {}
        """Weights in the layout of a program, by the text that makes them."""
        self._expected: list[Array] | None = None
        self._random = np.random.default_rng(0)

    def inputs(self, specs: Sequence[TensorSpec], sizes: Sequence[int]) -> list[Array]:
        """The inputs; where lengths vary the last has the sizes, the same for all programs."""
        arrays = [self._array("input", n, spec) for n, spec in enumerate(specs)]
        if sizes:
            arrays[-1][:] = sizes
        return arrays

    def outputs(self, specs: Sequence[TensorSpec]) -> list[Array]:
        """Room for outputs, in which nothing looks as if it had been computed."""
        arrays = [self._array("output", n, spec) for n, spec in enumerate(specs)]
        for array in arrays:
            array.view(np.uint8).fill(UNWRITTEN)
        return arrays

    def weights(self, specs: Sequence[TensorSpec], prepare: str) -> list[Array]:
        """The weights in the layout that the text `prepare` makes, from the same numbers."""
        if prepare not in self._prepared:
            plain: dict[str, Array] = {}
            for op in parse_module(prepare).walk():
                if isinstance(op, WeightOp):
                    (spec,) = tensor_specs("", [op.result.type])
                    plain[op.sym.data] = self._array(op.sym.data, 0, spec)
            self._prepared[prepare] = prepare_arrays(specs, prepare, plain)
        return self._prepared[prepare]

    def _array(self, role: str, number: int, spec: TensorSpec) -> Array:
        """An argument; programs that take the same one share it."""
        key = (role, number, spec.dtype, spec.shape)
        if key not in self._arrays:
            self._arrays[key] = self._made(spec)
        return self._arrays[key]

    def _made(self, spec: TensorSpec) -> Array:
        """Random numbers away from zero; zeros for indices, which any table has."""
        array = lasting_empty(spec.shape, spec.dtype)
        if array.dtype.kind == "f":
            array[...] = self._random.random(spec.shape, np.float32) + 0.125
        else:
            array.fill(spec.dtype == "bool")
        return array

    def wrong(self, outputs: Sequence[Array], shapes: Sequence[Sequence[int]]) -> str:
        """What is wrong with the outputs of a program; those of the first one are right.

        Of each only the front of `shapes` counts: what lies behind the last point means nothing.
        """
        made = [
            array[tuple(map(slice, shape))] for array, shape in zip(outputs, shapes, strict=True)
        ]
        if self._expected is None:
            self._expected = [array.copy() for array in made]
            return ""
        return disagreement(made, self._expected)


def copies_of(arrays_bytes: int) -> int:
    """How many copies of weights are used in turn."""
    if not arrays_bytes:
        return 1
    return min(_MOST_COPIES, max(1, ceil(_WEIGHT_BYTES / arrays_bytes)))
