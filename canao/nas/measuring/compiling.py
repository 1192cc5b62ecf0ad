"""Compiling a classifier as the device of a search is asked to: candidates, and the found one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from canao.nas.measuring.device import program_device, target_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from canao.compiled_model import CompiledModel

_FIRST_WORD = 1000
"""Vocabularies of BERT have their words from here on."""


def compile_for(
    model: nn.Module, device: Mapping[str, Any], cache_dir: str | None = None
) -> CompiledModel:
    """The model compiled for the device, threads, tuning, length and batch of a search."""
    from canao.api import compile

    return compile(
        model.eval(),
        example_inputs(int(device["sequence"]), int(device["batch"]), _vocabulary(model)),
        target=target_of(device),
        device=program_device(device),
        threads=device["threads"],
        tune=device["tune"],
        cache_dir=cache_dir,
    )


def example_inputs(sequence: int, batch: int, vocabulary: int) -> dict[str, Tensor]:
    """Token numbers, a full mask, and all tokens of the first of two texts."""
    shape = (batch, sequence)
    generator = torch.Generator().manual_seed(0)
    first = min(_FIRST_WORD, vocabulary - 1)
    return {
        "input_ids": torch.randint(first, vocabulary, shape, generator=generator),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
        "token_type_ids": torch.zeros(shape, dtype=torch.int64),
    }


def _vocabulary(model: nn.Module) -> int:
    config: Any = model.config
    return int(config.vocab_size)
