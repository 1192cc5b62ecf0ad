"""The model for questions that comes with canao finds answers, compiled as in PyTorch."""

from __future__ import annotations

import pytest

from canao.apps import QuestionAnswerer

TEXT = (
    "The Wright brothers, two makers of bicycles from Dayton in Ohio, built the first aeroplane "
    "that a pilot could steer. On 17 December 1903 it flew four times near Kitty Hawk in North "
    "Carolina; the longest flight took 59 seconds. Its engine was made by their mechanic, Charlie "
    "Taylor, in six weeks."
)
ANSWERS = {
    "Who made the engine?": "Charlie Taylor",
    "When did it fly?": "17 December 1903",
    "How long did the longest flight take?": "59 seconds",
}


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 12], ids=["one window", "several windows"])
def test_it_answers_as_pytorch_does(repeats: int) -> None:
    compiled, eager = QuestionAnswerer(), QuestionAnswerer(backend="pytorch")
    text = " ".join(["Nothing is said of it here."] * 20 * (repeats - 1) + [TEXT])
    for question, wanted in ANSWERS.items():
        found, theirs = compiled.answer(question, text), eager.answer(question, text)
        assert (found.text, found.windows > 1) == (wanted, repeats > 1)
        assert (found.start, found.end) == (theirs.start, theirs.end)
        assert found.score == pytest.approx(theirs.score, abs=1e-4)
