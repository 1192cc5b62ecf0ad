"""What stands on an encoder: a classifier of texts, or the ends of spans of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    BertForQuestionAnswering,
    BertForSequenceClassification,
)

from canao.huggingface.sized_bert import (
    SizedBertForQuestionAnswering,
    SizedBertForSequenceClassification,
)


@dataclass(frozen=True)
class Head:
    """A kind of head, and the classes of transformers that have it."""

    ending: str
    """How the names of such classes end, in any family of models."""
    what: str
    """What people call it."""
    auto: Any
    plain: Any
    """With equal feed-forward sizes."""
    sized: Any
    """With feed-forward sizes of their own."""
    stem: Mapping[str, tuple[bool, bool]]
    """Its weights: whether their rows, whether their columns are hidden dimensions."""

    def within(self, config: Any) -> bool:
        """Whether a configuration says that its model has such a head."""
        return any(name.endswith(self.ending) for name in config.architectures or ())


CLASSIFIER = Head(
    "ForSequenceClassification",
    "classifier",
    AutoModelForSequenceClassification,
    BertForSequenceClassification,
    SizedBertForSequenceClassification,
    {
        "bert.pooler.dense.weight": (True, True),
        "bert.pooler.dense.bias": (True, False),
        "classifier.weight": (False, True),
        "classifier.bias": (False, False),
    },
)

SPANS = Head(
    "ForQuestionAnswering",
    "head for question answering",
    AutoModelForQuestionAnswering,
    BertForQuestionAnswering,
    SizedBertForQuestionAnswering,
    {
        "qa_outputs.weight": (False, True),
        "qa_outputs.bias": (False, False),
    },
)

HEADS = (CLASSIFIER, SPANS)


def head_in(config: Any) -> Head:
    """The head that a configuration names; a classifier if it names none."""
    return next((head for head in HEADS if head.within(config)), CLASSIFIER)
