"""Small models for tests of exported programs, and what builds and runs these."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

STRICT = "-O2 -march=native -Wall -Wextra -Werror -pedantic"
COMPILERS = {"gcc": "gcc", "clang": f"{sys.executable} -m ziglang cc"}


class Mixed(nn.Module):
    """int64, bool and float32 in; results of several shapes, one of them empty."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.dense = nn.Embedding(50, 32), nn.Linear(32, 48)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Hidden states, their sum along rows, how many count, and nothing."""
        x = nn.functional.gelu(self.dense(self.table(ids))) + bias
        x = x.softmax(-1) * mask.unsqueeze(-1).float()
        return x, x.sum(1), mask.sum(), bias[:0]


def mixed_inputs(batch: int = 2, rows: int = 9) -> tuple[torch.Tensor, ...]:
    """Inputs of `Mixed`."""
    generator = torch.Generator().manual_seed(100 * batch + rows)
    ids = torch.randint(0, 50, (batch, rows), generator=generator)
    mask = torch.rand(batch, rows, generator=generator) > 0.3
    return ids, mask, torch.randn(48, generator=generator)


def make(path: Path, **variables: str) -> None:
    """Build the program in a folder."""
    words = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "-s", "-C", str(path), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def run(
    path: Path, *arguments: object, runner: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run it there."""
    command = [*runner, str(path / "model"), *map(str, arguments)]
    return subprocess.run(
        command, cwd=path, capture_output=True, text=True, timeout=120, check=False
    )


def library(path: Path) -> Path:
    """A shared library of the functions of `model.h`."""
    made = path / "libmodel.so"
    gcc = shutil.which("gcc")
    assert gcc, "gcc is needed to build an exported program"
    flags = ["-O1", "-shared", "-fPIC", "-pthread", "-o", str(made)]
    files = [str(path / name) for name in ("model.c", "kernels.c")]
    subprocess.run([gcc, *flags, *files, "-lm"], check=True, capture_output=True)
    return made
