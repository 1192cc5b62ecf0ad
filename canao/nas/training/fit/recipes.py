"""How models are trained, by the kind of task, where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.fit.distil import DistilRecipe
from canao.nas.training.fit.trainer import Recipe

RECIPES: Mapping[str, Recipe] = {
    "labels": Recipe(),
    "spans": Recipe(batch_size=8, learning_rate=2e-4),
}
"""Of fine-tuning."""

DISTIL_RECIPES: Mapping[str, DistilRecipe] = {
    "labels": DistilRecipe(),
    "spans": DistilRecipe(batch_size=8, learning_rate=3e-4),
}
"""Of distilling."""


def recipe_for(spec: TaskSpec) -> Recipe:
    """How a model is fine-tuned on a task."""
    return RECIPES[spec.kind]


def distil_recipe_for(spec: TaskSpec) -> DistilRecipe:
    """How a model is distilled on a task."""
    return DISTIL_RECIPES[spec.kind]
