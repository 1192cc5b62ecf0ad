"""What a compiled model says to examples: one compilation a range of lengths."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from canao.api import compile
from canao.nas.training.data.encode import Rows

if TYPE_CHECKING:
    from canao.nas.training.kinds.kind import Kind, Output

BUCKETS = (16, 32, 64, 128, 256, 512)
"""Numbers of tokens that models are compiled for; an example takes the first that holds it."""
_BATCH = 8
Tune = Literal["off", "default", "full"]


@dataclass
class CompiledByLength:
    """A model compiled for each range of lengths when the first example of it comes."""

    model: Any
    kind: Kind
    threads: int | None = None
    tune: Tune = "off"
    stage: Callable[[str], None] = lambda stage: None
    seconds: float = 0.0
    """What compiling took so far."""
    _made: dict[int, Any] = field(default_factory=dict[int, Any])

    def predict(
        self, data: Rows, pad_id: int, progress: Callable[[int], None] | None = None
    ) -> list[Output]:
        """The outputs for every row, in the order of the rows."""
        rows: dict[int, Output] = {}
        longest, lengths = int(self.model.config.max_position_embeddings), data.lengths
        for length, numbers in _by_bucket(lengths, longest).items():
            for start in range(0, len(numbers), _BATCH):
                some = numbers[start : start + _BATCH]
                batch = _padded([data[n] for n in some], (_BATCH, length), pad_id)
                given = self._for(length, batch)(**batch)
                # The last batch is filled up with rows of padding.
                outputs = self.kind.outputs(given, [lengths[n] for n in some])
                rows |= dict(zip(some, outputs, strict=True))
                if progress:
                    progress(len(rows))
        return [rows[n] for n in range(len(data))]

    def _for(self, length: int, example: Mapping[str, torch.Tensor]) -> Any:
        if length not in self._made:
            start = time.perf_counter()
            self.stage(f"compiling for {length} tokens")
            self._made[length] = compile(
                self.model.cpu().eval(), dict(example), threads=self.threads, tune=self.tune
            )
            self.seconds += time.perf_counter() - start
        return self._made[length]


def predict_compiled(
    compiled: Any,
    kind: Kind,
    data: Rows,
    shape: tuple[int, int],
    pad_id: int,
    progress: Callable[[int], None] | None = None,
) -> list[Output]:
    """The outputs for every row, by a model compiled for one shape: rows and tokens.

    No row may be longer.
    """
    rows: list[Output] = []
    lengths = data.lengths
    for start in range(0, len(data), shape[0]):
        some = [data[n] for n in range(start, min(start + shape[0], len(data)))]
        given = compiled(**_padded(some, shape, pad_id))
        rows += kind.outputs(given, lengths[start : start + len(some)])
        if progress:
            progress(len(rows))
    return rows


def _by_bucket(lengths: list[int], longest: int) -> dict[int, list[int]]:
    """The numbers of the examples by the length that they are padded to."""
    found: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        size = next((size for size in BUCKETS if size >= length), longest)
        found.setdefault(min(size, longest), []).append(number)
    return dict(sorted(found.items()))


def _padded(
    rows: list[dict[str, Any]], shape: tuple[int, int], pad_id: int
) -> dict[str, torch.Tensor]:
    """A batch of so many rows and tokens; rows that are missing have one real token."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    fill = {"input_ids": pad_id}
    batch = {name: torch.full(shape, fill.get(name, 0), dtype=torch.int64) for name in names}
    batch["attention_mask"][len(rows) :, 0] = 1
    for number, row in enumerate(rows):
        for name in names:
            values = torch.tensor(row[name], dtype=torch.int64)
            batch[name][number, : len(values)] = values
    return batch
