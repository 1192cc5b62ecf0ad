"""The inputs on which new code is tried: the examples, on their way to the child that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from canao.runtime.module import Array
from canao.runtime.tensor_file import map_tensors, write_tensors


def write_examples(path: Path, examples: Sequence[Array]) -> None:
    """Writes the flat inputs of a program to a file; none if there are no examples."""
    write_tensors(path, {str(number): array for number, array in enumerate(examples)})


def fill_with_examples(inputs: Sequence[Array], path: Path) -> None:
    """Copies the bytes of the examples in a file to `inputs`, which stay as they are without."""
    given = map_tensors(path)
    for number, array in enumerate(inputs):
        if str(number) in given:
            _bytes_of(array)[...] = _bytes_of(given[str(number)])


def _bytes_of(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)
