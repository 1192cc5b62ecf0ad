"""The programs of docs/exporting.md, as they stand there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.export import Dim

import canao

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.GELU())
    shapes = ({0: Dim("rows", min=1, max=64)},)
    compiled = canao.compile(
        model, (torch.ones(5, 4),), dynamic_shapes=shapes, tune="off", threads=1
    )
    path = compiled.export(tmp_path_factory.mktemp("documented"))
    for name in ("model", "kernels"):
        command = ["gcc", "-std=gnu11", "-O2", "-c", f"{name}.c", "-o", f"{name}.o"]
        subprocess.run(command, cwd=path, check=True)
    return model, path


@pytest.mark.parametrize(("compiler", "file"), [("gcc", "embedded.c"), ("g++", "embedded.cpp")])
def test_embedded(exported: tuple[torch.nn.Module, Path], compiler: str, file: str) -> None:
    model, path = exported
    command = [compiler, *STRICT, "-I.", str(EXAMPLES / file), "model.o", "kernels.o"]
    subprocess.run([*command, "-pthread", "-lm", "-o", "program"], cwd=path, check=True)
    done = subprocess.run(["./program"], cwd=path, check=True, capture_output=True, text=True)
    wanted = model(torch.arange(1.0, 13).reshape(3, 4)).detach().numpy()
    found = np.array(done.stdout.split(), np.float32).reshape(3, 2)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
