"""Memory stays flat however much is written, and when streams are dropped."""

from __future__ import annotations

import gc
from collections.abc import Callable

import psutil
import pytest
import torch
from unit.generation.small_decoders import small_decoder

import canao
from canao.decoding.forward import DecoderForward
from canao.decoding.stream import Stream

_MB = 1 << 20
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def generator() -> canao.CompiledGenerator:
    return canao.CompiledGenerator(small_decoder("grouped", 2001), tune="off", threads=1)


def _growth(work: Callable[[int], object], times: int, warm: int) -> float:
    """MB of memory that the process has more after the work than after its first rounds."""
    process = psutil.Process()
    for number in range(warm):
        work(number)
    gc.collect()
    before = process.memory_info().rss
    for number in range(times):
        work(number)
    gc.collect()
    return (process.memory_info().rss - before) / _MB


def test_ten_thousand_tokens(generator: canao.CompiledGenerator) -> None:
    """Logits alone are 12 MB, which would show if they stayed."""

    def write(number: int) -> None:
        found = generator.generate([number + 1], max_new_tokens=2000)
        assert len(found) == 2000

    assert _growth(write, times=5, warm=2) < 8


def test_two_hundred_streams(generator: canao.CompiledGenerator) -> None:
    """A stream of 600 tokens has 0.15 MB of keys and values: 200 that stayed would be 30."""

    def begin(number: int) -> None:
        stream = Stream(generator.decoder)
        stream.feed([(number + n) % 300 for n in range(600)])

    assert _growth(begin, times=200, warm=20) < 8


def test_caches_of_transformers(generator: canao.CompiledGenerator) -> None:
    config = generator.config
    model = canao.CanaoModelForCausalLM(config, DecoderForward(generator.decoder, config))
    ids = torch.arange(600)[None] % 300

    def write(_: int) -> None:
        model.generate(ids, num_beams=3, max_new_tokens=3)

    assert _growth(write, times=60, warm=5) < 8
