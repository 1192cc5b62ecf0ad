"""One text of a compiled decoder, with keys and values that stay where they are."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.decoding.decoder import Decoder
from canao.errors import UnsupportedModelError
from canao.runtime.module import Array
from canao.runtime.sized_call import SizedCall

Logits = npt.NDArray[np.float32]

_HIDDEN = float(np.finfo(np.float32).min)


class Stream:
    """What one conversation has seen: tokens are fed to it, logits come back.

    Its keys and values lie in memory for the longest stream, of which a page is taken when it is
    first needed.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._call: SizedCall = decoder.model.sized_call()
        self._indices = [result.index for result in decoder.model.convention.results]
        # Seen alike: (batch, heads, tokens, width).
        inputs, layers = self._call.inputs, range(decoder.layers)
        self._tables = [inputs[f"keys.{layer}"].swapaxes(2, 3) for layer in layers]
        self._tables += [inputs[f"values.{layer}"] for layer in layers]
        for table in self._tables:
            table[:, :, 0] = 0
        mask = self._call.inputs["mask"]
        mask[:] = 0
        mask[0] = _HIDDEN
        self.seen = 0
        """Tokens that were fed."""

    def feed(self, tokens: Array | list[int], positions: Array | None = None) -> Logits:
        """The logits, of shape (vocabulary,), after some more tokens; at least one.

        `positions` has the number of each; they go on from those seen if left out.
        """
        ids = np.asarray(tokens, np.int64)
        if ids.ndim != 1 or not ids.size:
            raise UnsupportedModelError("a stream takes one token or more at a time, as a list")
        after = self.seen + len(ids)
        if after > self._decoder.longest:
            raise UnsupportedModelError(
                f"{after} tokens are more than the {self._decoder.longest} of a stream; give a "
                "shorter text, or compile for a longer one: max_length of a CompiledGenerator, "
                "canao.AutoShapes(sequence=...) elsewhere"
            )
        places = np.arange(self.seen, after) if positions is None else positions
        most = self._decoder.chunk
        for start in range(0, len(ids), most):
            self._run(ids[start : start + most], places[start : start + most])
        return np.array(self._call.results[self._indices[0]], np.float32)

    def _run(self, ids: Array, positions: Array) -> None:
        new, past = len(ids), self.seen + 1
        inputs = self._call.inputs
        inputs["input_ids"][0, :new] = ids
        inputs["position_ids"][0, :new] = positions
        inputs["last"][0] = new - 1
        self._call.run({"sequence": new, "past": past})
        for table, index in zip(self._tables, self._indices[1:], strict=True):
            table[:, :, past : past + new] = self._call.results[index][:, :, :new]
        self.seen += new

    def forget(self, tokens: int) -> None:
        """Go back by some tokens, as if they had not been fed."""
        self.seen -= tokens

    def take_from(self, other: Stream) -> None:
        """See what another stream of the same decoder has seen, and nothing else."""
        for mine, its in zip(self._tables, other._tables, strict=True):
            mine[:, :, 1 : other.seen + 1] = its[:, :, 1 : other.seen + 1]
        self.seen = other.seen

    def __deepcopy__(self, memo: dict[int, Any]) -> Stream:
        """A stream of the same decoder that has seen the same; they go on apart."""
        made = Stream(self._decoder)
        made.take_from(self)
        return made

    def __copy__(self) -> Stream:
        return copy.deepcopy(self)
