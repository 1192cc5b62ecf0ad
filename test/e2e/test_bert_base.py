"""BERT as Hugging Face configures it by default, with random weights."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from e2e_support import measure_accuracy, random_inputs
from transformers import BertConfig, BertModel

import canao

TARGETS = ["c", pytest.param("opencl", marks=pytest.mark.slow)]


def _watch_memory(stop: threading.Event, found: list[int]) -> None:
    """Appends what the process has resident to `found` until told to stop."""
    process = psutil.Process()
    while not stop.is_set():
        found.append(process.memory_info().rss)
        time.sleep(0.01)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_two_layers(attention: str, target: str, build_cache: Path) -> None:
    torch.manual_seed(2)
    model = BertModel(BertConfig(num_hidden_layers=2, vocab_size=1000)).eval()
    model.set_attn_implementation(attention)
    inputs = random_inputs(1000, 2, 37)
    compiled = canao.compile(model, inputs, target=target, tune="off", cache_dir=build_cache)
    measure_accuracy(compiled, model, inputs).check()
    assert compiled.report.fallbacks == 0


@pytest.mark.parametrize("target", TARGETS)
def test_fast_products_keep_three_times_the_error(target: str, build_cache: Path) -> None:
    torch.manual_seed(2)
    model = BertModel(BertConfig(num_hidden_layers=2, vocab_size=1000)).eval()
    inputs = random_inputs(1000, 1, 128)
    compiled = canao.compile(
        model, inputs, target=target, tune="off", fusion="fast", cache_dir=build_cache
    )
    accuracy = measure_accuracy(compiled, model, inputs)
    assert accuracy.difference <= 1e-4
    assert accuracy.error <= 3 * accuracy.reference_error
    products = compiled.report.fast_products
    assert len(products) == 8
    assert {p.weights[0].rsplit(".", 2)[-2] for p in products} >= {"dense"}
    for product in products:
        assert product.error is not None
        assert product.plain_error is not None
        assert product.error.relative <= 4 * product.plain_error.relative
    assert "computed as seven products" in str(compiled.report)
    assert '"fast_products"' in compiled.report.to_json()
    reloaded = canao.load(compiled.save(build_cache / f"fast-{target}"))
    assert reloaded.program.fast_products == products


@pytest.mark.parametrize("target", TARGETS)
def test_equal_layers_share_kernels(target: str, build_cache: Path) -> None:
    kernels: list[int] = []
    calls: list[int] = []
    for layers in (2, 4):
        config = BertConfig(
            num_hidden_layers=layers,
            hidden_size=64,
            num_attention_heads=4,
            intermediate_size=128,
            vocab_size=100,
        )
        model = BertModel(config).eval()
        inputs = random_inputs(100, 1, 16)
        compiled = canao.compile(model, inputs, target=target, tune="off", cache_dir=build_cache)
        kernels.append(len(compiled.report.kernels))
        calls.append(compiled.report.layers_after)
    assert kernels[0] == kernels[1]
    assert calls[0] < calls[1]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", ["c", "opencl"])
def test_twelve_layers(
    target: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    torch.manual_seed(12)
    model = BertModel(BertConfig()).eval()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    inputs = random_inputs(30522, 1, 128)
    before = psutil.Process().memory_info().rss
    stop, resident = threading.Event(), [before]
    watcher = threading.Thread(target=_watch_memory, args=(stop, resident))
    watcher.start()
    try:
        compiled = canao.compile(model, inputs, target=target, tune="off", cache_dir=tmp_path)
    finally:
        stop.set()
        watcher.join()
    record_property("compile_seconds", dict(compiled.report.compile_seconds))

    measure_accuracy(compiled, model, inputs).check()
    assert compiled.report.fallbacks == 0
    # Twelve equal layers share their kernels; the embedding and the pooler have some of their own.
    assert len(compiled.report.kernels) < compiled.report.layers_after // 3
    # The model itself was resident before: compiling may add twice as much.
    assert max(resident) - before < 2 * weights
