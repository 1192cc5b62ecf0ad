"""Models of architectures: made, read, and their architectures told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
)

from canao.errors import InputFileError
from canao.huggingface.sized_bert import SizedBertConfig, SizedBertModel
from canao.nas.models.heads import CLASSIFIER, Head, head_in
from canao.nas.space.architecture import Architecture


def config_for(architecture: Architecture, base: BertConfig | None = None, **more: Any) -> Any:
    """The configuration of an architecture; vocabulary, positions and the rest are those of `base`.

    It is a plain `BertConfig`, which anybody's transformers reads, if all
    feed-forward layers have the same size.
    """
    sizes = architecture.intermediate_sizes
    values = _kept(base) | {
        "hidden_size": architecture.hidden_size,
        "num_attention_heads": architecture.num_heads,
        "num_hidden_layers": architecture.num_blocks,
        "intermediate_size": max(sizes),
    }
    if len(set(sizes)) == 1:
        return BertConfig(**values, **more)
    return SizedBertConfig(**values, intermediate_sizes=list(sizes), **more)


_SIZE_FREE = (
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "initializer_range",
    "layer_norm_eps",
    "pad_token_id",
)


def _kept(base: BertConfig | None) -> dict[str, Any]:
    return {name: getattr(base, name) for name in _SIZE_FREE} if base else {}


def build_model(
    architecture: Architecture,
    *,
    base: BertConfig | None = None,
    labels: int | None = None,
    head: Head = CLASSIFIER,
    seed: int = 0,
) -> nn.Module:
    """A BERT with those sizes and random weights, ready for inference.

    With `labels` it has a head of so many outputs (such as a
    `BertForSequenceClassification`), without it is a `BertModel`. Its latency
    is that of any model of the architecture.
    """
    more: dict[str, Any] = {} if labels is None else {"num_labels": labels}
    config = config_for(architecture, base, **more)
    sized = isinstance(config, SizedBertConfig)
    plain, own = (BertModel, SizedBertModel) if labels is None else (head.plain, head.sized)
    make: Any = own if sized else plain
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(config).eval()


def architecture_of(config: Any) -> Architecture:
    """The sizes in the configuration of a BERT model."""
    blocks = int(config.num_hidden_layers)
    sizes = getattr(config, "intermediate_sizes", None) or [config.intermediate_size] * blocks
    return Architecture(config.hidden_size, config.num_attention_heads, tuple(sizes))


def load_model(path: Path, head: Head | None = None, **more: Any) -> Any:
    """The model in a directory with a head: its own, or a new one if it has none of that kind.

    The head is what the configuration says if `head` is None, a classifier if it says nothing.
    """
    return _load((head or head_in(read_config(path))).auto, path, **more)


def load_encoder(path: Path, **more: Any) -> Any:
    """The model in a directory, without a classifier."""
    return _load(AutoModel, path, **more)


def read_config(path: Path) -> Any:
    """The configuration of the model in a directory; an error unless it is a BERT."""
    config = _load(AutoConfig, path)
    if not isinstance(config, BertConfig):
        raise InputFileError(
            f"{path} holds a model of type {config.model_type}; only BERT can be taken apart"
        )
    return config


def _load(auto: Any, path: Path, **more: Any) -> Any:
    # Safetensors only: other formats may run code of theirs when they are read.
    weights: Mapping[str, Any] = {} if auto is AutoConfig else {"use_safetensors": True}
    try:
        return auto.from_pretrained(path, local_files_only=True, **weights, **more)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputFileError(
            f"{path} cannot be read as a Hugging Face model: {reason}; check its files"
        ) from error
