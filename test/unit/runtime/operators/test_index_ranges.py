"""Ranges of indices are PyTorch's: lookups take none below 0, `x[i]` counts those from the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import canao
from canao.errors import ExecutionError

TABLE = torch.arange(15.0).reshape(5, 3)
IDS = torch.tensor([[4, 0, 2], [1, 3, 0]])


class Model(nn.Module):
    """A function of a table and of ids, either of which may be held by the model."""

    def __init__(
        self, function: Callable[[Tensor, Tensor], Tensor], table: Tensor | None, ids: Tensor | None
    ) -> None:
        super().__init__()
        self.function = function
        self.table: Tensor | None
        self.ids: Tensor | None
        self.register_buffer("table", table)
        self.register_buffer("ids", ids)

    def forward(self, given: Tensor) -> Tensor:
        table = given if self.table is None else self.table
        ids = given if self.ids is None else self.ids
        return self.function(table, ids) + 1


LOOKUPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "embedding": lambda table, ids: nn.functional.embedding(ids, table),
    "gather": lambda table, ids: table.gather(0, ids),
    "index_select": lambda table, ids: table.index_select(0, ids.reshape(-1)),
}
INDEXINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "first": lambda table, ids: table[ids],
    "last": lambda table, ids: table.transpose(0, 1)[:, ids],
    "pair": lambda table, ids: table[ids, ids % 3],
}


def compiled(
    model: nn.Module, example: Tensor, cache_dir: Path, target: str = "c"
) -> canao.CompiledModel:
    options: dict[str, Any] = {"threads": 1} if target == "c" else {"target": target}
    return canao.compile(model, (example,), tune="off", cache_dir=cache_dir, **options)


TARGETS = pytest.mark.parametrize("target", ["c", "opencl"])


def with_one(value: int) -> Tensor:
    """The ids with one of them replaced."""
    ids = IDS.clone()
    ids[1, 1] = value
    return ids


def check_refused(model: nn.Module, found: canao.CompiledModel, given: Tensor) -> None:
    """Both raise, and the compiled model works again afterwards."""
    with pytest.raises((IndexError, RuntimeError)):
        model(given)
    with pytest.raises(ExecutionError, match="index out of range for a table of 5 rows"):
        found(given)


@TARGETS
@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups_take_no_negative_ids(name: str, target: str, tmp_path: Path) -> None:
    model = Model(LOOKUPS[name], TABLE, None)
    found = compiled(model, IDS, tmp_path, target)
    for bad in (-1, -5, -100, 5, 2**62, -(2**63)):
        check_refused(model, found, with_one(bad))
        assert torch.equal(found(IDS), model(IDS))


@TARGETS
@pytest.mark.parametrize("name", INDEXINGS)
def test_indexing_counts_from_the_end(name: str, target: str, tmp_path: Path) -> None:
    model = Model(INDEXINGS[name], TABLE, None)
    found = compiled(model, IDS, tmp_path, target)
    for good in (-1, -5, 4):
        assert torch.equal(found(with_one(good)), model(with_one(good)))
    for bad in (-6, 5, 2**62, -(2**63)):
        check_refused(model, found, with_one(bad))


@pytest.mark.parametrize("bad", [-1, 5])
@pytest.mark.parametrize("name", LOOKUPS)
def test_constant_ids_are_checked_too(name: str, bad: int, tmp_path: Path) -> None:
    model = Model(LOOKUPS[name], None, with_one(bad))
    check_refused(model, compiled(model, TABLE, tmp_path), TABLE)


@pytest.mark.parametrize("bad", [-1, 5])
def test_constant_ids_of_a_constant_table(bad: int, tmp_path: Path) -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Embedding(5, 3)
            self.register_buffer("ids", with_one(bad))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.rows(self.ids)

    with pytest.raises(ExecutionError, match=f"index {bad} is out of range .* 5 rows; look up"):
        compiled(Positions(), torch.ones(3), tmp_path)


def test_constant_indexing_is_folded(tmp_path: Path) -> None:
    model = Model(lambda table, ids: table[ids], None, with_one(-1))
    assert torch.equal(compiled(model, TABLE, tmp_path)(TABLE), model(TABLE))
    below = Model(lambda table, ids: table[ids], None, with_one(-6))
    check_refused(below, compiled(below, TABLE, tmp_path), TABLE)
