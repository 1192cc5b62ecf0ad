"""A batch of texts as transformers has them: rows of equal length, padded on the left."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from canao.decoding.decoder import Decoder
from canao.decoding.stream import Logits, Stream
from canao.errors import ShapeMismatchError

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Rows:
    """A stream for each row of a batch; padding is never fed to it."""

    def __init__(self, decoder: Decoder, batch: int) -> None:
        self.decoder = decoder
        self._streams = [Stream(decoder) for _ in range(batch)]
        self._real: Mask = np.zeros((batch, 0), bool)
        """Which columns that were fed are tokens, not padding."""

    @property
    def batch(self) -> int:
        """How many rows there are."""
        return len(self._streams)

    @property
    def columns(self) -> int:
        """How many columns were fed, padding among them."""
        return self._real.shape[1]

    def feed(self, ids: Ids, mask: Mask | None, positions: Ids | None, keep: int) -> Logits:
        """The logits of the last `keep` of some more columns, of shape (rows, keep, vocabulary).

        `ids` has shape (rows, new); `mask`, of shape (rows, earlier and new), tells tokens from
        padding, whose logits are 0; `positions` has the number of each token in its row. Each
        column of `keep` but the first takes a run of its own. Rows that begin alike are
        computed once.
        """
        new = self._checked(ids, mask)
        places = self._positions(ids, new, positions)
        found: list[Logits] = []
        first: dict[bytes, int] = {}
        for row, stream in enumerate(self._streams):
            given = b"".join(part[row].tobytes() for part in (ids, new, places))
            same = first.setdefault(given, row)
            if same < row and not self.columns:
                stream.take_from(self._streams[same])
                found.append(found[same])
                continue
            found.append(_fed(stream, ids[row], new[row], places[row], keep))
        self._real = np.concatenate([self._real, new], axis=1)
        return np.stack(found)

    def crop(self, columns: int) -> None:
        """Forget the last columns."""
        left = max(0, self.columns - columns)
        for stream, real in zip(self._streams, self._real, strict=True):
            stream.forget(int(real[left:].sum()))
        self._real = self._real[:, :left]

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows, in this order; a row may occur more than once."""
        unused = [stream for row, stream in enumerate(self._streams) if row not in rows]
        used, streams = set[int](), list[Stream]()
        for row in rows:
            mine = self._streams[row]
            if row in used:
                mine = unused.pop() if unused else Stream(self.decoder)
                mine.take_from(self._streams[row])
            used.add(row)
            streams.append(mine)
        self._streams, self._real = streams, self._real[list(rows)]

    def __deepcopy__(self, memo: dict[int, object]) -> Rows:
        """Rows of the same decoder that have seen the same; they go on apart."""
        made = copy.copy(self)
        made._streams = [copy.copy(stream) for stream in self._streams]
        return made

    def _checked(self, ids: Ids, mask: Mask | None) -> Mask:
        """Which of the new columns are tokens."""
        if len(ids) != self.batch:
            raise ShapeMismatchError(
                f"a batch of {len(ids)} is called with the cache of {self.batch}; give each its own"
            )
        shape = (self.batch, self.columns + ids.shape[1])
        whole: Mask = np.ones(shape, bool) if mask is None else mask
        if whole.shape != shape:
            raise ShapeMismatchError(
                f"attention_mask has shape {whole.shape}; {shape} is wanted, for {self.columns} "
                f"tokens in the cache and {ids.shape[1]} new ones of each row"
            )
        if not np.array_equal(whole[:, : self.columns], self._real):
            raise ShapeMismatchError(
                "attention_mask leaves out other tokens than it did when they were given; give the "
                "same mask with new columns, and leave no token out later"
            )
        if not whole[:, -1].all():
            raise ShapeMismatchError(
                "a row ends with padding, after which no token can come; pad on the left "
                '(tokenizer.padding_side = "left"), and give no empty row'
            )
        return whole[:, self.columns :]

    def _positions(self, ids: Ids, new: Mask, given: Ids | None) -> Ids:
        if given is None and new.all() and self._real.all():
            given = np.arange(self.columns, self.columns + ids.shape[1])[None]
        if given is None:
            raise ShapeMismatchError(
                "rows are padded, and models number their tokens in different ways; give "
                "position_ids, as generate() does"
            )
        try:
            return np.broadcast_to(given, ids.shape)
        except ValueError as error:
            raise ShapeMismatchError(
                f"position_ids has shape {given.shape}, which does not fit tokens of shape "
                f"{ids.shape}"
            ) from error


def _fed(stream: Stream, ids: Ids, real: Mask, places: Ids, keep: int) -> Logits:
    """The logits of the last `keep` columns of one row."""
    tokens, numbers = ids[real], places[real]
    padding = max(0, keep - len(tokens))
    alone = max(0, len(tokens) - (keep - padding) + 1)
    found = [stream.feed(tokens[:alone], numbers[:alone])]
    found += [stream.feed(tokens[n : n + 1], numbers[n : n + 1]) for n in range(alone, len(tokens))]
    return np.concatenate([np.zeros((padding, *found[0].shape), np.float32), np.stack(found)])
