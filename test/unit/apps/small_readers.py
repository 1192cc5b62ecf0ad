"""Small models for question answering: one with random weights, one that is sure of some words."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import nn
from unit.answering.oracles import word_pieces
from unit.huggingface.small_models import SIZES

SURE = 9.0


def random_reader() -> Any:
    """A BERT whose logits lie far enough apart that roundings decide nothing."""
    torch.manual_seed(0)
    model = transformers.BertForQuestionAnswering(transformers.BertConfig(**SIZES)).eval()
    with torch.no_grad():
        model.qa_outputs.weight.mul_(200)
    return model


class SureReader(nn.Module):
    """Its answer begins at each `first` word and ends at each `last` one; 0 for other tokens.

    `none` is the logit of its first token, for no answer.
    """

    def __init__(self, first: str, last: str, none: float = 0.0) -> None:
        super().__init__()
        tokenizer = word_pieces()
        logits = torch.zeros(len(tokenizer), 2)
        for column, word in enumerate((first, last)):
            logits[tokenizer.convert_tokens_to_ids(word), column] = SURE
        logits[tokenizer.cls_token_id] = none
        self.logits = nn.Embedding.from_pretrained(logits)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.logits(input_ids) * attention_mask[..., None]
        return found[..., 0], found[..., 1]
