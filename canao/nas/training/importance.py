"""How much each part of a teacher matters, measured on examples of the task.

Widths: the first-order Taylor estimate of what the loss loses without a unit,
(activation x gradient) summed over an example's tokens, squared, summed over
examples (Molchanov et al. 2017; Michel et al. 2019). Layers: the change of the
last hidden states without them, removed one after another (as ShortGPT).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Batch = Mapping[str, Tensor]
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
    removal: tuple[int, ...]
    """The blocks in the order in which they are best removed."""

    def kept_blocks(self, count: int) -> tuple[int, ...]:
        """The blocks that are left when there are `count`, in their order."""
        gone = set(self.removal[: len(self.blocks) - count])
        return tuple(n for n in range(len(self.blocks)) if n not in gone)

    def tensors(self) -> dict[str, Tensor]:
        """All of it as tensors by name, from which `of_tensors` makes it again."""
        found = {"hidden": self.hidden, "removal": torch.tensor(self.removal)}
        for number, block in enumerate(self.blocks):
            found |= {f"{number}.{name}": getattr(block, name) for name in _UNITS}
        return found

    @classmethod
    def of_tensors(cls, found: Mapping[str, Tensor]) -> Importance:
        """The importance that `tensors` gave."""
        removal = tuple(int(number) for number in found["removal"])
        blocks = tuple(
            BlockImportance(*(found[f"{number}.{name}"] for name in _UNITS))
            for number in range(len(removal))
        )
        return cls(found["hidden"], blocks, removal)


def measure_importance(
    model: Any,
    batches: Iterable[Batch],
    loss: Callable[[Any, Batch], Tensor],
    progress: Callable[[], None] = lambda: None,
) -> Importance:
    """The importance of a BERT's units for a loss, over batches of examples.

    `model` is a `BertModel` or has one as `bert`; `loss` computes a scalar from
    it and a batch. The model is left as it was.
    """
    taken = list(batches)
    encoder = getattr(model, "bert", model)
    training = model.training
    model.eval()
    try:
        sums = _taylor_sums(model, encoder, taken, loss, progress)
        removal = _removal_order(encoder, taken[0], progress)
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
    return Importance(hidden, blocks, removal)


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


def _removal_order(encoder: Any, batch: Batch, progress: Callable[[], None]) -> tuple[int, ...]:
    """Blocks, the one first without which the last hidden states change least, and so on."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    layers = list(encoder.encoder.layer)
    mask = inputs["attention_mask"].unsqueeze(-1)

    def hidden(kept: Sequence[int]) -> Tensor:
        encoder.encoder.layer = nn.ModuleList([layers[n] for n in kept])
        with torch.no_grad():
            return encoder(**inputs).last_hidden_state * mask

    try:
        kept = list(range(len(layers)))
        whole = hidden(kept)
        removed: list[int] = []
        while len(kept) > 1:
            changes = {
                n: (hidden([k for k in kept if k != n]) - whole).square().sum().item() for n in kept
            }
            removed.append(min(kept, key=lambda n: changes[n]))
            kept.remove(removed[-1])
            progress()
        return (*removed, *kept)
    finally:
        encoder.encoder.layer = nn.ModuleList(layers)


def task_loss(model: Any, batch: Batch) -> Tensor:
    """The loss of a model with a classifier, summed over the examples."""
    return model(**batch).loss * len(batch["labels"])


def feature_loss(model: Any, batch: Batch) -> Tensor:
    """A random projection of the mean hidden states: for encoders that know no task yet.

    Its gradient reaches all that the last hidden states depend on; the
    direction is another one for each example and always the same.
    """
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    encoder = getattr(model, "bert", model)
    hidden = encoder(**inputs).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    generator = torch.Generator().manual_seed(0)
    return (mean * torch.randn(mean.shape, generator=generator).to(mean)).sum()
