"""Which blocks of an encoder to keep, for each number of blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Batch = Mapping[str, Tensor]
Outputs = Callable[[Any, Batch], Tensor]
"""What a model computes of a batch that should change little, padding set to zero."""
Blocks = tuple[int, ...]

_EFFORT = 24
"""Divided by the number of blocks: how many choices are followed further, and on how many batches
they are compared. Deeper models have more choices, each of which takes longer."""


def best_blocks(
    model: Any, batches: Sequence[Batch], outputs: Outputs, progress: Callable[[], None]
) -> tuple[Blocks, ...]:
    """The blocks to keep if there are 1, 2, ... of them, in their order.

    A beam search: from each of the best choices of so many blocks, one more is
    removed. The best is the one whose outputs have the least squared distance
    from those of the whole model. (Removing greedily what changes the last
    hidden states least takes away the first blocks, without which the others
    compute nothing of use.) `model` is in evaluation mode, and left as it was.
    """
    encoder = getattr(model, "bert", model).encoder
    layers = list(encoder.layer)
    width = max(1, _EFFORT // len(layers))

    def compute(kept: Blocks) -> list[Tensor]:
        encoder.layer = nn.ModuleList([layers[n] for n in kept])
        with torch.no_grad():
            return [outputs(model, batch) for batch in batches[:width]]

    try:
        everything = tuple(range(len(layers)))
        whole = compute(everything)
        found, beam = [everything], [everything]
        for _ in layers[1:]:
            smaller = {tuple(n for n in kept if n != gone) for kept in beam for gone in kept}
            distances = {kept: _distance(compute(kept), whole) for kept in sorted(smaller)}
            beam = sorted(distances, key=lambda kept: distances[kept])[:width]
            found.append(beam[0])
            progress()
        return tuple(reversed(found))
    finally:
        encoder.layer = nn.ModuleList(layers)


def _distance(mine: Sequence[Tensor], whole: Sequence[Tensor]) -> float:
    return sum((a - b).square().sum().item() for a, b in zip(mine, whole, strict=True))


def last_states(model: Any, batch: Batch) -> Tensor:
    """The last hidden states, those of padding set to zero."""
    encoder = getattr(model, "bert", model)
    return encoder(**without_labels(batch)).last_hidden_state * batch["attention_mask"].unsqueeze(
        -1
    )


def logits(model: Any, batch: Batch) -> Tensor:
    """What a classifier says of each example."""
    return model(**without_labels(batch)).logits


_LABELS = ("labels", "start_positions", "end_positions")


def without_labels(batch: Batch) -> dict[str, Tensor]:
    """The inputs of a batch of examples."""
    return {name: tensor for name, tensor in batch.items() if name not in _LABELS}
