"""Questions about texts, as training, holding out and judging take them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from canao.answering.squad import Question, SquadData, read_squad
from canao.errors import InputFileError
from canao.nas.training.data.spec import TRAIN, TaskSpec

_ENDING = ".json"


@dataclass(frozen=True)
class Questions:
    """Questions with the answers of annotators; without any where the text has none."""

    questions: tuple[Question, ...]
    unanswerable: bool
    """Whether some may have no answer: they are judged by the rules of SQuAD 2."""

    def __len__(self) -> int:
        return len(self.questions)

    def __add__(self, other: Questions) -> Questions:
        return Questions(self.questions + other.questions, self.unanswerable or other.unanswerable)

    def take(self, rows: Sequence[int]) -> Questions:
        """The questions of these numbers."""
        return Questions(tuple(self.questions[n] for n in rows), self.unanswerable)

    def keys(self) -> Iterator[str]:
        """What keeps questions together that know of each other: their article, or their text."""
        return (one.title or one.context for one in self.questions)

    @property
    def data(self) -> SquadData:
        """The questions as a file has them."""
        return SquadData("", self.questions, self.unanswerable)


def has_questions(folder: Path) -> bool:
    """Whether a folder's training file is in SQuAD's format: an object with a list `data`."""
    path = folder / f"{TRAIN}{_ENDING}"
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "data" in found


def question_folder(spec: TaskSpec, data: Path) -> Path:
    """The folder itself if it has a file of the task, else the one in it with the task's name."""
    if not data.is_dir():
        raise InputFileError(f"{data} is no folder; name the one that holds the data")
    names = {spec.name, spec.title.lower()}
    inside = [path for path in sorted(data.iterdir()) if path.name.lower() in names]
    found = next((place for place in (data, *inside) if _files(spec, place)), None)
    if found is None:
        wanted = ", ".join(stem + _ENDING for stems in spec.splits.values() for stem in stems)
        raise InputFileError(f"{data} has no file of {spec.title}; it should have some of {wanted}")
    return found


def question_splits(spec: TaskSpec, folder: Path) -> dict[str, Questions]:
    """The questions of each split of a folder."""
    return {split: read_questions(path) for split, path in _files(spec, folder).items()}


def _files(spec: TaskSpec, folder: Path) -> dict[str, Path]:
    """The file of each split that there is."""
    found: dict[str, Path] = {}
    for split, stems in spec.splits.items():
        paths = (folder / f"{stem}{_ENDING}" for stem in stems)
        path = next((path for path in paths if path.is_file()), None)
        if path:
            found[split] = path
    return found


def read_questions(path: Path) -> Questions:
    """The questions of a file in SQuAD's format; `InputFileError` with the place of a fault."""
    found = read_squad(path)
    return Questions(found.questions, found.has_unanswerable)
