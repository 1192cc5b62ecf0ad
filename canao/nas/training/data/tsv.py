"""Tables in text files: a row a line, tabs between cells, quotes are text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from canao.errors import InputFileError

_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FEWEST_QUOTED = 3


@dataclass(frozen=True)
class Row:
    """The cells of a line, with its number counted from 1."""

    line: int
    cells: tuple[str, ...]


def read_rows(path: Path) -> list[Row]:
    """All rows of a file, the header included if there is one.

    The text is UTF-8, with or without a byte-order mark; lines end in LF or CRLF,
    the last one may lack its end. Raises `InputFileError` with the file and the
    line for anything else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror}); check the path") from error
    if data.startswith(_OTHER_MARKS):
        raise InputFileError(f"{path} is UTF-16; write it as UTF-8")
    lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputFileError(f"{path} is empty; it must have a row a line, cells between tabs")
    return [_row(path, number, line) for number, line in enumerate(lines, start=1)]


def _row(path: Path, number: int, line: bytes) -> Row:
    try:
        text = line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path}, line {number}: byte {error.start + 1} is not UTF-8; convert the file to UTF-8"
        ) from error
    if "\0" in text:
        raise InputFileError(f"{path}, line {number}: a NUL byte; the file is no text")
    if not text.strip():
        raise InputFileError(f"{path}, line {number} is blank; remove it")
    return Row(number, tuple(text.split("\t")))


def check_widths(path: Path, rows: Sequence[Row], fewest: int, most: int) -> None:
    """An error that names the first row with fewer than `fewest` or more than `most` cells."""
    for row in rows:
        if fewest <= len(row.cells) <= most:
            continue
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        hint = (
            "; quotes are text here: a cell cannot contain a tab or a line end"
            if any(cell.startswith('"') for cell in row.cells)
            else "; put one tab between cells"
        )
        raise InputFileError(
            f"{path}, line {row.line} has {len(row.cells)} cells instead of {wanted}{hint}"
        )


def check_unquoted(path: Path, texts: Sequence[str]) -> None:
    """An error if every text stands in quotes, as writers of CSV put them."""
    quoted = len(texts) >= _FEWEST_QUOTED and all(
        len(text) > 1 and text[0] == text[-1] == '"' for text in texts
    )
    if quoted:
        raise InputFileError(
            f"{path}: every sentence stands in quotes, which are text here and not quoting; "
            "write the file without them"
        )
