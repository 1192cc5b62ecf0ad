"""all-MiniLM-L6-v2, real weights, on an OpenCL device against PyTorch in float32 and float64."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from e2e_support import measure_accuracy, random_inputs
from transformers import BertConfig, BertModel

import canao

VOCABULARY = 30522
SHAPES = [(batch, length) for length in (1, 7, 37, 128) for batch in (1, 3)]


def _marked(shape: tuple[int, int]) -> object:
    return pytest.param(*shape, marks=() if shape == (1, 37) else pytest.mark.slow)


@pytest.mark.parametrize(("batch", "length"), [_marked(shape) for shape in SHAPES])
def test_agrees_with_pytorch(
    batch: int, length: int, minilm: torch.nn.Module, build_cache: Path
) -> None:
    inputs = random_inputs(VOCABULARY, batch, length)
    compiled = canao.compile(minilm, inputs, target="opencl", tune="off", cache_dir=build_cache)
    measure_accuracy(compiled, minilm, inputs).check()
    report = compiled.report
    assert report.fallbacks == 0
    assert report.gpu_utilization
    assert report.transfer_bytes == 2 * 8 * batch * length + 4 * 384 * (batch * length + batch)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fusion", [True, False, "exact", "fast"])
def test_bert_base(fusion: canao.api.Fusion, build_cache: Path) -> None:
    torch.manual_seed(0)
    model = BertModel(BertConfig()).eval()
    inputs = random_inputs(VOCABULARY, 1, 128)
    compiled = canao.compile(
        model, inputs, target="opencl", fusion=fusion, tune="off", cache_dir=build_cache
    )
    accuracy = measure_accuracy(compiled, model, inputs)
    assert accuracy.difference <= 1e-4
    assert compiled.report.fallbacks == 0
