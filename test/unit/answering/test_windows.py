"""Windows of tokens are those of transformers, and know their places in the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.answering.oracles import TEXTS, byte_pairs, word_pieces

from canao.answering.windows import WindowMaker
from canao.errors import CanaoError, UnsupportedModelError

QUESTION = "Who jumps over the dog?"
KINDS = pytest.mark.parametrize("tokenizer", [word_pieces, byte_pairs])
LONG = " ".join(TEXTS[:8] * 3)


@KINDS
@pytest.mark.parametrize(("window", "stride"), [(64, 16), (64, 0), (90, 30), (512, 128)])
def test_windows_are_those_of_transformers(
    tokenizer: Callable[[], Any], window: int, stride: int
) -> None:
    made = WindowMaker(tokenizer(), window=window, stride=stride).cut(QUESTION, LONG)
    theirs = tokenizer()(
        QUESTION,
        LONG,
        truncation="only_second",
        max_length=window,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    assert len(made) == len(theirs["input_ids"])
    for row, window_of in enumerate(made.rows):
        assert set(window_of) == set(tokenizer().model_input_names)
        for name, column in window_of.items():
            assert column.tolist() == theirs[name][row]
        places = [n for n, part in enumerate(theirs.sequence_ids(row)) if part == 1]
        assert places[0] == made.first
        start, count = made.starts[row], made.counts[row]
        assert len(places) == count
        mine = made.offsets[start : start + count]
        others = np.array([theirs["offset_mapping"][row][n] for n in places])
        # Tokens of nothing but space have no characters, at either side of it. The space before
        # a word is a part of its token only where a window of transformers begins with it.
        full = mine[:, 0] < mine[:, 1]
        assert (full == (others[:, 0] < others[:, 1])).all()
        begin, end = others[0]
        others[0, 0] += end - begin > 1 and LONG[begin].isspace()
        assert (mine == others)[full].all()


@pytest.mark.parametrize("text", TEXTS)
@KINDS
def test_every_token_is_in_a_window(tokenizer: Callable[[], Any], text: str) -> None:
    made = WindowMaker(tokenizer(), window=48, stride=4).cut("Who?", text * 5)
    seen = np.concatenate(
        [np.arange(s, s + n) for s, n in zip(made.starts, made.counts, strict=True)]
    )
    assert set(seen.tolist()) == set(range(len(made.offsets)))
    assert made.longest <= 48


def test_marks_of_models_are_text() -> None:
    tokenizer = word_pieces()
    made = WindowMaker(tokenizer).cut("What is [SEP]?", "[CLS] is a mark, [SEP] another")
    ids = made.rows[0]["input_ids"].tolist()
    assert ids.count(tokenizer.sep_token_id) == 2
    assert ids.count(tokenizer.cls_token_id) == 1
    assert made.nulls.tolist() == [0]


def test_a_batch_is_padded_to_its_longest_window() -> None:
    maker = WindowMaker(word_pieces())
    rows = [maker.cut("Who?", "Ada wrote it.").rows[0], maker.cut("Who was it?", "Ada").rows[0]]
    batch = maker.batch(rows)
    assert sorted(batch) == ["attention_mask", "input_ids", "token_type_ids"]
    assert {array.shape for array in batch.values()} == {(2, 9)}
    assert batch["attention_mask"].sum(axis=1).tolist() == [9, 8]
    assert batch["input_ids"][1, -1] == word_pieces().pad_token_id


@settings(deadline=None)
@given(st.data())
def test_training_positions_hold_the_answer(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS[:7]))
    made = WindowMaker(word_pieces(), window=32, stride=8).cut("Who?", text)
    first = data.draw(st.integers(0, len(made.offsets) - 1))
    last = data.draw(st.integers(first, len(made.offsets) - 1))
    start, end = int(made.offsets[first, 0]), int(made.offsets[last, 1])
    for row, (begin, stop) in enumerate(made.positions(start, end)):
        whole = made.starts[row] <= first and last < made.starts[row] + made.counts[row]
        if not whole:
            assert begin == stop == made.nulls[row]
            continue
        place = np.array([begin, stop]) - made.first + made.starts[row]
        assert made.offsets[place[0], 0] == start
        assert made.offsets[place[1], 1] == end


def test_no_answer_is_trained_on_as_the_first_token() -> None:
    made = WindowMaker(word_pieces()).cut("Who?", "Ada wrote it.")
    assert made.positions(0, 0).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("question", "context", "message"),
    [
        ("", "text", "the question is empty"),
        (" \n", "text", "the question is empty"),
        ("Who?", "", "the text is empty"),
        ("Who?", "\u200b\u200d \t\r\n", "the text is empty"),
        ("Who " * 60, "text", "the question is too long: it takes 60 tokens of a window of 64"),
        ("Who?", "half \ud83d of it", r"U\+D83D\) at character 5"),
        ("\udc00", "text", r"the question has half of a surrogate pair \(U\+DC00\)"),
    ],
)
def test_what_cannot_be_read_is_one_error(question: str, context: str, message: str) -> None:
    with pytest.raises(CanaoError, match=message):
        WindowMaker(word_pieces(), window=64, stride=16).cut(question, context)


def test_a_window_has_room_for_its_stride() -> None:
    with pytest.raises(CanaoError, match="window=64 with stride=64"):
        WindowMaker(word_pieces(), window=64, stride=64)


def test_tokenizers_without_places_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="give a fast tokenizer"):
        WindowMaker(object())
