"""What people see of compiled models: questions answered, text written.

Takes texts; gives answers with their places, and text piece by piece, both with times. The same
can be run by PyTorch, to be timed beside it. Names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from canao.apps.answer import Answer, Candidate
    from canao.apps.question_answerer import QuestionAnswerer
    from canao.apps.text_generator import TextGenerator
    from canao.apps.text_stream import Piece, TextStream, WritingTimes

__all__ = [
    "Answer",
    "Candidate",
    "Piece",
    "QuestionAnswerer",
    "TextGenerator",
    "TextStream",
    "WritingTimes",
]

_HOMES = {
    "Answer": "canao.apps.answer",
    "Candidate": "canao.apps.answer",
    "Piece": "canao.apps.text_stream",
    "QuestionAnswerer": "canao.apps.question_answerer",
    "TextGenerator": "canao.apps.text_generator",
    "TextStream": "canao.apps.text_stream",
    "WritingTimes": "canao.apps.text_stream",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'canao.apps' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
