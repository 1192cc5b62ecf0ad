"""Safetensors files that are mapped, not read.

The format allows any order and a padded header, so tensors are written such
that emitted code can use most of them where they are mapped.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.errors import InputFileError
from canao.files import replacing
from canao.runtime.memory import ALIGNMENT, aligned
from canao.storage_types import STORAGE_TYPES

Array = npt.NDArray[np.generic]

_TAGS = {
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "bool": "BOOL",
    **{stored.name: stored.element.upper() for stored in STORAGE_TYPES.values()},
}
_DTYPES = {tag: name for name, tag in _TAGS.items()}


def write_tensors(path: Path, tensors: Mapping[str, Array]) -> None:
    """Write `tensors` to `path`, replacing it in one step."""
    # Whole multiples of the alignment first: all of those stay aligned.
    names = sorted(tensors, key=lambda name: tensors[name].nbytes % ALIGNMENT != 0)
    header: dict[str, object] = {}
    offset = 0
    for name in names:
        array = tensors[name]
        end = offset + array.nbytes
        header[name] = {
            "dtype": _TAGS[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with replacing(path) as new, new.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in names:
            np.ascontiguousarray(tensors[name]).tofile(file)


def map_tensors(path: Path) -> dict[str, Array]:
    """The tensors of a safetensors file, aligned, mapped where that is possible."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path}: cannot map tensors: {error}; save the model again") from None
    try:
        length = int.from_bytes(data[:8], "little")
        if 8 + length > len(data):
            raise ValueError("the header is longer than the file")
        header: dict[str, Any] = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        return {name: _view(data, 8 + length, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{path}: not a sound safetensors file ({error}); save the model again"
        ) from None


def _view(data: mmap.mmap, base: int, entry: dict[str, Any]) -> Array:
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    shape = tuple(int(size) for size in entry["shape"])
    begin, end = entry["data_offsets"]
    count = prod(shape)
    if begin < 0 or end - begin != count * dtype.itemsize or base + end > len(data):
        raise ValueError("a tensor's offsets do not fit its shape or the file")
    if count == 0:
        return np.empty(shape, dtype)
    return aligned(np.frombuffer(data, dtype, count, base + begin).reshape(shape))
