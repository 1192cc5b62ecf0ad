"""Pieces of text join to the text of all tokens, and end before a stop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canao.generation.text_pieces import TextPieces


class _Bytes:
    """A tokenizer of bytes: parts of a character decode to a replacement character."""

    def decode(self, tokens: list[int], **_: object) -> str:
        return bytes(tokens).decode(errors="replace")


def _pieces(text: str, stops: list[str]) -> tuple[list[str], bool]:
    made, found = TextPieces(_Bytes(), stops), list[str]()
    for token in text.encode():
        found.append(made.add(token))
        if made.stopped:
            break
    return [*found, made.rest()], made.stopped


_LETTERS = st.one_of(st.sampled_from("abc"), st.characters(exclude_characters="\ufffd"))
_STOPS = st.lists(st.text(_LETTERS, min_size=1, max_size=3), max_size=2)


@given(st.text(_LETTERS), _STOPS)
def test_pieces_join(text: str, stops: list[str]) -> None:
    pieces, stopped = _pieces(text, stops)
    begun = (text[:end] for end in range(len(text) + 1))
    first = next((part for part in begun if any(stop in part for stop in stops)), None)
    assert stopped == (first is not None)
    if first is not None:
        text = text[: min(first.index(stop) for stop in stops if stop in first)]
    assert "".join(pieces) == text


def test_what_may_be_a_stop_waits() -> None:
    pieces, stopped = _pieces("one END two", ["END"])
    assert "".join(pieces) == "one "
    assert stopped
    assert _pieces("EN", ["END"]) == (["", "", "EN"], False)


def test_parts_of_characters_wait() -> None:
    assert _pieces("\u00e9", []) == (["", "\u00e9", ""], False)
