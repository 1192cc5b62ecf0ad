"""Aligned arrays, in memory and in mapped files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file

from canao.errors import InputFileError
from canao.runtime.memory import aligned, aligned_empty, is_aligned, lasting_empty
from canao.runtime.tensor_file import map_tensors, write_tensors

TENSORS: dict[str, npt.NDArray[Any]] = {
    "odd": np.arange(7, dtype=np.int64),
    "mask": np.array([True, False, True]),
    "matrix": np.arange(64, dtype=np.float32).reshape(4, 16),
    "double": np.array(3.5),
    "empty": np.zeros((0, 4), np.float32),
}


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5), (1200, 1000)])
def test_aligned_memory(shape: tuple[int, ...]) -> None:
    for array in (aligned_empty(shape, np.float32), lasting_empty(shape, np.float32)):
        assert array.shape == shape
        assert is_aligned(array)


def test_aligned_copies_only_what_it_must() -> None:
    array = aligned_empty((8, 16), np.float32)
    array.fill(1)
    assert aligned(array) is array
    for other in (array.T, array[:, 1:], array.reshape(-1)[1:]):
        copy = aligned(other)
        assert is_aligned(copy)
        np.testing.assert_array_equal(copy, other)


def test_tensors_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS)
    mapped = map_tensors(path)
    for name, array in load_file(path).items():
        np.testing.assert_array_equal(array, TENSORS[name])
    for name, array in TENSORS.items():
        assert is_aligned(mapped[name])
        assert mapped[name].dtype == array.dtype
        np.testing.assert_array_equal(mapped[name], array)
    assert not mapped["matrix"].flags.owndata
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_file(TENSORS, path, metadata={"format": "np"})
    for name, array in map_tensors(path).items():
        np.testing.assert_array_equal(array, TENSORS[name])


@pytest.mark.parametrize("keep", [0, 4, 60, -8])
def test_damaged_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputFileError, match=r"t\.safetensors.*save the model again"):
        map_tensors(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot map"):
        map_tensors(tmp_path / "none")
