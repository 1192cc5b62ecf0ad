"""Texts go on as transformers writes them, piece by piece, and let go of their memory."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from unit.generation.small_decoders import small_decoder
from unit.generation.tokenizers_of_kinds import byte_level

from canao.apps import TextGenerator
from canao.apps.text_stream import TextStream
from canao.decoding.stream import Stream
from canao.errors import CanaoError, UnsupportedModelError
from canao.generation import generator as generator_module
from canao.generation.text_pieces import TextPieces

PROMPTS = ["The fox", "emoji \U0001f600 cafe\u0301", "שלום", "\r\n\t x"]


@pytest.fixture(scope="module")
def decoder() -> Any:
    model = small_decoder("grouped", positions=120, vocabulary=320)
    with torch.no_grad():  # logits far enough apart that roundings decide nothing
        model.lm_head.weight.mul_(30)
    return model


@pytest.fixture(scope="module")
def compiled(decoder: Any) -> TextGenerator:
    return TextGenerator(decoder, byte_level(), tune="off", threads=1)


@pytest.fixture(scope="module")
def uncompiled(decoder: Any) -> TextGenerator:
    return TextGenerator(decoder, byte_level(), backend="pytorch", threads=1)


def written(writer: TextGenerator, prompt: str, **options: Any) -> str:
    return "".join(piece.text for piece in writer.stream(prompt, **options))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_likeliest_text_is_that_of_transformers(
    prompt: str, decoder: Any, compiled: TextGenerator, uncompiled: TextGenerator
) -> None:
    tokenizer = byte_level()
    given = tokenizer(prompt, return_tensors="pt")
    given.pop("token_type_ids", None)
    found = decoder.generate(**given, max_new_tokens=40, do_sample=False)
    wanted = tokenizer.decode(found[0, given["input_ids"].shape[1] :])
    assert written(compiled, prompt, max_new_tokens=40) == wanted
    assert written(uncompiled, prompt, max_new_tokens=40) == wanted


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_drawn_texts_are_those_of_transformers(
    seed: int, decoder: Any, compiled: TextGenerator, uncompiled: TextGenerator
) -> None:
    tokenizer, options = byte_level(), {"temperature": 3.0, "top_k": 20, "top_p": 0.9}
    given = tokenizer("The fox", return_tensors="pt")["input_ids"]
    torch.manual_seed(seed)
    found = decoder.generate(given, max_new_tokens=30, do_sample=True, **options)
    wanted = tokenizer.decode(found[0, given.shape[1] :])
    for writer in (compiled, uncompiled):
        assert written(writer, "The fox", max_new_tokens=30, seed=seed, **options) == wanted


def test_pieces_have_their_times(compiled: TextGenerator) -> None:
    stream = compiled.stream("The fox", max_new_tokens=30)
    assert stream.times.ended is None
    assert stream.times.first_token_ms is None
    pieces = list(stream)
    times = stream.times
    assert all(piece.text and piece.latency_ms >= 0 for piece in pieces)
    assert "".join(piece.text for piece in pieces) == stream.text
    assert sum(piece.tokens for piece in pieces) == times.tokens == 30
    assert times.words == len(stream.text.split())
    assert times.prompt_tokens == len(byte_level()("The fox")["input_ids"])
    assert times.first_token_ms is not None
    assert times.token_ms is not None
    assert times.first_token_ms + times.token_ms <= times.total_ms
    assert times.words_per_second == pytest.approx(1000 * times.words / times.total_ms)
    assert times.ended == "length"
    assert list(stream) == []


def _stream(tokens: list[int], stop: str = "", most: int = 64) -> TextStream:
    pieces = TextPieces(byte_level(), [stop])
    return TextStream((token for token in tokens), pieces, prompt_tokens=1, most=most)


def test_a_text_says_why_it_ended() -> None:
    tokens = byte_level()("one two\U0001f600 three")["input_ids"]
    ended = _stream(tokens)
    assert "".join(piece.text for piece in ended) == "one two\U0001f600 three"
    assert ended.times.ended == "end"
    full = _stream(tokens, most=len(tokens))
    assert all(piece.text for piece in full)
    assert full.times.ended == "length"
    stopped = _stream(tokens, stop=" three")
    assert "".join(piece.text for piece in stopped) == "one two\U0001f600"
    assert stopped.times.ended == "stop"
    with _stream(tokens) as closed:
        next(closed)
    assert closed.times.ended == "closed"
    assert list(closed) == []


def test_parts_of_a_character_are_one_piece() -> None:
    tokens = byte_level()("\U0001f9d1\u200d\U0001f680")["input_ids"]
    pieces = list(_stream(tokens))
    assert "".join(piece.text for piece in pieces) == "\U0001f9d1\u200d\U0001f680"
    assert sum(piece.tokens for piece in pieces) == len(tokens) > len(pieces)


def test_texts_end_where_they_are_to(compiled: TextGenerator) -> None:
    first = written(compiled, "The fox", max_new_tokens=1)
    stopped = compiled.stream("The fox", max_new_tokens=9, stop=first)
    assert list(stopped) == []
    assert stopped.times.ended == "stop"
    full = compiled.stream("The fox", max_new_tokens=1000)
    assert sum(piece.tokens for piece in full) == full.times.tokens
    # The last token needs no room: the model does not read it.
    assert full.times.prompt_tokens + full.times.tokens == compiled.longest + 1 == 121
    assert full.times.ended == "length"


def test_closing_frees_a_stream_at_once(
    compiled: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Stream]] = []

    class Watched(Stream):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(generator_module, "Stream", Watched)
    gc.disable()
    try:
        stream = compiled.stream("The fox")
        next(stream)
        assert made[0]() is not None
        stream.close()
        assert made[0]() is None
        dropped = compiled.stream("The fox")
        next(dropped)
        del dropped
        assert made[1]() is None
        unread = compiled.stream("The fox")
        unread.close()
        assert list(unread) == []
    finally:
        gc.enable()
    assert len(made) == 2


def test_another_thread_may_close_a_text() -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def tokens() -> Any:
        begun.set()
        go_on.wait(60)
        try:
            yield from byte_level()("one two")["input_ids"]
        finally:
            closed.set()

    stream = TextStream(tokens(), TextPieces(byte_level(), []), prompt_tokens=1, most=9)
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(next, stream)
        assert begun.wait(60)
        closing = pool.submit(stream.close)
        go_on.set()
        closing.result(60)
        assert closed.wait(60)
        assert reading.exception(60) is None or isinstance(reading.exception(), StopIteration)
    assert stream.times.ended == "closed"


def test_streams_at_once_are_as_each_alone(compiled: TextGenerator) -> None:
    prompts = PROMPTS * 4
    alone = [written(compiled, prompt, max_new_tokens=20) for prompt in prompts]
    with ThreadPoolExecutor(16) as pool:
        at_once = pool.map(lambda prompt: written(compiled, prompt, max_new_tokens=20), prompts)
        assert list(at_once) == alone


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "\udc00"}, "the prompt has half of a surrogate pair"),
        ({"prompt": "fox " * 100}, "the prompt has .* tokens, and a text at most 120"),
        ({"temperature": -1.0}, "temperature=-1.0 is out of range"),
        ({"temperature": float("nan")}, "temperature=nan is out of range"),
        ({"top_p": 0.0}, "top_p=0.0 is out of range"),
        ({"max_new_tokens": -1}, "max_new_tokens=-1 is out of range"),
    ],
)
def test_what_cannot_be_written_is_one_error(
    options: dict[str, Any], message: str, compiled: TextGenerator, uncompiled: TextGenerator
) -> None:
    given: dict[str, Any] = {"prompt": "The fox", **options}
    for writer in (compiled, uncompiled):
        with pytest.raises(CanaoError, match=message):
            writer.stream(**given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda model: TextGenerator(model, backend="pytorch"), "there is no tokenizer"),
        (lambda _: TextGenerator(7, byte_level(), backend="pytorch"), "got a int"),
        (
            lambda model: TextGenerator(model, byte_level(), backend="gpu"),  # pyright: ignore[reportArgumentType]
            "backend='gpu'",
        ),
        (
            lambda model: TextGenerator(model, byte_level(), backend="pytorch", max_length=1),
            "a stream of 1 tokens is too short",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused(
    make: Callable[[Any], Any], message: str, decoder: Any
) -> None:
    with pytest.raises((CanaoError, UnsupportedModelError), match=message):
        make(decoder)


def test_what_is_compiled_may_be_given(compiled: TextGenerator, uncompiled: TextGenerator) -> None:
    generator: Any = compiled._writer  # pyright: ignore[reportPrivateUsage]
    again = TextGenerator(generator.generator)
    assert again.model is compiled.model
    with pytest.raises(CanaoError, match="is not compiled"):
        _ = uncompiled.model
