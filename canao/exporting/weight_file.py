"""The file of weights of an exported program: a header that says what it is, then the weights.

`support/weights.c` says what is in the header.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from canao.files import replacing
from canao.program import Program
from canao.runtime.memory import ALIGNMENT
from canao.runtime.module import Array

NAME = "weights.bin"
_MAGIC = b"CANAOW\x1a\n"
_VERSION = 1
_HEADER = struct.Struct("<8sIIQII32s")


@dataclass(frozen=True)
class WeightFile:
    """What a program must know of its weights."""

    offsets: tuple[int, ...]
    """Where each begins in the file."""
    bytes: int
    """Size of the file."""
    crc32: int
    """Of all that follows the header."""
    program: bytes
    """The SHA-256 of what the program expects, which the file has too."""


def write_weights(path: Path, program: Program, weights: Sequence[Array]) -> WeightFile:
    """Write the weights to a file in one step."""
    offsets = _offsets(weights)
    expected = _expected(program, offsets)
    checksum = 0
    with replacing(path) as new, new.open("wb") as file:
        file.write(bytes(_HEADER.size))
        for offset, array in zip(offsets, weights, strict=True):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            data = np.ascontiguousarray(little).reshape(-1).view(np.uint8)
            for part in (bytes(offset - file.tell()), data.data):
                file.write(part)
                checksum = zlib.crc32(part, checksum)
        size = file.tell()
        header = _HEADER.pack(_MAGIC, _VERSION, _HEADER.size, size, checksum, 0, expected)
        file.seek(0)
        file.write(header)
    return WeightFile(tuple(offsets), size, checksum, expected)


def _offsets(weights: Sequence[Array]) -> list[int]:
    offsets: list[int] = []
    end = _HEADER.size
    for array in weights:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + array.nbytes
    return offsets


def _expected(program: Program, offsets: Sequence[int]) -> bytes:
    """Tells programs apart that expect other weights: by their code and by where weights lie."""
    parts = [program.source, program.prepare]
    parts += [
        f"{spec.dtype} {spec.shape} {offset}"
        for spec, offset in zip(program.weights, offsets, strict=True)
    ]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).digest()
