"""Tensors of ONNX files: those in the file itself, and those in files beside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from canao.errors import InputFileError
from canao.frontend.dtypes import Array, check_dtype


def tensor_array(tensor: Any, file: Path) -> Array:
    """The values of a `TensorProto`; those in a file of their own are mapped, not read.

    `InputFileError` where they are missing, too few, or would lie outside the model's folder.
    """
    import onnx
    from onnx.numpy_helper import to_array

    what = f"tensor '{tensor.name}'"
    if any(extent < 0 for extent in tensor.dims):
        raise InputFileError(
            f"{file}: {what} has the shape {tuple(tensor.dims)}; sizes are 0 or more"
        )
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external(tensor, file, what)
    try:
        return to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise InputFileError(
            f"{file}: the values of {what} do not fit its type and its shape "
            f"{tuple(tensor.dims)} ({error}); write the file again"
        ) from error


def _external(tensor: Any, file: Path, what: str) -> Array:
    """The values of a tensor in the file that it names, mapped; writes stay in this process."""
    from onnx.helper import tensor_dtype_to_np_dtype

    dtype = np.dtype(tensor_dtype_to_np_dtype(tensor.data_type))
    check_dtype(f"{file}: {what}", dtype.name)
    given = {entry.key: entry.value for entry in tensor.external_data}
    offset = _number(given.get("offset") or "0", f"{file}: the offset of {what}")
    data = _beside(file, given.get("location", ""), what)
    count = 1
    for extent in tensor.dims:
        count *= extent
    size = count * dtype.itemsize
    length = _number(given.get("length") or str(size), f"{file}: the length of {what}")
    there = data.stat().st_size
    if length != size or offset + size > there:
        raise InputFileError(
            f"{file}: {what} of shape {tuple(tensor.dims)} takes {size} bytes, and {data} has "
            f"{max(0, min(length, there - offset))} for it; write or copy both files again"
        )
    if size == 0:
        return np.zeros(tuple(tensor.dims), dtype)
    try:
        whole = np.memmap(data, np.uint8, "c", offset, (size,))
    except (OSError, ValueError, OverflowError) as error:
        raise InputFileError(f"{data} cannot be read ({error}); check its permissions") from error
    # Copied where it is not aligned, as compiled code takes it.
    return np.require(whole.view(dtype).reshape(tuple(tensor.dims)), requirements=["A", "W"])


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise InputFileError(f"{what} is '{text[:40]}', which is no number; write the file again")
    return int(text)


def _beside(file: Path, location: str, what: str) -> Path:
    """The file of external data that a model names, which must lie in the model's folder.

    Links may lead to the folder that the model itself is linked to, as in caches of hubs.
    """
    named = PurePosixPath(location)
    path = file.parent / named
    folders = (file.parent.resolve(), file.resolve().parent)
    outside = named.is_absolute() or ".." in named.parts or "\0" in location or not location
    if outside or not any(path.resolve().is_relative_to(folder) for folder in folders):
        raise InputFileError(
            f"{file}: {what} names data in '{location}', and data must lie in the folder of the "
            "model; move it there and save the model again"
        )
    if not path.is_file():
        raise InputFileError(
            f"{file}: {what} has its values in {path}, which does not exist; copy it there, too"
        )
    return path
