"""Exported programs cut texts into the tokens of the library, and answer as `QuestionAnswerer`."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from unit.answering.oracles import TEXTS, word_pieces
from unit.apps.small_readers import random_reader
from unit.exporting.asking import (
    CORRUPT,
    CUT_OFF,
    LONG_QUESTION,
    NO_QUESTION,
    NO_TEXT,
    NO_TOKENIZER,
    NOT_UTF8,
    OK,
    OTHER_TOKENIZER,
    Asked,
)
from unit.exporting.awkward_texts import AWKWARD_TEXTS, LETTERS

from canao.answering.characters import whole_characters
from canao.apps import QuestionAnswerer

# All characters of Unicode are looked at, which takes a minute or two on a busy machine.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def answerer() -> QuestionAnswerer:
    return QuestionAnswerer(random_reader(), word_pieces(), batch=1, tune="off", threads=1)


@pytest.fixture(scope="module")
def asked(answerer: QuestionAnswerer, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    return Asked(answerer.export(tmp_path_factory.mktemp("asked")))


@pytest.fixture(scope="module")
def library(answerer: QuestionAnswerer) -> Any:
    """The tokenizer of Hugging Face, as windows are made with it."""
    backend = Tokenizer.from_str(answerer.windows.tokenizer_json)
    backend.encode_special_tokens = True
    return backend


def in_bytes(text: str, place: int) -> int:
    return len(text[:place].encode())


def tokens_of(library: Any, text: str) -> list[tuple[int, int, int]]:
    found = library.encode(text, add_special_tokens=False)
    places = [0]
    for letter in text:
        places.append(places[-1] + len(letter.encode()))
    return [
        (number, places[start], places[end])
        for number, (start, end) in zip(found.ids, found.offsets, strict=True)
    ]


def check_tokens(asked: Asked, library: Any, text: str) -> None:
    assert asked.encode(text.encode()) == (OK, tokens_of(library, text)), ascii(text)


@settings(max_examples=400, deadline=None)
@given(AWKWARD_TEXTS)
def test_tokens_are_those_of_the_library(asked: Asked, library: Any, text: str) -> None:
    check_tokens(asked, library, text)


def test_every_character_alone_and_in_a_word(asked: Asked, library: Any) -> None:
    """All of Unicode, so that no table has a wrong place."""
    for start in range(0, 0x110000, 0x1000):
        codes = (code for code in range(start, start + 0x1000) if not 0xD800 <= code < 0xE000)
        letters = [chr(code) for code in codes]
        check_tokens(asked, library, " ".join(letters))
        check_tokens(asked, library, "".join(f"a{one}b\u0301 " for one in letters))


@pytest.mark.parametrize("text", [*TEXTS, "", "\0", "x" * 100, "x" * 101, "é" * 5000, "☃" * 300])
def test_tokens_of_texts(asked: Asked, library: Any, text: str) -> None:
    check_tokens(asked, library, text)


def test_many_accents_on_one_letter(asked: Asked, library: Any) -> None:
    check_tokens(asked, library, "Z" + "\u0301\u0334\u302e\u0345\u0327" * 300 + "algo")


@settings(max_examples=300, deadline=None)
@given(AWKWARD_TEXTS, st.data())
def test_answers_end_where_people_see_characters_end(
    asked: Asked, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    low, high = whole_characters(text, start, end)
    left, first, last = asked.widened(text.encode(), in_bytes(text, start), in_bytes(text, end))
    assert left == (low < high)
    if left:
        assert (first, last) == (in_bytes(text, low), in_bytes(text, high)), ascii(text)


def check_answers(asked: Asked, answerer: QuestionAnswerer, text: str, question: str) -> None:
    wanted = answerer.answer(question, text, top=6)
    status, found = asked.ask(text.encode(), question.encode(), 6)
    assert status == OK
    spans = [(one.start, one.end, one.score) for one in (wanted, *wanted.others)]
    places = [(in_bytes(text, start), in_bytes(text, end)) for start, end, _ in spans]
    assert [(start, end) for start, end, _ in found] == places
    for (_, _, mine), (_, _, theirs) in zip(found, spans, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("question", ["Who wrote the first program?", "🇩🇪 or שָׁלוֹם?"])
def test_answers_of_texts(asked: Asked, answerer: QuestionAnswerer, question: str) -> None:
    """One window, and many of them."""
    for text in [*TEXTS, " ".join(TEXTS), TEXTS[0] * 12, TEXTS[2] * 20]:
        check_answers(asked, answerer, text, question)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(LETTERS, st.sampled_from(TEXTS)), min_size=1, max_size=30).map("".join))
def test_answers_of_awkward_texts(asked: Asked, answerer: QuestionAnswerer, text: str) -> None:
    check_answers(asked, answerer, text + " end", "What is it?")


@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"a\x80", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80", b"\xe0\x80\x80",
     b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xf0\x9f\x91", "ä".encode("latin-1")],
)  # fmt: skip
def test_what_is_no_utf8_is_refused(asked: Asked, bad: bytes) -> None:
    assert asked.encode(b"good " + bad) == (NOT_UTF8, [])
    assert asked.ask(bad, b"What?") == (NOT_UTF8, [])
    assert asked.ask(b"A text.", bad) == (NOT_UTF8, [])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=12), AWKWARD_TEXTS.map(str.encode)))
def test_bytes_are_utf8_as_python_has_it(asked: Asked, data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        assert asked.encode(data)[0] == NOT_UTF8
    else:
        assert asked.encode(data)[0] == OK


def test_questions_that_cannot_be_asked(asked: Asked) -> None:
    assert asked.ask(b"A text.", b" \t ") == (NO_QUESTION, [])
    assert asked.ask(b" \0 \n", b"What?") == (NO_TEXT, [])
    assert asked.ask(b"", b"What?") == (NO_TEXT, [])
    assert asked.ask(b"A text.", b"why " * 60) == (LONG_QUESTION, [])


def test_a_tokenizer_that_is_damaged(asked: Asked, tmp_path: Path) -> None:
    data = (asked.path / "tokenizer.bin").read_bytes()
    assert asked.opened(data) == OK
    for size in (8, 63, 64, 100, len(data) - 1):
        assert asked.opened(data[:size]) == CUT_OFF
    assert asked.opened(data + b"\0") == CUT_OFF
    assert (
        asked.opened(b"") == asked.opened(b"{}") == asked.opened(bytes(len(data))) == NO_TOKENIZER
    )
    for place in (64, 100, len(data) // 2, len(data) - 1):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert asked.opened(changed) == CORRUPT
    assert asked.opened(data[:8] + b"\2" + data[9:]) == NO_TOKENIZER
    assert asked.opened(data[:40] + b"\0" + data[41:]) == OTHER_TOKENIZER


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 19), st.integers(0, 2**32 - 1))
def test_places_outside_of_the_file_are_refused(asked: Asked, word: int, value: int) -> None:
    """Numbers and sections of a file whose checksum was made to fit."""
    data = bytearray((asked.path / "tokenizer.bin").read_bytes())
    struct.pack_into("<I", data, 64 + 4 * word, value)
    struct.pack_into("<I", data, 24, zlib.crc32(data[64:]))
    assert asked.opened(bytes(data)) in (OK, CORRUPT)
