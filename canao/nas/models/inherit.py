"""Smaller models made of a teacher's weights: blocks dropped, widths sliced.

One choice of dimensions holds for the whole residual stream, so what one block
writes the next one reads. With the teacher's own sizes nothing is cut, and the
result computes exactly what the teacher does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from canao.errors import CanaoError
from canao.nas.models.heads import HEADS, Head
from canao.nas.models.importance import BlockImportance, Importance
from canao.nas.models.sized_bert import architecture_of, build_model
from canao.nas.space.architecture import Architecture


@dataclass(frozen=True)
class Lineage:
    """Which parts of a teacher a model was made of."""

    blocks: tuple[int, ...]
    """The teacher's blocks, in order."""
    dimensions: Tensor
    """The teacher's hidden dimensions, ascending."""
    teacher_blocks: int

    def targets(self) -> tuple[int, ...]:
        """For each block the number of the teacher's block whose output it should give.

        A block stands for those that were dropped after it as well.
        """
        ends = (*self.blocks[1:], self.teacher_blocks)
        return tuple(end - 1 for end in ends)


@dataclass(frozen=True)
class _Cut:
    """The rows of one block's matrices that are kept."""

    scores: Tensor
    values: Tensor
    neurons: Tensor
    query_scale: float


def inherit(
    architecture: Architecture, teacher: Any, importance: Importance, *, seed: int
) -> tuple[Any, Lineage]:
    """A model of an architecture with the most important weights of a teacher.

    `teacher` is a BERT with a head; the model has one like it. `seed`
    decides nothing unless something has no like in the teacher.
    Raises `CanaoError` if the architecture is larger than the teacher.
    """
    whole = architecture_of(teacher.config)
    _check_fits(architecture, whole)
    lineage = Lineage(
        importance.kept_blocks(architecture.num_blocks),
        _best(importance.hidden, architecture.hidden_size),
        whole.num_blocks,
    )
    head = next(head for head in HEADS if isinstance(teacher, head.plain))
    model = build_model(
        architecture, base=teacher.config, labels=teacher.config.num_labels, head=head, seed=seed
    )
    _carry_task(teacher.config, model.config)
    given = teacher.state_dict()
    taken = _stem(given, head, lineage.dimensions)
    sizes = architecture.intermediate_sizes
    for own, number in enumerate(lineage.blocks):
        cut = _cut(importance.blocks[number], whole, architecture, sizes[own])
        taken |= _block(given, f"bert.encoder.layer.{number}.", own, lineage.dimensions, cut)
    model.load_state_dict(taken, strict=True)
    return model, lineage


def _check_fits(wanted: Architecture, whole: Architecture) -> None:
    pairs = (
        ("blocks", wanted.num_blocks, whole.num_blocks),
        ("hidden dimensions", wanted.hidden_size, whole.hidden_size),
        ("feed-forward units", max(wanted.intermediate_sizes), min(whole.intermediate_sizes)),
    )
    for what, mine, theirs in pairs:
        if mine > theirs:
            raise CanaoError(
                f"{wanted.key} has {mine} {what} and its teacher {theirs}: a model inherits from a "
                "larger one; choose a larger teacher or smaller sizes"
            )


def _carry_task(source: Any, target: Any) -> None:
    for name in ("problem_type", "id2label", "label2id", "finetuning_task"):
        value = getattr(source, name, None)
        if value is not None:
            setattr(target, name, value)


def _best(importance: Tensor, count: int) -> Tensor:
    """The numbers of the most important units, ascending."""
    return importance.topk(count).indices.sort().values


def _cut(
    importance: BlockImportance, whole: Architecture, wanted: Architecture, neurons: int
) -> _Cut:
    their_size = whole.hidden_size // whole.num_heads
    my_size = wanted.hidden_size // wanted.num_heads
    scores, values = _head_rows(importance, whole, wanted)
    # Scores are divided by the root of a head's size: keep their magnitude.
    scale = math.sqrt(my_size / their_size)
    return _Cut(scores, values, _best(importance.neurons, neurons), scale)


def _head_rows(
    importance: BlockImportance, whole: Architecture, wanted: Architecture
) -> tuple[Tensor, Tensor]:
    """The rows of queries and keys, and those of values and of the product after them.

    Heads that are no larger than the teacher's are made of its best heads, of
    each the best dimensions. Otherwise the best dimensions of all are dealt out
    in their order, several of the teacher's heads (or parts of them) to a head.
    """
    their_size = whole.hidden_size // whole.num_heads
    my_size = wanted.hidden_size // wanted.num_heads
    if wanted.num_heads > whole.num_heads or my_size > their_size:
        together = importance.scores / importance.scores.sum().clamp_min(1e-30)
        together = together + importance.values / importance.values.sum().clamp_min(1e-30)
        rows = _best(together, wanted.hidden_size)
        return rows, rows
    by_head = importance.values.view(whole.num_heads, their_size)
    heads = _best(by_head.sum(dim=1), wanted.num_heads)
    starts = (heads * their_size).unsqueeze(1)
    parts = [
        (
            starts
            + units.view(whole.num_heads, their_size)[heads].topk(my_size).indices.sort().values
        )
        for units in (importance.scores, importance.values)
    ]
    return parts[0].flatten(), parts[1].flatten()


_STEM = {
    # Name: whether its rows, whether its columns are hidden dimensions.
    "bert.embeddings.word_embeddings.weight": (False, True),
    "bert.embeddings.position_embeddings.weight": (False, True),
    "bert.embeddings.token_type_embeddings.weight": (False, True),
    "bert.embeddings.LayerNorm.weight": (True, False),
    "bert.embeddings.LayerNorm.bias": (True, False),
}


def _stem(given: dict[str, Tensor], head: Head, kept: Tensor) -> dict[str, Tensor]:
    """Everything outside the blocks: embeddings and the head."""
    taken: dict[str, Tensor] = {}
    for name, (rows, columns) in {**_STEM, **head.stem}.items():
        part = given[name][kept] if rows else given[name]
        taken[name] = (part[:, kept] if columns else part).clone()
    return taken


def _block(
    given: dict[str, Tensor], prefix: str, own: int, kept: Tensor, cut: _Cut
) -> dict[str, Tensor]:
    """The weights of a block, by their new names."""
    rows: dict[str, tuple[Tensor, Tensor | None]] = {
        # Name: rows kept, columns kept (none for vectors).
        "attention.self.query": (cut.scores, kept),
        "attention.self.key": (cut.scores, kept),
        "attention.self.value": (cut.values, kept),
        "attention.output.dense": (kept, cut.values),
        "attention.output.LayerNorm": (kept, None),
        "intermediate.dense": (cut.neurons, kept),
        "output.dense": (kept, cut.neurons),
        "output.LayerNorm": (kept, None),
    }
    taken: dict[str, Tensor] = {}
    for name, (lines, columns) in rows.items():
        weight = given[f"{prefix}{name}.weight"][lines]
        weight = weight if columns is None else weight[:, columns]
        bias = given[f"{prefix}{name}.bias"][lines]
        if name == "attention.self.query":
            weight, bias = weight * cut.query_scale, bias * cut.query_scale
        new = f"bert.encoder.layer.{own}.{name}"
        taken |= {f"{new}.weight": weight.clone(), f"{new}.bias": bias.clone()}
    return taken
