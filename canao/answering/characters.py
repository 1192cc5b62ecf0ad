"""Places in a text that people see as one: whole characters, and offsets in other encodings.

Offsets are those of Python, in code points. What a reader sees as one character may have several:
a letter with its accents, the parts of a family of emoji, a flag (a *grapheme cluster*, Unicode
Standard Annex 29). Tokenizers take them apart; answers do not.
"""

from __future__ import annotations

from canao.errors import CanaoError, MissingExtraError

try:
    import regex
except ImportError as error:
    raise MissingExtraError("answering questions", "hf") from error

_CLUSTERS = regex.compile(r"\X")
_LAST_ASCII = regex.compile(r"(?r)[\x20-\x7e]")
"""The last one before a place: a cluster always begins there, or right before it."""
_HALF = regex.compile(r"[\ud800-\udfff]")


def check_text(text: str, name: str) -> None:
    """`CanaoError` for a text with half of a surrogate pair, which is no Unicode."""
    found = _HALF.search(text)
    if found:
        raise CanaoError(
            f"{name} has half of a surrogate pair (U+{ord(found[0]):04X}) at character "
            f"{found.start()}; decode it again, with errors='replace'"
        )


def whole_characters(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without space around it, widened to whole grapheme clusters.

    `start == end` where it holds nothing but space.
    """
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start >= end or text[max(0, start - 1) : end + 1].isascii():
        return start, end
    return _boundary(text, start), _boundary(text, end, after=True)


def _boundary(text: str, place: int, *, after: bool = False) -> int:
    """The last boundary of clusters at or before a place, or the first at or after it."""
    near = _LAST_ASCII.search(text, 0, place)
    for cluster in _CLUSTERS.finditer(text, near.start() if near else 0):
        if cluster.start() == place or cluster.end() == place:
            return place
        if cluster.end() > place:
            return cluster.end() if after else cluster.start()
    return place


def utf16_offset(text: str, offset: int) -> int:
    """An offset in UTF-16 code units, as JavaScript counts, of one in code points."""
    return offset + sum(character > "\uffff" for character in text[:offset])


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The line and the column of a character, both from 1. Lines end as those of Python's files."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    line = before.count("\n") + 1
    return line, len(before) - (before.rfind("\n") + 1) + 1
