"""What OpenCL adds to models: copies, the use of the device, halves in memory, all fusions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from e2e_support import measure_accuracy, random_inputs
from transformers import BertConfig, BertModel

import canao

VOCABULARY = 30522


def test_report_of_minilm(minilm: torch.nn.Module, build_cache: Path) -> None:
    inputs = random_inputs(VOCABULARY, 1, 37)
    compiled = canao.compile(minilm, inputs, target="opencl", tune="off", cache_dir=build_cache)
    report = compiled.report
    assert report.fallbacks == 0
    assert report.gpu_utilization
    assert report.transfer_bytes == 2 * 8 * 37 + 4 * 384 * (37 + 1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (3, 37), (1, 128)])
def test_minilm_in_halves(
    batch: int, length: int, minilm: torch.nn.Module, build_cache: Path
) -> None:
    """Storing a number as a half changes it by 2**-11 of its size at most. A block stores four
    tensors, one after another, made with as many weights, and the embeddings are stored first:
    51 roundings in six blocks, after each of which norms keep all numbers of one size."""
    inputs = random_inputs(VOCABULARY, batch, length)
    compiled = canao.compile(
        minilm, inputs, target="opencl", dtype="float16", tune="off", cache_dir=build_cache
    )
    with torch.inference_mode():
        expected = minilm(**inputs).last_hidden_state
    found = compiled(**inputs).last_hidden_state
    assert torch.isfinite(found).all()
    difference = (found - expected).abs().max().item()
    assert 0 < difference <= 51 * 2.0**-11 * expected.abs().max().item()
    angles = torch.nn.functional.cosine_similarity(found, expected, dim=-1)
    assert angles.min().item() >= 0.999
    assert compiled.report.fallbacks == 0


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
