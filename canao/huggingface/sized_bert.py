"""BERT whose feed-forward layers may each have another size: what a search finds.

Importing this module makes such models known to transformers' Auto classes.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
)


class SizedBertConfig(BertConfig):
    """A `BertConfig` with `intermediate_sizes`, one a layer."""

    model_type = "canao_bert"

    intermediate_sizes: list[int] | None = None


class SizedBertModel(BertModel):
    """A `BertModel` whose layers have the sizes that its configuration says."""

    config_class = SizedBertConfig

    def __init__(self, config: Any, add_pooling_layer: bool = True) -> None:
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        _resize(self.encoder.layer, config)


class SizedBertForSequenceClassification(BertForSequenceClassification):
    """The same with a classifier on the first token."""

    config_class = SizedBertConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        _resize(self.bert.encoder.layer, config)


class SizedBertForQuestionAnswering(BertForQuestionAnswering):
    """The same with logits of the first and the last token of an answer."""

    config_class = SizedBertConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        _resize(self.bert.encoder.layer, config)


def _resize(layers: Any, config: Any) -> None:
    """Give each layer a feed-forward part of its own size, initialised as BERT's."""
    for layer, size in zip(layers, config.intermediate_sizes or (), strict=True):
        for part, shape in (
            (layer.intermediate, (config.hidden_size, size)),
            (layer.output, (size, config.hidden_size)),
        ):
            part.dense = nn.Linear(*shape)
            nn.init.normal_(part.dense.weight, std=config.initializer_range)
            nn.init.zeros_(part.dense.bias)


def register() -> None:
    """Make the models known to `AutoConfig`, `AutoModel` and its like."""
    AutoConfig.register(SizedBertConfig.model_type, SizedBertConfig, exist_ok=True)
    AutoModel.register(SizedBertConfig, SizedBertModel, exist_ok=True)
    AutoModelForSequenceClassification.register(
        SizedBertConfig, SizedBertForSequenceClassification, exist_ok=True
    )
    AutoModelForQuestionAnswering.register(
        SizedBertConfig, SizedBertForQuestionAnswering, exist_ok=True
    )


register()
