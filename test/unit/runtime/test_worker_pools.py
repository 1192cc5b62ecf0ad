"""Compiled models in pools of worker processes, and caches that nobody can write."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

import canao
from canao.errors import CacheError

X = torch.linspace(-1, 1, 8).reshape(2, 4)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_pool_maps_a_model(start: str, tmp_path: Path) -> None:
    """Each process has a model of its own, made from the saved form."""
    model = nn.Linear(4, 3).eval()
    compiled = canao.compile(model, (X,), tune="off", cache_dir=tmp_path)
    inputs = [n * X for n in range(4)]
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        found = list(pool.map(compiled, inputs))
    for each, x in zip(found, inputs, strict=True):
        assert torch.equal(each, compiled(x))


@pytest.mark.parametrize("place", ["/proc/none", "/dev/null/cache"])
def test_a_cache_that_nobody_can_write(place: str) -> None:
    with pytest.raises(CacheError, match="make it writable, or pass another cache_dir"):
        canao.compile(nn.Linear(4, 3).eval(), (X,), tune="off", cache_dir=place)
