"""What is asked in tests of the app, and what `QuestionAnswerer` says to that."""

from __future__ import annotations

from typing import Any

import numpy as np
from unit.answering.oracles import TEXTS, word_pieces
from unit.apps.small_readers import random_reader

from canao.apps import QuestionAnswerer

ASKED = [
    (TEXTS[0], "Who?"),
    (" ".join(TEXTS) * 6, "Where is the first one?"),
    (
        "\U0001f600 caf\u00e9 \u6f22\u5b57 \U0001f468\u200d\U0001f469 Ada wrote it.",
        "who wrote \U0001f600?",
    ),
]
"""Texts, one of them longer than a window and one with characters of one to four bytes."""
MOST = 5


def save_reader(folder: Any) -> Any:
    """A folder with a small model and its tokenizer, as transformers saves them."""
    random_reader().save_pretrained(folder)
    word_pieces().save_pretrained(folder)
    return folder


def wanted(answerer: QuestionAnswerer, text: str, question: str, form: str) -> list[Any]:
    """Places of answers in units of an encoding, and scores: `utf-8`, or `utf-16-le` in halves."""
    found = answerer.answer(question, text, top=MOST)
    size = {"utf-8": 1, "utf-16-le": 2}[form]
    spans = [(found.start, found.end, found.score)]
    spans += [(one.start, one.end, one.score) for one in found.others]
    return [
        (len(text[:start].encode(form)) // size, len(text[:end].encode(form)) // size, score)
        for start, end, score in spans
    ]


def check(line: list[str], expected: list[Any]) -> None:
    """Compares numbers that were printed: start, end and score of each answer."""
    found = np.array(line, np.float64).reshape(-1, 3)
    assert len(found) == len(expected)
    numbers = np.array(expected, np.float64)
    np.testing.assert_array_equal(found[:, :2], numbers[:, :2])
    np.testing.assert_allclose(found[:, 2], numbers[:, 2], rtol=1e-3, atol=1e-6)
