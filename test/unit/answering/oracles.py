"""Plain forms of what the answering room computes, and tokenizers of several kinds."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import cache
from math import inf
from typing import Any

import numpy as np
import transformers
from tokenizers import processors
from unit.generation.tokenizers_of_kinds import byte_level
from unit.huggingface.small_models import TOKENIZER

from canao.answering.windows import Windows

TEXTS = [
    "The quick brown fox jumps over the lazy dog, twice, and then goes home to sleep.",
    "Cafe\u0301 Zu\u0308rich, Mu\u0308nchen: na\u00efve re\u0301sume\u0301s",
    "Family 👩‍👩‍👧‍👦 of four, flags 🇩🇪🇫🇷🇯🇵, skin 👍🏽 and ❤️ too",
    "שָׁלוֹם עוֹלָם, مرحبا بالعالم (hello world) עברית",
    "first line\r\nsecond\tline\r\n\r\n  third   line\u00a0\u2003end",
    "\u200dzero\u200dwidth\u200bjoiners\u2060 everywhere\ufeff",
    "नमस्ते दुनिया ไทยไม่มีช่องว่าง 日本語のテキスト",
    "a",
    "[CLS] brackets [SEP] and [MASK] tokens </s> <s>",
]


@cache
def word_pieces() -> Any:
    """BERT's: accents and zero-width characters are dropped, words are cut into pieces."""
    return transformers.AutoTokenizer.from_pretrained(TOKENIZER)


@cache
def byte_pairs() -> Any:
    """RoBERTa's kind: characters have several tokens, one a byte."""
    made = byte_level(
        model_input_names=["input_ids", "attention_mask"], cls_token="</s>", sep_token="</s>"
    )
    made.backend_tokenizer.post_processor = processors.RobertaProcessing(("</s>", 0), ("</s>", 0))
    return made


def all_spans(
    windows: Windows, starts: list[Any], ends: list[Any], longest: int
) -> dict[tuple[int, int], float]:
    """The best logit of each span of tokens of the text, one by one."""
    found: dict[tuple[int, int], float] = {}
    for row, (skipped, count) in enumerate(zip(windows.starts, windows.counts, strict=True)):
        for i in range(count):
            for j in range(i, min(count, i + longest)):
                key = (int(skipped) + i, int(skipped) + j)
                logit = float(starts[row][windows.first + i]) + float(ends[row][windows.first + j])
                found[key] = max(found.get(key, -inf), logit)
    return found


def softmax(logits: list[float]) -> Any:
    """Probabilities."""
    raised = np.exp(np.array(logits) - max(logits))
    return raised / raised.sum()


# The functions of SQuAD's evaluation scripts, as their authors state the rules.


def official_normalize(text: str) -> str:
    def remove_articles(text: str) -> str:
        return re.sub(r"\b(a|an|the)\b", " ", text, flags=re.UNICODE)

    def remove_punctuation(text: str) -> str:
        return "".join(char for char in text if char not in set(string.punctuation))

    return " ".join(remove_articles(remove_punctuation(text.lower())).split())


def official_f1_of_version_2(gold: str, answer: str) -> float:
    gold_words, words = official_normalize(gold).split(), official_normalize(answer).split()
    same = sum((Counter(gold_words) & Counter(words)).values())
    if len(gold_words) == 0 or len(words) == 0:
        return int(gold_words == words)
    if same == 0:
        return 0
    precision, recall = same / len(words), same / len(gold_words)
    return (2 * precision * recall) / (precision + recall)
