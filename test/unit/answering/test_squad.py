"""Files in the format of SQuAD, and scores by the rules of its scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.answering.oracles import official_f1_of_version_2, official_normalize

from canao.answering.scores import exact_match, f1, normalized, score_answers
from canao.answering.squad import Gold, read_squad
from canao.errors import CanaoError, InputFileError

CONTEXT = "Ada wrote the program in 1843 👩‍🔬 in London."


def _qa(**changed: Any) -> dict[str, Any]:
    answers = [{"text": "1843", "answer_start": CONTEXT.index("1843")}]
    return {"id": "q", "question": "When?", "answers": answers, **changed}


def _file(path: Path, *questions: Any, **changed: Any) -> Path:
    data = [{"title": "Ada", "paragraphs": [{"context": CONTEXT, "qas": list(questions)}]}]
    path.write_text(json.dumps({"version": "1.1", "data": data, **changed}), encoding="utf-8")
    return path


def test_both_versions_are_read(tmp_path: Path) -> None:
    one = read_squad(_file(tmp_path / "v1.json", _qa()))
    assert (one.version, one.has_unanswerable) == ("1.1", False)
    (question,) = one.questions
    assert question.golds == (Gold("1843", CONTEXT.index("1843")),)
    assert (question.title, question.context, question.id) == ("Ada", CONTEXT, "q")

    none = _qa(id="n", answers=[], is_impossible=True, plausible_answers=[{"text": "x"}])
    two = read_squad(_file(tmp_path / "v2.json", _qa(is_impossible=False), none, version="v2.0"))
    assert (two.version, two.has_unanswerable) == ("v2.0", True)
    assert two.questions[1].golds == ()


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = _file(tmp_path / "v1.json", _qa())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_squad(path).questions) == 1


_PLACE = r"bad\.json: data\[0\]\.paragraphs\[0\]\.qas\[0\]"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (_qa(id=7), _PLACE + " has a 'id' that is not a text"),
        ({"id": "q", "answers": []}, _PLACE + " has no answers"),
        ({"id": "q", "answers": [], "is_impossible": True}, _PLACE + " has no 'question'"),
        (_qa(answers={}), _PLACE + " has a 'answers' that is not a list"),
        (_qa(is_impossible="no"), _PLACE + " has a 'is_impossible' that is not true or false"),
        (_qa(is_impossible=True), _PLACE + " is marked impossible and has answers"),
        (_qa(question="half \ud83d"), _PLACE + r" cannot be used: its 'question' has half"),
        (
            _qa(answers=[{"text": "1843", "answer_start": 24}]),
            _PLACE + r"\.answers\[0\] says '1843' at character 24, where the context has ' 184'",
        ),
        (_qa(answers=[{"text": "1843", "answer_start": -1}]), r"answers\[0\] says"),
        (_qa(answers=[{"text": "A", "answer_start": True}]), "that is not a whole number"),
        (_qa(answers=[{"text": "", "answer_start": 0}]), r"answers\[0\] has an empty text"),
        (3, _PLACE + " is to be an object"),
    ],
)
def test_faults_are_named_with_their_place(tmp_path: Path, question: Any, message: str) -> None:
    with pytest.raises(InputFileError, match=message):
        read_squad(_file(tmp_path / "bad.json", question))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"[]", "the file is to be an object with 'data'"),
        (b'{"data": []}', "the file has no questions"),
        (b'{"data": {}}', "has a 'data' that is not a list"),
        (b"[" * 100_000, "is no JSON"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        read_squad(path)
    with pytest.raises(InputFileError, match="cannot be read"):
        read_squad(tmp_path / "none.json")


def test_ids_are_unique(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="two questions have the id 'q'"):
        read_squad(_file(tmp_path / "bad.json", _qa(), _qa()))


WORDS = st.lists(
    st.sampled_from(["the", "The", "a", "an", "cat", "Cat.", "1,843", "…", "«été»", "an-", "U.S."])
).map(" ".join) | st.text(max_size=12)


@given(WORDS, WORDS)
def test_texts_are_compared_as_the_scripts_do(answer: str, gold: str) -> None:
    assert normalized(answer) == official_normalize(answer)
    assert exact_match(answer, [gold]) == (official_normalize(answer) == official_normalize(gold))
    of_two = official_f1_of_version_2(gold, answer)
    assert f1(answer, [gold], version_2=True) == pytest.approx(of_two)
    # Version 1 counts the words in common, of which an empty text has none.
    empty = not (official_normalize(answer) and official_normalize(gold))
    assert f1(answer, [gold]) == pytest.approx(0 if empty else of_two)


def test_the_annotator_who_agrees_most_counts() -> None:
    assert f1("in 1843", ["1843", "the year 1843"]) == pytest.approx(2 / 3)
    assert exact_match("The 1843", ["x", "1843."]) == 1


def test_scores_are_means_over_questions(tmp_path: Path) -> None:
    data = read_squad(_file(tmp_path / "v1.json", _qa(), _qa(id="r")))
    scores = score_answers(data, {"q": "in 1843", "r": "1843"})
    assert list(scores) == ["all"]
    assert scores["all"].exact == pytest.approx(0.5)
    assert scores["all"].f1 == pytest.approx((2 / 3 + 1) / 2)
    with pytest.raises(CanaoError, match="1 questions have no answer, r the first"):
        score_answers(data, {"q": ""})


def test_no_answer_is_right_where_there_is_none(tmp_path: Path) -> None:
    none = _qa(id="n", answers=[], is_impossible=True)
    more = _qa(id="m", answers=[], is_impossible=True)
    data = read_squad(_file(tmp_path / "v2.json", _qa(is_impossible=False), none, more))
    scores = score_answers(data, {"q": "", "n": "", "m": "the cat"})
    assert scores["answerable"].exact == scores["answerable"].f1 == 0
    assert scores["unanswerable"].exact == scores["unanswerable"].f1 == 0.5
    assert scores["all"].f1 == pytest.approx(1 / 3)
    assert scores["all"].questions == 3
