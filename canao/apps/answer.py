"""What a question is answered with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """A span of the text, `context[start:end] == text`, and its probability."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Answer:
    """The answer to a question, and what was nearly it.

    `text` is empty, with `start` and `end` 0, where the text does not answer the question: `score`
    is then the probability of that. Offsets are in code points of the text.
    """

    text: str
    start: int
    end: int
    score: float
    latency_ms: float
    """What the model took: all of its runs, one for each batch of windows."""
    others: tuple[Candidate, ...] = ()
    """Other spans, likeliest first."""
    no_answer_score: float | None = None
    """The probability that the text has no answer; None where that was not allowed."""
    total_ms: float = 0.0
    """The model, tokens and choice together, with any wait for requests of others."""
    windows: int = 1
    """How many windows the text was read through."""
    tokens: int = 0
    """Tokens in all of them."""

    @property
    def found(self) -> bool:
        """Whether there is an answer."""
        return bool(self.text)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: `text` is called "answer"."""
        values = asdict(self)
        return {"answer": values.pop("text"), **values}
