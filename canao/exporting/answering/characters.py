"""What exported programs must know of every character: the tables of Unicode in `tokenizer.bin`.

Every property is what the libraries themselves do with a character, not what some version of
Unicode says: `tokenizers` for what tokens are made of, `regex` and Python for where an answer
begins and ends.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.errors import CanaoError, MissingExtraError

try:
    import regex
    from tokenizers import normalizers, pre_tokenizers
except ImportError as error:
    raise MissingExtraError("exporting a tokenizer", "hf") from error

Words = npt.NDArray[np.uint32]

CODES = 0x110000
BLOCK = 256
"""Characters whose records are looked up together."""
_BREAKS = (
    "CR LF Control Extend ZWJ Regional_Indicator Prepend SpacingMark L V T LV LVT".split()  # noqa: SIM905
)
_CONJUNCTS = ("Linker", "Consonant", "Extend")
_REMOVED, _SPACED, _CHINESE, _MARK, _WHITE, _PUNCTUATION, _STRIPPED = range(7)
"""Bits of a record, in the order of `support/characters.c`, with the fields behind them."""
_BREAK_SHIFT, _PICTURE, _CONJUNCT_SHIFT, _CLASS_SHIFT = 8, 12, 13, 16
_SEQUENCE_SHIFTS = (32, 48)
_FIRST_SYLLABLE, _SYLLABLES = 0xAC00, 11172
_OVERLAY, _LAST_CLASS = "\u0334", "\u0345"
"""Marks of the classes 1 and 240, the lowest and the highest."""


@dataclass(frozen=True)
class CharacterTables:
    """Records of characters, found in two steps: a block of 256 characters, a place in it."""

    blocks: npt.NDArray[np.uint16]
    """Of shape (4352,): which block of `places` a block of characters has."""
    places: npt.NDArray[np.uint16]
    """Of shape (blocks * 256,): the record of each character."""
    records: Words
    """Of shape (records, 3): bits, and where `sequences` has the character decomposed and in lower
    case; 0 where it stays as it is."""
    sequences: Words
    """Numbers of characters, behind how many they are."""


@cache
def character_tables() -> CharacterTables:
    """The tables of all characters, which takes some seconds once."""
    texts = _all_characters()
    sequences: list[int] = [0]
    known: dict[str, int] = {}
    rows = _bits(texts).astype(np.uint64)
    changes = (_each(normalizers.NFD(), texts), _each(normalizers.Lowercase(), texts))
    _check_syllables(changes[0])
    for changed, shift in zip(changes, _SEQUENCE_SHIFTS, strict=True):
        for code, text in changed.items():
            if text not in known:
                known[text] = len(sequences)
                sequences.extend((len(text), *map(ord, text)))
            rows[code] |= np.uint64(known[text] << shift)
    records, places = np.unique(rows, return_inverse=True)
    blocks, which = np.unique(
        places.reshape(-1, BLOCK).astype(np.uint16), axis=0, return_inverse=True
    )
    columns = (0, *_SEQUENCE_SHIFTS)
    return CharacterTables(
        which.reshape(-1).astype(np.uint16),
        blocks.reshape(-1),
        np.stack([(records >> shift & _mask(shift)).astype(np.uint32) for shift in columns], 1),
        np.array(sequences, np.uint32),
    )


def _mask(shift: int) -> int:
    """Of a column of records, which are one number while they are told apart."""
    return 0xFFFF if shift else 0xFFFFFFFF


def _all_characters() -> list[str]:
    """All that UTF-8 can have; "" for halves of surrogate pairs."""
    return ["" if 0xD800 <= code < 0xE000 else chr(code) for code in range(CODES)]


def _each(normalizer: Any, texts: list[str]) -> dict[int, str]:
    """What becomes of each character that does not stay as it is, by its number.

    A line end between them keeps them apart: nothing joins with it.
    """
    found = normalizer.normalize_str("\n".join(texts)).split("\n")
    if len(found) != CODES + 1:
        raise CanaoError("this release of tokenizers takes line ends apart; install another one")
    # The line end itself made two pieces of nothing, and stays as it is.
    end = ord("\n")
    found[end : end + 2] = ["\n"]
    return {
        code: new for code, (old, new) in enumerate(zip(texts, found, strict=True)) if old != new
    }


def _bits(texts: list[str]) -> Words:
    """The first word of each record."""
    joined = "".join(texts)
    bits = np.zeros(CODES, np.uint32)

    def mark(codes: Iterable[int], value: int) -> None:
        bits[np.fromiter(codes, np.intp)] |= np.uint32(value)

    def mark_matches(name: str, value: int) -> None:
        mark(map(ord, regex.findall(rf"\p{{{name}}}", joined)), value)

    cleaned = _cleaned(texts)
    mark((code for code, text in cleaned.items() if not text), 1 << _REMOVED)
    mark((code for code, text in cleaned.items() if text), 1 << _SPACED)
    mark(_each(_bert(handle_chinese_chars=True), texts), 1 << _CHINESE)
    stripped = _each(_bert(strip_accents=True), texts)
    mark((code for code, text in stripped.items() if not text), 1 << _MARK)
    for bit, codes in zip((_WHITE, _PUNCTUATION), _separators(texts), strict=True):
        mark(codes, 1 << bit)
    mark((code for code, text in enumerate(texts) if text.isspace()), 1 << _STRIPPED)
    for number, name in enumerate(_BREAKS, 1):
        mark_matches(f"GCB={name}", number << _BREAK_SHIFT)
    mark_matches("Extended_Pictographic", 1 << _PICTURE)
    for number, name in enumerate(_CONJUNCTS, 1):
        mark_matches(f"InCB={name}", number << _CONJUNCT_SHIFT)
    for code, number in _classes(texts).items():
        mark([code], number << _CLASS_SHIFT)
    return bits


def _bert(**options: bool) -> Any:
    none = dict.fromkeys(
        ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"), False
    )
    return normalizers.BertNormalizer(**{**none, **options})


def _cleaned(texts: list[str]) -> dict[int, str]:
    """Characters that cleaning removes or makes a space."""
    clean: Callable[[str], str] = _bert(clean_text=True).normalize_str
    # A letter between them stays where it is; line ends would not.
    pieces = clean("x".join(texts)).split("x")
    letter = ord("x")
    pieces[letter : letter + 2] = ["x"]
    return {
        code: new for code, (old, new) in enumerate(zip(texts, pieces, strict=True)) if old != new
    }


def _separators(texts: list[str]) -> tuple[list[int], list[int]]:
    """Characters between words, and those that are words themselves."""
    wide = [text or "a" for text in texts]
    pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str("".join("a" + one for one in wide))
    covered = np.zeros(2 * CODES, np.int8)
    for _, (start, end) in pieces:
        covered[start:end] = 2 if end - start == 1 else 1
    kinds = covered[1::2]
    return np.flatnonzero(kinds == 0).tolist(), np.flatnonzero(kinds == 2).tolist()


def _classes(texts: list[str]) -> dict[int, int]:
    """The combining classes of marks: by which of them the library brings into another order.

    They are numbered from 1 in their order, which is all that ordering needs.
    """
    wide = [text or "a" for text in texts]
    behind_lowest = _ordered(f"{text}{_OVERLAY}" for text in wide)
    before_highest = _ordered(f"{_LAST_CLASS}{text}" for text in wide)
    moved = [
        text
        for text, one, other in zip(wide, behind_lowest, before_highest, strict=True)
        if one[:1] == _OVERLAY or other[-1:] == _LAST_CLASS
    ]
    marks = [one for one, alone in zip(moved, _ordered(moved), strict=True) if one == alone]
    # One mark of each class that Python knows, and all that it does not know, stand for the rest.
    known = {unicodedata.combining(mark): mark for mark in marks}
    others = [*known.values(), *(mark for mark in marks if not unicodedata.combining(mark))]
    pairs = _ordered(one + other for one in marks for other in others)
    first = np.array([text[0] for text in pairs]).reshape(len(marks), -1)
    # A mark of a higher class goes behind those of lower ones.
    behind = (first != np.array(marks)[:, None]).sum(axis=1)
    levels = sorted(set(behind.tolist()))
    return {ord(mark): levels.index(n) + 1 for mark, n in zip(marks, behind, strict=True)}


def _ordered(texts: Iterable[str]) -> list[str]:
    """Texts without line ends, decomposed."""
    joined: str = normalizers.NFD().normalize_str("\n".join(text.strip("\n") for text in texts))
    return joined.split("\n")


def _check_syllables(decomposed: dict[int, str]) -> None:
    """Syllables of Hangul are taken apart by arithmetic, which programs do themselves."""
    for number in range(_SYLLABLES):
        parts = [0x1100 + number // 588, 0x1161 + number // 28 % 21, 0x11A7 + number % 28]
        wanted = "".join(map(chr, parts if number % 28 else parts[:2]))
        if decomposed.pop(_FIRST_SYLLABLE + number, None) != wanted:
            raise CanaoError(
                "this release of tokenizers decomposes Hangul differently; install another one"
            )
