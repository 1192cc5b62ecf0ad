"""Sentences as numbers of tokens, and the order in which training takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch.utils.data import Dataset, Sampler

from canao.errors import InputFileError
from canao.nas.training.data.columns import Examples
from canao.nas.training.data.spec import TaskSpec

_NEIGHBOURS = 50
"""Batches whose examples are sorted by length together."""
_PAD_TO = 8


class Rows(Protocol):
    """Examples as a model reads them: a mapping of lists a row."""

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each row."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether a row is drawn anew in every epoch: row n + k * len is the k-th draw of row n."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Encoded(Dataset[dict[str, Any]]):
    """Examples as a model reads them: a mapping of lists an example."""

    rows: tuple[dict[str, Any], ...]
    fresh: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each example."""
        return [len(row["input_ids"]) for row in self.rows]


def load_tokenizer(path: Path) -> Any:
    """The tokenizer in the directory of a model."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputFileError(f"{path} has no tokenizer that can be read: {reason}") from error
    # Some packages carry tokenizers that pad everything to one length.
    if getattr(tokenizer, "is_fast", False):
        tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def encode(examples: Examples, tokenizer: Any, spec: TaskSpec) -> Encoded:
    """The examples as numbers of tokens, cut to the most that the task and the model take."""
    pairs = None if examples.pairs is None else list(examples.pairs)
    found = tokenizer(
        list(examples.texts),
        pairs,
        truncation=True,
        max_length=min(spec.max_length, tokenizer.model_max_length),
        padding=False,
        return_token_type_ids=True,
    )
    labels = examples.labels if spec.is_score else [int(label) for label in examples.labels]
    columns = ("input_ids", "token_type_ids", "attention_mask")
    rows = zip(*(found[name] for name in columns), labels, strict=True)
    return Encoded(tuple(dict(zip((*columns, "labels"), row, strict=True)) for row in rows))


def collator(tokenizer: Any) -> Any:
    """A function that makes a batch of examples, padded to the longest of them."""
    from transformers import DataCollatorWithPadding

    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=_PAD_TO)


class Schedule(Sampler[list[int]]):
    """The batches of a whole training, in order; the same for the same arguments.

    Every epoch is a new random order. Within some fifty batches, examples of
    about the same length share a batch, so that little is computed for padding.
    With `fresh` the numbers of an epoch come after those of the one before it.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        steps: int,
        seed: int,
        *,
        fresh: bool = False,
    ) -> None:
        self.batch_size = batch_size
        self.drop_last = False
        self._batches: list[list[int]] = []
        epoch = 0
        while len(self._batches) < steps:
            first = epoch * len(lengths) if fresh else 0
            batches = _epoch(lengths, batch_size, (seed, epoch))
            self._batches += [[first + n for n in batch] for batch in batches]
            epoch += 1
        del self._batches[steps:]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def steps_in_epoch(examples: int, batch_size: int) -> int:
    """The number of batches of an epoch; the last one may be smaller."""
    return -(-examples // batch_size)


def _epoch(lengths: Sequence[int], batch_size: int, seed: tuple[int, int]) -> list[list[int]]:
    random = np.random.default_rng(seed)
    order = random.permutation(len(lengths)).tolist()
    room = _NEIGHBOURS * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(order), room):
        near = sorted(order[start : start + room], key=lambda n: lengths[n])
        batches += [near[n : n + batch_size] for n in range(0, len(near), batch_size)]
    return [batches[n] for n in random.permutation(len(batches))]
