"""Models whose schedules were chosen by measurement compute the same, and are tuned once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
import torch
from e2e_support import measure_accuracy, random_inputs

import canao
from canao.building.cache import Cache
from canao.tuning.database import Database, Outcome, Record

_BAD = {Outcome.wrong, Outcome.crashed, Outcome.timeout, Outcome.illegal}


def records(cache_dir: Path) -> tuple[Record, ...]:
    """What the tuning database of a cache holds."""
    with closing(Database(Cache(cache_dir))) as database:
        return database.records()


def check_tuned(
    model: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    tune: Literal["default", "full"],
    cache_dir: Path,
    target: str = "c",
) -> None:
    """Tunes a model twice: the second time nothing is measured."""
    threads = 1 if target == "c" else None
    first = canao.compile(
        model, inputs, target=target, tune=tune, threads=threads, cache_dir=cache_dir
    )
    measure_accuracy(first, model, inputs).check()
    known = records(cache_dir)
    assert known
    assert all(record.winner and record.searched == tune for record in known)
    outcomes = {m.outcome for record in known for m in record.measurements}
    assert outcomes.isdisjoint(_BAD)
    tuned = {record.best.name: len(record.measurements) for record in known if record.best}
    tried = [k for k in first.program.kernels if len(k.variants_tried) > 1]
    assert tried
    assert all(len(k.variants_tried) == tuned[k.variant] for k in tried)
    said: list[str] = []
    second = canao.compile(
        model,
        inputs,
        target=target,
        tune=tune,
        threads=threads,
        cache_dir=cache_dir,
        progress=said.append,
    )
    assert not any("measuring" in text for text in said)
    assert records(cache_dir) == known
    assert second.source == first.source
    with torch.inference_mode():
        outs = [compiled(**inputs).last_hidden_state for compiled in (first, second)]
    assert torch.equal(*outs)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", ["c", pytest.param("opencl", marks=pytest.mark.slow)])
def test_minilm(minilm: torch.nn.Module, target: str, tmp_path: Path) -> None:
    check_tuned(minilm, random_inputs(30522, 1, 128), "default", tmp_path, target)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("target", ["c", "opencl"])
def test_small_bert_in_full(target: str, tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512
    )
    model = BertModel(config).eval()
    check_tuned(model, random_inputs(config.vocab_size, 1, 128), "full", tmp_path, target)
