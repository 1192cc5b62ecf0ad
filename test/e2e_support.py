"""Inputs and measures of accuracy that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch

import canao

Inputs = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Accuracy:
    """How far results are from PyTorch's, and both from a float64 run."""

    difference: float
    """Largest absolute difference from PyTorch in float32."""
    error: float
    """Largest absolute difference from PyTorch in float64."""
    reference_error: float
    """The same of PyTorch in float32."""

    def check(self) -> None:
        """Fails unless results are as near as the project promises."""
        assert self.difference <= 1e-4
        assert self.error <= 2 * self.reference_error


def measure_accuracy(
    compiled: canao.CompiledModel, model: torch.nn.Module, inputs: Inputs
) -> Accuracy:
    """Compares the last hidden states of a compiled model and its original."""
    double = deepcopy(model).double()
    with torch.inference_mode():
        ours = compiled(**inputs).last_hidden_state
        theirs = model(**inputs).last_hidden_state
        exact = double(**inputs).last_hidden_state
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert torch.isfinite(ours).all()
    return Accuracy(
        difference=(ours - theirs).abs().max().item(),
        error=(ours - exact).abs().max().item(),
        reference_error=(theirs - exact).abs().max().item(),
    )


def random_inputs(vocabulary: int, batch: int, length: int) -> dict[str, torch.Tensor]:
    """Random tokens; each row but the first ends in padding of another length."""
    generator = torch.Generator().manual_seed(1000 * batch + length)
    ids = torch.randint(1, vocabulary, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        mask[row, max(1, length - row * length // (batch + 1)) :] = 0
    return {"input_ids": ids, "attention_mask": mask}
