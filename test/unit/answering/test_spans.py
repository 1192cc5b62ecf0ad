"""Spans are chosen as by looking at each one, and are whole characters of the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.answering.oracles import TEXTS, all_spans, byte_pairs, softmax, word_pieces

from canao.answering.characters import line_and_column, utf16_offset, whole_characters
from canao.answering.spans import choose_spans
from canao.answering.windows import WindowMaker, Windows
from canao.errors import CanaoError, ExecutionError

CHARACTERS = "ab \t\r\n\u0301\u200d👩🇩🇪🏽ש\u05b8กำ日é\u0600"
KINDS = st.sampled_from([word_pieces, byte_pairs])


def _logits(windows: Windows, seed: int, padding: int = 0) -> list[Any]:
    generator = np.random.default_rng(seed)
    lengths = [len(row["input_ids"]) + padding for row in windows.rows]
    return [generator.normal(0, 3, length).astype(np.float32) for length in lengths]


def _windows(tokenizer: Callable[[], Any], text: str, window: int = 40) -> Windows:
    return WindowMaker(tokenizer(), window=window, stride=8).cut("Who?", text)


@settings(deadline=None, max_examples=60)
@given(
    KINDS,
    st.sampled_from(TEXTS),
    st.integers(0, 1000),
    st.integers(1, 12),
    st.integers(1, 40),
    st.booleans(),
)
def test_the_best_spans_are_those_of_a_search_through_all(
    tokenizer: Callable[[], Any], text: str, seed: int, top: int, longest: int, no_answer: bool
) -> None:
    text = text * 2
    windows = _windows(tokenizer, text)
    starts, ends = _logits(windows, seed, padding=3), _logits(windows, seed + 1, padding=3)
    chosen = choose_spans(windows, starts, ends, top=top, longest=longest, no_answer=no_answer)

    every = all_spans(windows, starts, ends, longest)
    null = [starts[n][0] + ends[n][0] for n in range(len(windows))]
    logits = [*every.values(), *([min(map(float, null))] if no_answer else [])]
    scores = dict(zip(every, softmax(logits), strict=False))
    best: dict[tuple[int, int], tuple[float, float]] = {}
    for (i, j), logit in every.items():
        place = whole_characters(text, *(int(windows.offsets[i, 0]), int(windows.offsets[j, 1])))
        if place[0] < place[1]:
            best[place] = max(best.get(place, (-np.inf, 0.0)), (logit, scores[i, j]))
    wanted = sorted(best.items(), key=lambda item: -item[1][0])[:top]

    assert [span.logit for span in chosen.spans] == pytest.approx([w[1][0] for w in wanted])
    assert [span.score for span in chosen.spans] == pytest.approx([w[1][1] for w in wanted])
    assert [(span.start, span.end) for span in chosen.spans] == [w[0] for w in wanted]
    if no_answer:
        assert chosen.null_score == pytest.approx(softmax(logits)[-1])
        assert chosen.answered == (logits[-1] - chosen.spans[0].logit <= 0)
    else:
        assert chosen.null_score is None
        assert chosen.answered


@settings(deadline=None, max_examples=40)
@given(KINDS, st.sampled_from(TEXTS), st.integers(0, 200))
def test_answers_are_whole_characters_without_space_around(
    tokenizer: Callable[[], Any], text: str, seed: int
) -> None:
    windows = _windows(tokenizer, text)
    chosen = choose_spans(windows, _logits(windows, seed), _logits(windows, seed + 1), top=20)
    edges = {0, *(cluster.end() for cluster in regex.finditer(r"\X", text))}
    for span in chosen.spans:
        answer = text[span.start : span.end]
        assert answer == answer.strip() != ""
        assert {span.start, span.end} <= edges
    assert len({(span.start, span.end) for span in chosen.spans}) == len(chosen.spans)


def _pointed_at(windows: Windows, first: int, last: int) -> tuple[list[Any], list[Any]]:
    """Logits of a model that is sure of two tokens of the text."""
    starts, ends = (
        [np.zeros(len(r["input_ids"]), np.float32) for r in windows.rows] for _ in range(2)
    )
    for row, (skipped, count) in enumerate(zip(windows.starts, windows.counts, strict=True)):
        for logits, token in ((starts, first), (ends, last)):
            if skipped <= token < skipped + count:
                logits[row][windows.first + token - skipped] = 9
    return starts, ends


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("in the Cafe\u0301 of Vienna", "Cafe\u0301"),
        ("e\u0301", "e\u0301"),
        ("it was 👩‍👩‍👧‍👦 there", "👩‍👩‍👧‍👦"),
        ("won by 🇩🇪 over 🇫🇷", "🇩🇪"),
        ("rated 👍🏽 by all", "👍🏽"),
        ("העיר תל אביב יפה", "תל אביב"),
        ("قال مرحبا بالعالم ثم", "مرحبا"),
        ("say שָׁלוֹם to all", "שָׁלוֹם"),
        ("one\r\ntwo three\r\nfour", "two three"),
        ("tab\tstop\there", "stop"),
        ("first word", "first"),
        ("the last", "last"),
        ("a zero\u200dwidth joiner", "zero\u200dwidth"),
    ],
)
@pytest.mark.parametrize("tokenizer", [word_pieces, byte_pairs])
def test_offsets_are_right_in_texts_of_all_kinds(
    tokenizer: Callable[[], Any], text: str, answer: str
) -> None:
    windows = WindowMaker(tokenizer(), window=128, stride=16).cut("Who?", text)
    start = text.index(answer)
    inside = [
        number
        for number, (begin, end) in enumerate(windows.offsets.tolist())
        if start < end and begin < start + len(answer)
    ]
    chosen = choose_spans(windows, *_pointed_at(windows, inside[0], inside[-1]), longest=40)
    best = chosen.best
    assert best is not None
    assert text[best.start : best.end] == answer
    utf16 = text.encode("utf-16-le")
    cut = slice(2 * utf16_offset(text, best.start), 2 * utf16_offset(text, best.end))
    assert utf16[cut].decode("utf-16-le") == answer


def test_an_answer_in_two_windows_counts_once() -> None:
    windows = _windows(word_pieces, TEXTS[0] * 4)
    token = int(windows.starts[1]) + 1
    assert token < windows.starts[0] + windows.counts[0]
    chosen = choose_spans(windows, *_pointed_at(windows, token, token), top=3)
    places = [(span.start, span.end) for span in chosen.spans]
    assert places[0] == tuple(windows.offsets[token])
    assert len(set(places)) == 3
    assert chosen.spans[0].score > 0.9


def test_no_answer_is_what_all_windows_say() -> None:
    windows = _windows(word_pieces, TEXTS[0] * 4)
    starts, ends = (
        ([np.zeros(len(r["input_ids"]), np.float32) for r in windows.rows]) for _ in range(2)
    )
    for row in (*starts, *ends):
        row[0] = 5
    none = choose_spans(windows, starts, ends)
    assert none.best is None
    assert not none.answered
    assert none.null_margin == pytest.approx(10)
    assert choose_spans(windows, starts, ends, no_answer=False).best is not None
    assert choose_spans(windows, starts, ends, threshold=10).best is not None
    starts[1][0] = -20
    assert choose_spans(windows, starts, ends).best is not None


def test_ties_go_to_the_span_that_comes_first() -> None:
    windows = WindowMaker(word_pieces()).cut("Who?", "one two three")
    flat = [np.zeros(len(windows.rows[0]["input_ids"]), np.float32)]
    for top in (1, 2, 6):
        spans = choose_spans(windows, flat, flat, top=top).spans
        assert [(s.start, s.end) for s in spans[:2]] == [(0, 3), (0, 7)][:top]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_an_error(wrong: float) -> None:
    windows = WindowMaker(word_pieces()).cut("Who?", "one two three")
    logits = [np.full(len(windows.rows[0]["input_ids"]), wrong, np.float32)]
    with pytest.raises(ExecutionError, match="no finite numbers"):
        choose_spans(windows, logits, logits)


def test_no_spans_are_no_choice() -> None:
    windows = WindowMaker(word_pieces()).cut("Who?", "one")
    with pytest.raises(CanaoError, match="top=0"):
        choose_spans(windows, [], [], top=0)


@settings(deadline=None, max_examples=60)
@given(
    st.text(st.sampled_from("ab \t\r\n\u0301\u200d👩🇩🇪🏽ש\u05b8กำ日é\u0600"), max_size=14),
    st.data(),
)
def test_spans_are_widened_to_characters(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found = whole_characters(text, start, end)
    bare = text[start:end].strip()
    if not bare:
        assert found[0] == found[1]
        return
    begin = start + len(text[start:end]) - len(text[start:end].lstrip())
    edges = [0, *(cluster.end() for cluster in regex.finditer(r"\X", text))]
    assert found[0] == max(edge for edge in edges if edge <= begin)
    assert found[1] == min(edge for edge in edges if edge >= begin + len(bare))


def test_lines_and_columns_begin_with_one() -> None:
    text = "one\r\ntwo\rthree\nfour"
    places = [line_and_column(text, text.index(word)) for word in ("one", "two", "three", "four")]
    assert places == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert line_and_column(text, text.index("ree")) == (3, 3)
