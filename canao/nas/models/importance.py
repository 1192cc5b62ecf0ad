"""How much each part of a teacher matters, measured on examples of the task.

Widths: the first-order Taylor estimate of what the loss loses without a unit,
(activation x gradient) summed over an example's tokens, squared, summed over
examples (Molchanov et al. 2017; Michel et al. 2019). Blocks: `kept_blocks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from canao.nas.models.kept_blocks import (
    Batch,
    Blocks,
    Outputs,
    best_blocks,
    last_states,
    without_labels,
)

_UNITS = ("scores", "values", "neurons")


@dataclass(frozen=True)
class BlockImportance:
    """The importance of the units of one transformer block."""

    scores: Tensor
    """Of the dimensions of queries and keys, shape (hidden size,)."""
    values: Tensor
    """Of the dimensions of values, shape (hidden size,)."""
    neurons: Tensor
    """Of the units of the feed-forward layer, shape (intermediate size,)."""


@dataclass(frozen=True)
class Importance:
    """What the parts of an encoder are worth; more is more important."""

    hidden: Tensor
    """Of the dimensions that all blocks read and write, shape (hidden size,)."""
    blocks: tuple[BlockImportance, ...]
    kept: tuple[Blocks, ...]
    """The blocks to keep if there are 1, 2, ... of them."""

    def kept_blocks(self, count: int) -> Blocks:
        """The `count` blocks to keep, in their order."""
        return self.kept[count - 1]

    def tensors(self) -> dict[str, Tensor]:
        """All of it as tensors by name, from which `of_tensors` makes it again."""
        found = {"hidden": self.hidden}
        found |= {f"kept.{len(kept)}": torch.tensor(kept) for kept in self.kept}
        for number, block in enumerate(self.blocks):
            found |= {f"{number}.{name}": getattr(block, name) for name in _UNITS}
        return found

    @classmethod
    def of_tensors(cls, found: Mapping[str, Tensor]) -> Importance:
        """The importance that `tensors` gave."""
        count = sum(name.startswith("kept.") for name in found)
        blocks = tuple(
            BlockImportance(*(found[f"{number}.{name}"] for name in _UNITS))
            for number in range(count)
        )
        kept = tuple(tuple(map(int, found[f"kept.{number}"])) for number in range(1, count + 1))
        return cls(found["hidden"], blocks, kept)


def measure_importance(
    model: Any,
    batches: Iterable[Batch],
    loss: Callable[[Any, Batch], Tensor],
    progress: Callable[[], None] = lambda: None,
    *,
    outputs: Outputs = last_states,
) -> Importance:
    """The importance of a BERT's units for a loss, over batches of examples.

    `model` is a `BertModel` or has one as `bert`; `loss` computes a scalar from
    it and a batch, `outputs` what the model should still say without some of
    its blocks. The model is left as it was.
    """
    taken = list(batches)
    encoder = getattr(model, "bert", model)
    training = model.training
    model.eval()
    try:
        sums = _taylor_sums(model, encoder, taken, loss, progress)
        kept = best_blocks(model, taken, outputs, progress)
    finally:
        model.train(training)
        model.zero_grad()
    count = len(encoder.encoder.layer)
    hidden = torch.stack(
        [
            sums["embeddings"],
            *(sums[f"{n}.{name}"] for n in range(count) for name in ("attended", "output")),
        ]
    ).sum(0)
    blocks = tuple(
        BlockImportance(
            sums[f"{n}.query"] + sums[f"{n}.key"], sums[f"{n}.value"], sums[f"{n}.neurons"]
        )
        for n in range(count)
    )
    return Importance(hidden, blocks, kept)


def _points(encoder: Any) -> dict[str, nn.Module]:
    """The modules whose outputs are the units, by name."""
    points: dict[str, nn.Module] = {"embeddings": encoder.embeddings}
    for number, layer in enumerate(encoder.encoder.layer):
        points |= {
            f"{number}.query": layer.attention.self.query,
            f"{number}.key": layer.attention.self.key,
            f"{number}.value": layer.attention.self.value,
            f"{number}.attended": layer.attention.output,
            f"{number}.neurons": layer.intermediate,
            f"{number}.output": layer.output,
        }
    return points


def _taylor_sums(
    model: Any,
    encoder: Any,
    batches: Sequence[Batch],
    loss: Callable[[Any, Batch], Tensor],
    progress: Callable[[], None],
) -> dict[str, Tensor]:
    points = _points(encoder)
    sums: dict[str, Tensor] = {}
    for batch in batches:
        seen: dict[str, Tensor] = {}
        with _captured(points, seen):
            value = loss(model, batch)
            gradients = torch.autograd.grad(value, list(seen.values()))
        for (name, activation), gradient in zip(seen.items(), gradients, strict=True):
            effect = (activation.detach() * gradient).sum(dim=1).square().sum(dim=0)
            sums[name] = sums.get(name, torch.zeros_like(effect)) + effect
        progress()
    return sums


@contextmanager
def _captured(points: Mapping[str, nn.Module], seen: dict[str, Tensor]) -> Generator[None]:
    """Notes what the modules return."""

    def note(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen[name] = output

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in points.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def task_loss(model: Any, batch: Batch) -> Tensor:
    """The loss of a model with a head, summed over the examples."""
    return model(**batch).loss * len(batch["input_ids"])


def feature_loss(model: Any, batch: Batch) -> Tensor:
    """A random projection of the mean hidden states: for encoders that know no task yet.

    Its gradient reaches all that the last hidden states depend on; the
    direction is another one for each example and always the same.
    """
    encoder = getattr(model, "bert", model)
    hidden = encoder(**without_labels(batch)).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    generator = torch.Generator().manual_seed(0)
    return (mean * torch.randn(mean.shape, generator=generator).to(mean)).sum()
