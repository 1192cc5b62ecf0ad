"""Files of questions in the format of SQuAD, versions 1.1 and 2.0."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from canao.answering.characters import check_text
from canao.errors import CanaoError, InputFileError

_Kind = TypeVar("_Kind", str, list[Any], bool, int)

_NAMES: Mapping[type, str] = {
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a whole number",
}


@dataclass(frozen=True)
class Gold:
    """An answer that an annotator gave: `context[start : start + len(text)] == text`."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends: the first character after it."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class Question:
    """A question about a text. `golds` is empty where the text does not answer it."""

    id: str
    question: str
    context: str
    golds: tuple[Gold, ...]
    title: str = ""


@dataclass(frozen=True)
class SquadData:
    """The questions of a file, in its order."""

    version: str
    questions: tuple[Question, ...]
    has_unanswerable: bool
    """Whether the file marks questions as (un)answerable: version 2, scored by its rules."""


def read_squad(path: str | Path) -> SquadData:
    """The questions of a file; `InputFileError` with the place of the first fault."""
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path} cannot be read ({error}); check the file") from error
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{path} is no JSON: {error}; write it again") from error
    root = _Place(str(path), "", data)
    found = [_question(one, context, title) for one, context, title in _entries(root)]
    if not found:
        raise root.error("has no questions; add some")
    _check_ids(path, [question for question, _ in found])
    questions = tuple(question for question, _ in found)
    marked = any(is_marked for _, is_marked in found)
    return SquadData(str(root.value.get("version", "")), questions, marked)


@dataclass(frozen=True)
class _Place:
    """A value in a file, and the way to it as errors name it: data[0].paragraphs[3]."""

    file: str
    way: str
    value: Any

    def error(self, what: str) -> InputFileError:
        return InputFileError(f"{self.file}: {self.way or 'the file'} {what}")

    def take(self, name: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
        """The entry of an object that must be of a kind."""
        if not isinstance(self.value, dict):
            raise self.error(f"is to be an object with '{name}'")
        entries = cast(dict[str, Any], self.value)
        if name not in entries and default is not None:
            return default
        if name not in entries:
            raise self.error(f"has no '{name}'; add it")
        value = entries[name]
        # True is an int to Python, and none to whoever wrote the file.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(f"has a '{name}' that is not {_NAMES[kind]}")
        return value

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text that is sound Unicode."""
        text = self.take(name, str, default)
        try:
            check_text(text, f"its '{name}'")
        except CanaoError as error:
            raise self.error(f"cannot be used: {error}") from error
        return text

    def each(self, name: str) -> Generator[_Place]:
        """The entries of a list."""
        for number, value in enumerate(self.take(name, list)):
            way = f"{self.way}.{name}" if self.way else name
            yield _Place(self.file, f"{way}[{number}]", value)


def _entries(root: _Place) -> Generator[tuple[_Place, str, str]]:
    """Each question with the text that it is about and the title of its article."""
    for article in root.each("data"):
        title = article.text("title", default="")
        for paragraph in article.each("paragraphs"):
            context = paragraph.text("context")
            for one in paragraph.each("qas"):
                yield one, context, title


def _question(place: _Place, context: str, title: str) -> tuple[Question, bool]:
    """A question, and whether it is marked as answerable or not."""
    is_marked = "is_impossible" in place.value if isinstance(place.value, dict) else False
    impossible = place.take("is_impossible", bool, False)
    golds = tuple(_gold(answer, context) for answer in place.each("answers"))
    if impossible and golds:
        raise place.error("is marked impossible and has answers; remove one of the two")
    if not golds and not impossible:
        raise place.error('has no answers; add some, or mark it with "is_impossible": true')
    number, question = place.text("id"), place.text("question")
    return Question(number, question, context, golds, title), is_marked


def _gold(place: _Place, context: str) -> Gold:
    gold = Gold(place.text("text"), place.take("answer_start", int))
    if not gold.text:
        raise place.error("has an empty text; leave out the answer, or say what it is")
    if gold.start < 0 or context[gold.start : gold.end] != gold.text:
        there = context[max(gold.start, 0) : max(gold.end, 0)]
        raise place.error(
            f"says {_quoted(gold.text)} at character {gold.start}, where the context has "
            f"{_quoted(there)}; correct answer_start"
        )
    return gold


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _check_ids(path: Path, questions: list[Question]) -> None:
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise InputFileError(
                f"{path}: two questions have the id {_quoted(question.id)}; give each its own"
            )
        seen.add(question.id)
