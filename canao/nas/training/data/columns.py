"""The columns of a file of examples, whatever its format, and the examples in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from canao.errors import InputFileError
from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.data.tsv import Row, check_unquoted, check_widths, read_rows

_MORE = "..."
_MOST_MORE = 2
_HIDDEN = "-1"


@dataclass(frozen=True)
class Columns:
    """Cells by the name of their column."""

    place: str
    """The file, for messages."""
    cells: Mapping[str, Sequence[object]]
    unit: str = "row"
    """What is counted: lines of a text or rows of a table."""
    first: int = 1
    """The number of the first row."""
    note: str = ""
    """What was found that users should know."""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Names of the classes of a column, in the order of their numbers, where the file has them."""

    def where(self, row: int) -> str:
        """The place of a row, for messages."""
        return f"{self.place}, {self.unit} {self.first + row}"


@dataclass(frozen=True)
class Examples:
    """Sentences with their labels: numbers of classes, or scores."""

    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __add__(self, other: Examples) -> Examples:
        pairs = None if self.pairs is None else self.pairs + (other.pairs or ())
        return Examples(self.texts + other.texts, pairs, self.labels + other.labels)

    def take(self, rows: Sequence[int]) -> Examples:
        """The examples of these numbers."""
        pairs = self.pairs and tuple(self.pairs[n] for n in rows)
        texts, labels = (tuple(values[n] for n in rows) for values in (self.texts, self.labels))
        return Examples(texts, pairs, labels)  # pyright: ignore[reportArgumentType]

    def keys(self) -> Iterator[str]:
        """What tells an example from others: its sentences."""
        if self.pairs is None:
            yield from self.texts
        else:
            yield from map("\t".join, zip(self.texts, self.pairs, strict=True))


def read_tsv(path: Path, spec: TaskSpec) -> Columns:
    """A text file, with a header or in a layout that the task is known to come in."""
    rows = read_rows(path)
    header = rows[0].cells
    if all(_find(names, header) for names in _wanted(spec)):
        return _with_header(path, header, rows[1:])
    for layout in spec.bare:
        if _fits(rows[0], layout, spec):
            return _bare(path, layout, rows)
    raise InputFileError(_unknown_header(path, header, spec))


def _with_header(path: Path, header: tuple[str, ...], rows: list[Row]) -> Columns:
    if not rows:
        raise InputFileError(f"{path} has a header and no rows; add examples")
    check_widths(path, rows, len(header), len(header))
    cells = {name: [row.cells[n] for row in rows] for n, name in enumerate(header)}
    return Columns(str(path), cells, "line", 2)


def _bare(path: Path, layout: tuple[str, ...], rows: list[Row]) -> Columns:
    names = tuple(name for name in layout if name != _MORE)
    check_widths(path, rows, len(names), _widest(layout))
    cells = {name: [row.cells[n] for row in rows] for n, name in enumerate(names)}
    note = f"{path} has no header; its columns are read as {', '.join(layout)}"
    return Columns(str(path), cells, "line", 1, note)


def _widest(layout: tuple[str, ...]) -> int:
    return len(layout) - 1 + _MOST_MORE if layout[-1] == _MORE else len(layout)


def _fits(row: Row, layout: tuple[str, ...], spec: TaskSpec) -> bool:
    """Whether a row is what the layout says: as many cells, a label where one should be."""
    if not len(layout) - (layout[-1] == _MORE) <= len(row.cells) <= _widest(layout):
        return False
    label = row.cells[layout.index(_find(spec.label, layout) or "")]
    return _parse_label(label, spec) is not None


def _unknown_header(path: Path, header: tuple[str, ...], spec: TaskSpec) -> str:
    missing = [" or ".join(names) for names in _wanted(spec) if not _find(names, header)]
    shown = ", ".join(cell[:30] for cell in header[:8])
    layouts = "".join(f"; without a header: {', '.join(layout)}" for layout in spec.bare)
    return (
        f"{path}, line 1: {spec.title} needs a header with a column {', and one '.join(missing)}"
        f"{layouts}; found: {shown}"
    )


def _wanted(spec: TaskSpec) -> list[tuple[str, ...]]:
    return [names for names in (spec.text, spec.pair, spec.label) if names]


def _find(names: Sequence[str], among: Sequence[str]) -> str | None:
    return next((name for name in names if name in among), None)


def examples_of(columns: Columns, spec: TaskSpec) -> Examples:
    """The examples in a file; an error with file and line for what is no label or no text."""
    have = tuple(columns.cells)
    for names in _wanted(spec):
        if not _find(names, have):
            raise InputFileError(
                f"{columns.place} has no column {' or '.join(names)}, which {spec.title} needs; "
                f"it has {', '.join(have)}"
            )
    text, pair, label = (_find(names, have) for names in (spec.text, spec.pair, spec.label))
    return Examples(
        _texts(columns, text or ""),
        _texts(columns, pair) if pair else None,
        _labels(columns, label or "", spec),
    )


def _texts(columns: Columns, name: str) -> tuple[str, ...]:
    texts: list[str] = []
    for row, cell in enumerate(columns.cells[name]):
        if not isinstance(cell, str) or not cell.strip():
            raise InputFileError(f"{columns.where(row)}: no text in column {name}; remove the row")
        texts.append(cell.strip())
    if columns.unit == "line":
        check_unquoted(Path(columns.place), texts)
    return tuple(texts)


def _labels(columns: Columns, name: str, spec: TaskSpec) -> tuple[float, ...]:
    labels: list[float] = []
    for row, cell in enumerate(columns.cells[name]):
        label = _parse_label(str(cell), spec)
        if label is None:
            raise InputFileError(f"{columns.where(row)}: {_no_label(str(cell), name, spec)}")
        labels.append(label)
    return tuple(labels)


def _no_label(cell: str, name: str, spec: TaskSpec) -> str:
    if cell == _HIDDEN and not spec.is_score:
        return f"column {name} has -1: the labels of this file are hidden; take another file"
    if spec.is_score:
        return f"'{cell}' in column {name} is no score{_bounds(spec)}"
    return f"'{cell}' in column {name} is no label of {spec.title}; labels: {_known(spec)}"


def _bounds(spec: TaskSpec) -> str:
    low, high = spec.scale
    return f" from {low:g} to {high:g}" if math.isfinite(high) else ""


def _known(spec: TaskSpec) -> str:
    return ", ".join((*spec.labels, *spec.synonyms))


def _parse_label(cell: str, spec: TaskSpec) -> float | None:
    """The number of a class or the score that a cell holds; None if it holds neither.

    A class may be given by its name or by its number, as the `datasets` library does.
    """
    if spec.is_score:
        return _parse_score(cell, spec.scale)
    name = spec.synonyms.get(cell, cell)
    if name in spec.labels:
        return spec.labels.index(name)
    if any(label.isdigit() for label in spec.labels):
        return None
    numbers = [str(number) for number in range(len(spec.labels))]
    return numbers.index(cell) if cell in numbers else None


def _parse_score(cell: str, scale: tuple[float, float]) -> float | None:
    try:
        score = float(cell)
    except ValueError:
        return None
    return score if math.isfinite(score) and scale[0] <= score <= scale[1] else None
