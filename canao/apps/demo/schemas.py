"""What the server is asked and what it answers, with the limits of both."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from canao.apps.backend import Backend

MAX_BODY = 1_000_000
"""Bytes of a request."""
MAX_CONTEXT = 100_000
MAX_QUESTION = 1_000
MAX_PROMPT = 8_000
"""Characters of texts."""
MAX_NEW_TOKENS = 512
MAX_TEMPERATURE = 2.0
OTHERS = 3
"""Runner-up spans that are shown."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Text = Annotated[str, AfterValidator(_not_blank)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AnswerRequest(_Strict):
    """A question about a text."""

    context: Annotated[Text, Field(max_length=MAX_CONTEXT)]
    question: Annotated[Text, Field(max_length=MAX_QUESTION)]
    backend: Backend = "canao"


class Span(BaseModel):
    """A part of the context; `start` and `end` count its characters (Unicode code points)."""

    answer: str
    start: int
    end: int
    score: float
    """Probability, from 0 to 1."""


class AnswerResponse(Span):
    """The best span, or no answer, which is an empty one; and those after it."""

    latency_ms: float
    """Milliseconds of the model."""
    windows: int
    """How many windows the text was read through."""
    others: list[Span]


class GenerateRequest(_Strict):
    """The start of a text; temperature 0 takes the likeliest word each time."""

    prompt: Annotated[Text, Field(max_length=MAX_PROMPT)]
    max_new_tokens: Annotated[int, Field(ge=1, le=MAX_NEW_TOKENS)] = 64
    temperature: Annotated[float, Field(ge=0, le=MAX_TEMPERATURE, allow_inf_nan=False)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    backend: Backend = "canao"
