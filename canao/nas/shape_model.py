"""A BERT of given sizes with random weights: what latency depends on, and nothing more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from canao.errors import MissingExtraError
from canao.nas.architecture import Architecture


def shape_model(architecture: Architecture, *, positions: int = 512) -> nn.Module:
    """A `BertModel` without pooler whose blocks have the sizes of an architecture."""
    try:
        from transformers import BertConfig, BertModel
    except ImportError as error:
        raise MissingExtraError("building candidates", "hf") from error
    config = BertConfig(
        hidden_size=architecture.hidden_size,
        num_attention_heads=architecture.num_heads,
        num_hidden_layers=architecture.num_blocks,
        intermediate_size=max(architecture.intermediate_sizes),
        max_position_embeddings=positions,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Any = BertModel(config, add_pooling_layer=False)
        for layer, size in zip(model.encoder.layer, architecture.intermediate_sizes, strict=True):
            layer.intermediate.dense = nn.Linear(architecture.hidden_size, size)
            layer.output.dense = nn.Linear(size, architecture.hidden_size)
    return model.eval()


def shape_inputs(sequence: int, batch: int) -> dict[str, Tensor]:
    """Token numbers and a full mask."""
    shape = (batch, sequence)
    generator = torch.Generator().manual_seed(0)
    return {
        "input_ids": torch.randint(0, 30522, shape, generator=generator),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
    }
