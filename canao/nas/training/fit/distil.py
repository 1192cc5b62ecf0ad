"""Training a smaller model on what a larger one computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from canao.nas.models.inherit import Lineage
from canao.nas.models.kept_blocks import without_labels
from canao.nas.training.fit.trainer import Recipe, ResumableTrainer
from canao.nas.training.kinds.kind import Kind


@dataclass(frozen=True)
class DistilRecipe(Recipe):
    """How a model is distilled: the weights of the parts of the loss."""

    learning_rate: float = 1e-4
    hidden: float = 1.0
    """Squared distance of hidden states from the teacher's."""
    logits: float = 1.0
    """Divergence of the outputs from the teacher's."""
    labels: float = 0.5
    """Loss on the true labels."""
    temperature: float = 2.0


class Distiller(ResumableTrainer):
    """Trains on labels, on a teacher's outputs and on its hidden states.

    Hidden states are compared where the lineage says which block of the
    teacher a block stands for, on the dimensions that were inherited, and on
    real tokens only.
    """

    def __init__(
        self,
        model: Any,
        *args: Any,
        kind: Kind,
        teacher: Any,
        lineage: Lineage,
        knows_task: bool,
        recipe: DistilRecipe,
        **rest: Any,
    ) -> None:
        super().__init__(model, *args, recipe=recipe, **rest)
        self._kind = kind
        self._teacher = teacher.to(self.args.device).eval()
        self._lineage = lineage
        self._dimensions = lineage.dimensions.to(self.args.device)
        self._recipe = recipe
        self._knows_task = knows_task

    def loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        mine = model(**inputs, output_hidden_states=True)
        with torch.no_grad():
            theirs = self._teacher(**without_labels(inputs), output_hidden_states=True)
        recipe, mask = self._recipe, inputs["attention_mask"]
        total = recipe.hidden * self._hidden_loss(mine, theirs, mask)
        if not self._knows_task:
            return total + mine.loss
        return (
            total
            + recipe.logits * self._kind.divergence(mine, theirs, mask, recipe.temperature)
            + recipe.labels * mine.loss
        )

    def _hidden_loss(self, mine: Any, theirs: Any, mask: Tensor) -> Tensor:
        """The mean over blocks and real tokens of the squared distance, a dimension."""
        states = (0, *(target + 1 for target in self._lineage.targets()))
        weights = mask.unsqueeze(-1).float()
        count = weights.sum() * len(self._dimensions)
        parts = [
            (self._difference(own, theirs.hidden_states[number]).square() * weights).sum() / count
            for own, number in zip(mine.hidden_states, states, strict=True)
        ]
        return torch.stack(parts).mean()

    def _difference(self, own: Tensor, whole: Tensor) -> Tensor:
        # Small differences of large numbers: not in bfloat16.
        return own.float() - whole[..., self._dimensions].float()
