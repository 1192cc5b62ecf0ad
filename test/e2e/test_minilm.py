"""all-MiniLM-L6-v2, real weights, against PyTorch in float32 and float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from e2e_support import measure_accuracy, random_inputs

import canao

VOCABULARY = 30522
SHAPES = [(batch, length) for length in (1, 7, 37, 128, 384) for batch in (1, 3)]
QUICK = {"c": {(1, 1), (3, 7), (1, 37), (1, 128)}, "opencl": {(1, 37)}}


def _marked(target: str, shape: tuple[int, int]) -> object:
    quick = shape in QUICK[target]
    return pytest.param(target, *shape, marks=() if quick else pytest.mark.slow)


CASES = [_marked(target, shape) for target in QUICK for shape in SHAPES]


@pytest.mark.parametrize(("target", "batch", "length"), CASES)
def test_agrees_with_pytorch(
    target: str, batch: int, length: int, minilm: torch.nn.Module, build_cache: Path
) -> None:
    inputs = random_inputs(VOCABULARY, batch, length)
    compiled = canao.compile(minilm, inputs, target=target, tune="off", cache_dir=build_cache)
    measure_accuracy(compiled, minilm, inputs).check()
    assert compiled.report.fallbacks == 0


def test_second_compile_uses_the_cache(
    minilm: torch.nn.Module, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    inputs = random_inputs(VOCABULARY, 1, 128)
    cold = canao.compile(minilm, inputs, tune="off", cache_dir=tmp_path)
    # Seconds are recorded, never judged: machines differ and have neighbours.
    record_property("cold_seconds", dict(cold.report.compile_seconds))
    built = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.so")}
    warm = canao.compile(minilm, inputs, tune="off", cache_dir=tmp_path)
    record_property("warm_seconds", dict(warm.report.compile_seconds))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.so")} == built
    assert warm.source == cold.source
    with torch.inference_mode():
        assert torch.equal(warm(**inputs).last_hidden_state, cold(**inputs).last_hidden_state)


def test_results_do_not_depend_on_the_number_of_threads(
    minilm: torch.nn.Module, build_cache: Path
) -> None:
    inputs = random_inputs(VOCABULARY, 1, 37)
    outs = [
        canao.compile(minilm, inputs, threads=threads, tune="off", cache_dir=build_cache)(
            **inputs
        ).last_hidden_state
        for threads in (1, 2)
    ]
    assert (outs[0] - outs[1]).abs().max().item() <= 1e-5
