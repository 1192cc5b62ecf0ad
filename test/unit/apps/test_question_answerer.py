"""Questions are answered as by the same steps around PyTorch's model, at the right places."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from unit.answering.oracles import TEXTS, word_pieces
from unit.apps.small_readers import SureReader, random_reader
from unit.huggingface.small_models import SIZES

import canao
from canao.apps import QuestionAnswerer
from canao.errors import CanaoError, ExecutionError, InputFileError, UnsupportedModelError

QUESTIONS = ["Who wrote the first program?", "When?", "🇩🇪 or שָׁלוֹם?"]


@pytest.fixture(scope="module")
def reader() -> Any:
    return random_reader()


@pytest.fixture(scope="module")
def compiled(reader: Any) -> QuestionAnswerer:
    return QuestionAnswerer(reader, word_pieces(), batch=3, tune="off", threads=1)


@pytest.fixture(scope="module")
def uncompiled(reader: Any) -> QuestionAnswerer:
    return QuestionAnswerer(reader, word_pieces(), batch=3, backend="pytorch", threads=1)


def sure(first: str, last: str, none: float = 0.0, **options: Any) -> QuestionAnswerer:
    model = SureReader(first, last, none)
    return QuestionAnswerer(model, word_pieces(), backend="pytorch", **options)


@pytest.mark.parametrize("question", QUESTIONS)
def test_spans_are_those_of_pytorch(
    question: str, compiled: QuestionAnswerer, uncompiled: QuestionAnswerer
) -> None:
    for text in [*TEXTS, " ".join(TEXTS), TEXTS[0] * 12]:
        mine, theirs = (each.answer(question, text, top=8) for each in (compiled, uncompiled))
        assert (mine.text, mine.start, mine.end) == (theirs.text, theirs.start, theirs.end)
        assert mine.score == pytest.approx(theirs.score, rel=1e-3)
        assert [(o.start, o.end) for o in mine.others] == [(o.start, o.end) for o in theirs.others]
        assert mine.no_answer_score == pytest.approx(theirs.no_answer_score, rel=1e-3)
        for span in (mine, *mine.others):
            assert text[span.start : span.end] == span.text
        assert 0 < mine.latency_ms < mine.total_ms


def test_the_model_of_one_window_is_called_as_by_hand(
    reader: Any, compiled: QuestionAnswerer
) -> None:
    """The best span of tokens, by transformers and PyTorch alone."""
    question, text = QUESTIONS[0], TEXTS[0]
    given = word_pieces()(question, text, return_tensors="pt", return_offsets_mapping=True)
    offsets = given.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        found = reader(**given)
    places = [n for n, part in enumerate(given.sequence_ids(0)) if part == 1]
    pairs = {
        (i, j): float(found.start_logits[0, i] + found.end_logits[0, j])
        for i in places
        for j in places
        if i <= j < i + 30
    }
    best = max(pairs, key=lambda pair: pairs[pair])
    answer = compiled.answer(question, text, no_answer=False)
    assert (answer.start, answer.end) == (offsets[best[0]][0], offsets[best[1]][1])
    assert answer.no_answer_score is None


def test_long_texts_are_read_in_batches(compiled: QuestionAnswerer) -> None:
    seen: list[tuple[int, int]] = []
    answer = compiled.answer(
        "Who?", " ".join(TEXTS * 4), progress=lambda part, whole: seen.append((part, whole))
    )
    assert answer.windows > 2 * compiled.batch
    steps = [*range(3, answer.windows, 3), answer.windows]
    assert seen == [(step, answer.windows) for step in steps]


@pytest.mark.parametrize(
    "text",
    [
        "Ada Byron",
        "It was Ada Byron",
        "👩‍👩‍👧 e\u0301 שלום\r\n\tAda\u200d \r\nByron ...",
        "x " * 200 + "Ada Byron" + " y" * 200,
        "x " * 250 + "Ada Byron",
    ],
)
def test_the_answer_is_found_wherever_it_is(text: str) -> None:
    answer = sure("ada", "byron", window=64, stride=16, batch=2).answer("Who?", text)
    start, end = text.index("Ada"), text.index("Byron") + len("Byron")
    assert (answer.text, answer.start, answer.end) == (text[start:end], start, end)
    assert answer.score > 0.99


def test_words_of_the_question_are_no_answer() -> None:
    answer = sure("ada", "ada").answer("Ada, Ada or Ada?", "Nobody knows, say some; Ada!")
    assert (answer.text, answer.start) == ("Ada", len("Nobody knows, say some; "))
    assert "Ada" not in {other.text for other in answer.others}


def test_no_answer() -> None:
    answerer = sure("ada", "ada", none=5.0)
    none = answerer.answer("Who?", "nobody here knows", top=3)
    assert (none.found, none.text, none.start, none.end) == (False, "", 0, 0)
    assert none.score == none.no_answer_score
    assert none.score > 0.99
    assert len(none.others) == 2
    forced = answerer.answer("Who?", "nobody here knows", no_answer=False)
    assert forced.text == "nobody"
    assert answerer.answer("Who?", "it was ada").text == "ada"
    assert sure("ada", "ada", none=5.0, threshold=10).answer("Who?", "nobody").text == "nobody"


def test_an_answer_has_few_tokens() -> None:
    text = "ada and then some more words and byron"
    assert sure("ada", "byron", answer_tokens=8).answer("Who?", text).text == text
    assert len(sure("ada", "byron", answer_tokens=7).answer("Who?", text).text.split()) < 8


def test_threads_may_share_an_answerer(compiled: QuestionAnswerer) -> None:
    asked = [(question, text * 3) for question in QUESTIONS for text in TEXTS]

    def places(pair: tuple[str, str]) -> list[tuple[int, int, float]]:
        found = compiled.answer(*pair)
        return [(span.start, span.end, span.score) for span in (found, *found.others)]

    alone = [places(pair) for pair in asked]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(places, asked)) == alone


def test_a_saved_model_is_read_and_not_compiled(
    reader: Any, tmp_path: Path, uncompiled: QuestionAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, saved = tmp_path / "original", tmp_path / "saved"
    reader.save_pretrained(original)
    word_pieces().save_pretrained(original)
    model = canao.CanaoModelForQuestionAnswering.from_pretrained(
        original, shapes=canao.AutoShapes(batch=2, sequence=64), tune="off", threads=1
    )
    model.save_pretrained(saved)
    word_pieces().save_pretrained(saved)
    monkeypatch.setattr("canao.apps.readers.compile", None)
    answerer = QuestionAnswerer(saved, threads=1)
    assert (answerer.batch, answerer.windows.window) == (2, 64)
    text = " ".join(TEXTS)
    assert answerer.answer("Who?", text).start == uncompiled.answer("Who?", text).start
    with pytest.raises(CanaoError, match="holds compiled code alone"):
        QuestionAnswerer(saved, backend="pytorch")


def test_the_compiled_model_is_at_hand(
    compiled: QuestionAnswerer, uncompiled: QuestionAnswerer
) -> None:
    assert {symbol.name for symbol in compiled.model.program.symbols} == {"batch", "sequence"}
    with pytest.raises(CanaoError, match="is not compiled"):
        _ = uncompiled.model


@pytest.mark.parametrize(
    ("question", "text", "message"),
    [
        ("", "text", "the question is empty"),
        ("Who?", " \r\n\t", "the text is empty"),
        ("Who " * 70, "text", "the question is too long"),
        ("Who?", "\ud83d", "half of a surrogate pair"),
        (None, "text", r"a question is a text \(str\); got a NoneType"),
        ("Who?", b"text", r"a text is a text \(str\); got a bytes"),
    ],
)
def test_what_cannot_be_answered_is_one_error(
    question: Any, text: Any, message: str, uncompiled: QuestionAnswerer
) -> None:
    with pytest.raises(CanaoError, match=message):
        uncompiled.answer(question, text)


def _backbone() -> Any:
    return transformers.BertModel(transformers.BertConfig(**SIZES)).eval()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuestionAnswerer(_backbone(), word_pieces()), "gives no start_logits"),
        (
            lambda: QuestionAnswerer(_backbone(), word_pieces(), backend="pytorch"),
            "gives no start_logits and end_logits; give one for question answering",
        ),
        (lambda: QuestionAnswerer(_backbone()), "no tokenizer for a BertModel"),
        (lambda: QuestionAnswerer(7, word_pieces()), "got a int"),
        (lambda: sure("a", "b", window=600), "window=600 is more than the 512"),
        (lambda: sure("a", "b", batch=0), "batch=0"),
        (lambda: sure("a", "b", threads=0), "threads=0"),
        (
            lambda: QuestionAnswerer(_backbone(), word_pieces(), backend="onnx"),  # pyright: ignore[reportArgumentType]
            "backend='onnx' is not known; choose one of 'canao', 'pytorch'",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(CanaoError, match=message):
        make()


def test_folders_without_a_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    word_pieces().save_pretrained(tmp_path / "tokenizer")
    with pytest.raises((InputFileError, UnsupportedModelError), match="tokenizer"):
        QuestionAnswerer(tmp_path / "tokenizer")


def test_weights_that_are_no_numbers_are_an_error() -> None:
    answerer = sure("ada", "ada", none=float("nan"))
    with pytest.raises(ExecutionError, match="no finite numbers"):
        answerer.answer("Who?", "it was ada")


def test_pytorch_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    sure("ada", "ada", threads=before + 3).answer("Who?", "it was ada")
    assert torch.get_num_threads() == before
