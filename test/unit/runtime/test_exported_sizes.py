"""Exported programs of models whose dimensions vary: `--size`, files of exactly that size."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim

import canao

BATCH, ROWS = (1, 4), (2, 40)


class Pool(nn.Module):
    """Results with two dimensions that vary, with one, and with a difference of one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense = nn.Linear(6, 10)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Means of rows, the rows that the mask keeps, and how neighbours differ."""
        rows = torch.tanh(self.dense(x)) * mask.unsqueeze(-1).float()
        return rows.mean(dim=1), rows, rows[:, 1:] - rows[:, :-1]


def _example(batch: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch * 100 + rows)
    mask = torch.randint(0, 2, (batch, rows), generator=generator)
    return torch.randn(batch, rows, 6, generator=generator), mask


@pytest.fixture(scope="module", params=["c", "opencl"])
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, drivers: Path
) -> Any:
    """Runs the exported program with arguments, in its directory."""
    dims = {0: Dim("batch", min=1, max=BATCH[1]), 1: Dim("rows", min=2, max=ROWS[1])}
    compiled = canao.compile(
        Pool(),
        _example(2, 5),
        target=request.param,
        tune="off",
        dynamic_shapes=(dims, dims),
        threads=2 if request.param == "c" else None,
    )
    path = compiled.export(tmp_path_factory.mktemp("exported") / "program")
    subprocess.run(["make", "-C", str(path), "CFLAGS=-O1 -Wall -Wextra -Werror"], check=True)
    environment = {**os.environ, "OCL_ICD_VENDORS": str(drivers)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./model", *arguments],
            cwd=path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    return path, run


FILES = ("x.bin", "mask.bin", "mean.bin", "rows.bin", "steps.bin")


@pytest.mark.parametrize(("batch", "rows"), [(1, 2), (1, 5), (2, 16), (3, 17), (4, 39), (4, 40)])
def test_every_size(program: Any, batch: int, rows: int) -> None:
    path, run = program
    inputs = _example(batch, rows)
    for tensor, name in zip(inputs, FILES, strict=False):
        tensor.numpy().tofile(path / name)
    done = run("--size", f"rows={rows}", "--size", f"batch={batch}", "--time", "2", *FILES)
    assert done.returncode == 0, done.stderr
    assert "ms median" in done.stdout
    for name, wanted in zip(FILES[2:], Pool()(*inputs), strict=True):
        found = np.fromfile(path / name, "<f4").reshape(wanted.shape)
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "sizes",
    [
        (),
        ("--size", "rows=5"),
        ("--size", "rows=41", "--size", "batch=1"),
        ("--size", "rows=1", "--size", "batch=1"),
        ("--size", "rows=5x", "--size", "batch=1"),
        ("--size", "rows=", "--size", "batch=1"),
        ("--size", "row=5", "--size", "batch=1"),
        ("--size", "5", "--size", "batch=1"),
        ("--size",),
    ],
)
def test_sizes_that_make_no_sense(program: Any, sizes: tuple[str, ...]) -> None:
    _, run = program
    done = run(*sizes, *FILES)
    assert done.returncode == 2
    assert "--size batch=N  from 1 to 4" in done.stderr
    assert "--size rows=N  from 2 to 40" in done.stderr


@pytest.mark.parametrize(("batch", "rows"), [(2, 5), (2, 7), (1, 6)])
def test_files_of_another_size(program: Any, batch: int, rows: int) -> None:
    path, run = program
    for tensor, name in zip(_example(2, 6), FILES, strict=False):
        tensor.numpy().tofile(path / name)
    done = run("--size", f"rows={rows}", "--size", f"batch={batch}", *FILES)
    assert done.returncode == 1
    assert "x.bin: wrong size" in done.stderr


def test_what_is_written_about_it(program: Any) -> None:
    path, _ = program
    metadata = json.loads((path / "metadata.json").read_text())
    assert metadata["sizes"] == [
        {"name": "batch", "low": 1, "high": 4},
        {"name": "rows", "low": 2, "high": 40},
    ]
    assert [entry["shape"] for entry in metadata["inputs"]] == [
        ["batch", "rows", 6],
        ["batch", "rows"],
    ]
    assert [entry["shape"] for entry in metadata["outputs"]] == [
        ["batch", 10],
        ["batch", "rows", 10],
        ["batch", "rows - 1", 10],
    ]
    readme = (path / "README.md").read_text()
    assert "--size batch=4 --size rows=40 in0.bin in1.bin out0.bin out1.bin out2.bin" in readme
    assert "`rows` from 2 to 40" in readme
