"""Exact match and F1 of answers, by the rules of SQuAD's two evaluation scripts.

Both compare texts in lower case, without punctuation, without the words a, an and the, and with
single spaces. They differ where nothing is left of a text: version 2 counts an empty answer to a
question without one as right, version 1 knows no such question.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canao.answering.squad import Question, SquadData
from canao.errors import CanaoError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class AnswerScores:
    """Means over questions, in 0 to 1."""

    exact: float
    """The share of answers that are equal to one of the annotators'."""
    f1: float
    """Overlap of words with the annotator's answer that fits best."""
    questions: int


def normalized(text: str) -> str:
    """A text as both scripts compare it."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 if an answer is one of those given, else 0. No golds: whether the answer is empty."""
    mine = normalized(answer)
    return float(any(mine == normalized(gold) for gold in golds or ("",)))


def f1(answer: str, golds: Sequence[str], *, version_2: bool = False) -> float:
    """The best harmonic mean of precision and recall of words over those given."""
    mine = normalized(answer).split()
    return max(_f1(mine, normalized(gold).split(), version_2) for gold in golds or ("",))


def _f1(mine: list[str], gold: list[str], version_2: bool) -> float:
    if version_2 and not (mine and gold):
        return float(mine == gold)
    same = sum((Counter(mine) & Counter(gold)).values())
    if not same:
        return 0.0
    precision, recall = same / len(mine), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def question_scores(
    answer: str, question: Question, *, version_2: bool = False
) -> tuple[float, float]:
    """Exact match and F1 of one answer; "" is no answer."""
    golds = [gold.text for gold in question.golds]
    if version_2:
        golds = [gold for gold in golds if normalized(gold)]
    elif not golds:
        raise CanaoError(
            f"question {question.id} has no answers, which version 1 of SQuAD does not score"
        )
    return exact_match(answer, golds), f1(answer, golds, version_2=version_2)


def score_answers(data: SquadData, answers: Mapping[str, str]) -> dict[str, AnswerScores]:
    """Scores of answers by the id of their questions, by the rules of the file's version.

    "all" has every question, for version 2 "answerable" and "unanswerable" a part each, where
    there are such. A question without an entry in `answers` is an error: it would count as wrong.
    """
    missing = [question.id for question in data.questions if question.id not in answers]
    if missing:
        raise CanaoError(
            f"{len(missing)} questions have no answer, {missing[0]} the first; give each one, "
            "'' where there is none"
        )
    version_2 = data.has_unanswerable
    rows = [
        (question_scores(answers[one.id], one, version_2=version_2), bool(one.golds))
        for one in data.questions
    ]
    parts = {"all": [scores for scores, _ in rows]}
    if version_2:
        parts["answerable"] = [scores for scores, answerable in rows if answerable]
        parts["unanswerable"] = [scores for scores, answerable in rows if not answerable]
    return {name: _mean(scores) for name, scores in parts.items() if scores}


def _mean(scores: Sequence[tuple[float, float]]) -> AnswerScores:
    count = len(scores)
    exact, overlap = (sum(column) / count for column in zip(*scores, strict=True))
    return AnswerScores(exact, overlap, count)
