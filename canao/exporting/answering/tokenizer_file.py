"""The file of the tokenizer of an exported program: `tokenizer.json` as its C code reads it.

`support/tokenizer_file.c` says what is where.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.errors import UnsupportedModelError
from canao.files import replacing

NAME = "tokenizer.bin"
_MAGIC = b"CANAOT\x1a\n"
_VERSION = 1
_HEADER = struct.Struct("<8sIIQII32s")
_FNV_START, _FNV_FACTOR, _WORD = 2166136261, 16777619, 0xFFFFFFFF
_NORMALIZER = {"type": "BertNormalizer"}
_NORMALIZER_OPTIONS = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
_MODEL = {"type": "WordPiece"}
_MODEL_OPTIONS = ("unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab")
_POST_PROCESSORS = ("TemplateProcessing", "BertProcessing")
_MOST_CHARACTERS = 1000
"""Of a word, which tokenizers.json may say; programs have room for them."""


@dataclass(frozen=True)
class WordPieces:
    """What of `tokenizer.json` decides about tokens."""

    options: int
    """A bit for each of `_NORMALIZER_OPTIONS`."""
    unknown: int
    most_characters: int
    prefix: str
    """What tokens begin with that go on with a word."""
    vocabulary: Mapping[str, int]


def read_word_pieces(text: str) -> WordPieces:
    """The tokenizer in the text of a `tokenizer.json`.

    `UnsupportedModelError` for whatever programs would do otherwise than the library.
    """
    data: dict[str, Any] = json.loads(text)
    _check_part("normalizer", data, _NORMALIZER, _NORMALIZER_OPTIONS)
    _check_part("pre_tokenizer", data, {"type": "BertPreTokenizer"}, ())
    _check_part("model", data, _MODEL, _MODEL_OPTIONS)
    post = (data.get("post_processor") or {}).get("type")
    if post not in _POST_PROCESSORS:
        raise _refused(f"its post_processor is {post or 'missing'}", " or ".join(_POST_PROCESSORS))
    model, normalizer = data["model"], data["normalizer"]
    vocabulary: dict[str, int] = model["vocab"]
    _check_added(data.get("added_tokens") or [], vocabulary)
    unknown, most = model["unk_token"], model["max_input_chars_per_word"]
    if unknown not in vocabulary:
        raise _refused(f"its vocabulary has no {unknown!r}", "one with the token of unknown words")
    if not 0 < most <= _MOST_CHARACTERS:
        raise _refused(f"its words have up to {most} characters", f"one of 1 to {_MOST_CHARACTERS}")
    if normalizer["strip_accents"] is None:
        normalizer["strip_accents"] = normalizer["lowercase"]
    return WordPieces(
        sum(bool(normalizer[name]) << bit for bit, name in enumerate(_NORMALIZER_OPTIONS)),
        vocabulary[unknown],
        most,
        model["continuing_subword_prefix"],
        vocabulary,
    )


def tokenizer_bytes(pieces: WordPieces) -> bytes:
    """`tokenizer.bin`, all of it."""
    # Of the extra "hf", which other exports do without.
    from canao.exporting.answering.characters import character_tables

    tables = character_tables()
    tokens = sorted((token.encode("utf-8"), number) for token, number in pieces.vocabulary.items())
    starts = np.cumsum([0, *(len(token) for token, _ in tokens)])
    entries = [(int(start), number) for start, (_, number) in zip(starts, tokens, strict=False)]
    arrays = (
        (1, np.frombuffer(pieces.prefix.encode("utf-8"), np.uint8)),
        (1, np.frombuffer(b"".join(token for token, _ in tokens), np.uint8)),
        (8, np.array([*entries, (int(starts[-1]), 0)], np.uint32)),
        (4, _slots([token for token, _ in tokens])),
        (2, tables.blocks),
        (2, tables.places),
        (12, tables.records),
        (4, tables.sequences),
    )
    longest = max(len(token) for token, _ in tokens)
    numbers = (pieces.options, pieces.unknown, pieces.most_characters, longest)
    payload = _laid_out(numbers, arrays)
    size = _HEADER.size + len(payload)
    digest = hashlib.sha256(payload).digest()
    header = _HEADER.pack(_MAGIC, _VERSION, _HEADER.size, size, zlib.crc32(payload), 0, digest)
    return header + payload


def write_tokenizer(path: Path, data: bytes) -> None:
    """Write `tokenizer.bin` in one step."""
    with replacing(path) as new:
        new.write_bytes(data)


def digest_of(data: bytes) -> bytes:
    """The SHA-256 in its header, by which programs know their tokenizer."""
    return data[_HEADER.size - 32 : _HEADER.size]


def _laid_out(numbers: Sequence[int], arrays: Sequence[tuple[int, npt.NDArray[Any]]]) -> bytes:
    """Numbers, then where each array begins and how many elements it has, then the arrays."""
    heads = struct.pack(f"<{len(numbers)}I", *numbers)
    begin = _HEADER.size + len(heads) + 8 * len(arrays)
    table, rooms = b"", b""
    for element, array in arrays:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        table += struct.pack("<II", begin + len(rooms), len(little) // element)
        rooms += little + bytes(-len(little) % 4)
    return heads + table + rooms


def _slots(tokens: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """A table of hashes, at most half full: 1 more than the number of a token, or 0."""
    size = 2
    while size < 2 * len(tokens):
        size *= 2
    slots = [0] * size
    for number, token in enumerate(tokens, 1):
        place = _hash(token) % size
        while slots[place]:
            place = (place + 1) % size
        slots[place] = number
    return np.array(slots, np.uint32)


def _hash(token: bytes) -> int:
    """FNV-1a, by Fowler, Noll and Vo."""
    value = _FNV_START
    for byte in token:
        value = (value ^ byte) * _FNV_FACTOR & _WORD
    return value


def _check_part(
    name: str, data: Mapping[str, Any], wanted: Mapping[str, Any], options: Sequence[str]
) -> None:
    """Refuse a part that is of another type, or says more or less than is understood."""
    part: Mapping[str, Any] = data.get(name) or {}
    if part.get("type") != wanted["type"]:
        raise _refused(f"its {name} is {part.get('type') or 'missing'}", wanted["type"])
    differ = sorted(set(part) ^ {"type", *options})
    if differ:
        raise _refused(f"its {name} has other options ({', '.join(differ)})", "BERT's as it is")


def _check_added(added: Sequence[Mapping[str, Any]], vocabulary: Mapping[str, int]) -> None:
    """Special tokens are never read in texts; others would be, before anything else is."""
    for token in added:
        if not token["special"]:
            raise _refused(f"it has an added token, {token['content']!r}", "one without such")
        if vocabulary.get(token["content"], token["id"]) != token["id"]:
            raise _refused(f"{token['content']!r} has two numbers", "one where it has one")


def _refused(what: str, wanted: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"the tokenizer cannot be exported: {what}; programs know BERT's tokenizer alone, give "
        f"{wanted}"
    )
