"""Tells when tensors of a model were written, also where PyTorch does not count it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

import numpy as np
import numpy.typing as npt
import torch

_Words = npt.NDArray[np.unsignedinteger]

_SAMPLES = 64
"""Elements of each tensor that every look compares."""
WINDOW = 1 << 19
"""Bytes that every look reads in full, in turn."""


class WeightWatch:
    """Tells when one of some tensors is replaced or written in place.

    PyTorch counts writes in place, and a replaced tensor is elsewhere: those are
    seen at once. Writes through `.data` and through numpy are not counted. Each look
    compares elements at equal distances, and reads the next `WINDOW` bytes of all
    tensors in full: what changes many elements is seen at once, what changes one at
    the latest when the windows have gone round. Up to `WINDOW` bytes of weights that is
    the next look.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._marks = [_mark(tensor) for tensor in tensors]
        memory = [_memory(tensor) for tensor in tensors]
        self._samples = [words[:: max(1, words.size // _SAMPLES)] for words in memory]
        self._sampled = [sample.tobytes() for sample in self._samples]
        pieces = [piece for words in memory for piece in _pieces(words)]
        self._turns = cycle([(window, _hash(window)) for window in _joined(pieces)])

    def has_changed(self, tensors: Sequence[torch.Tensor]) -> bool:
        """Whether the tensors are not the same, or not as they were, as far as this look sees."""
        if any(_mark(t) != mark for t, mark in zip(tensors, self._marks, strict=True)):
            return True
        pairs = zip(self._samples, self._sampled, strict=True)
        if any(sample.tobytes() != kept for sample, kept in pairs):
            return True
        return any(_hash(window) != kept for window, kept in islice(self._turns, 1))


def _mark(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version


def _memory(tensor: torch.Tensor) -> _Words:
    """A view of the memory from the first to the last element, whatever the strides are."""
    size = tensor.element_size()
    word = np.dtype(f"u{min(size, 8)}")
    if not tensor.numel():
        return np.empty(0, word)
    reach = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    first = tensor.storage_offset() * size
    data = torch.tensor([], dtype=torch.uint8).set_(tensor.untyped_storage())
    return data.numpy()[first : first + (reach + 1) * size].view(word)


def _pieces(words: _Words) -> list[_Words]:
    step = WINDOW // words.itemsize
    return [words[n : n + step] for n in range(0, words.size, step)]


def _joined(pieces: Sequence[_Words]) -> list[list[_Words]]:
    """Neighbours together, as many as `WINDOW` bytes hold."""
    windows: list[list[_Words]] = []
    room = 0
    for piece in pieces:
        if piece.nbytes > room:
            windows.append([])
            room = WINDOW
        windows[-1].append(piece)
        room -= piece.nbytes
    return windows


def _hash(window: Sequence[_Words]) -> int:
    return hash(tuple(hash(piece.tobytes()) for piece in window))
