"""A model that was compiled for another machine: looked at, saved and exported, not called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import canao
from canao.compiled_model import CompiledModel
from canao.errors import ExecutionError

X = torch.linspace(-1, 1, 24).reshape(3, 8)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4)).eval()


@pytest.fixture(scope="module")
def foreign(network: nn.Module) -> CompiledModel:
    return canao.compile(network, (X,), target=canao.Target("aarch64-linux-musl"))


def test_it_cannot_be_called(foreign: CompiledModel) -> None:
    message = r"compiled for aarch64-linux-musl, .*cannot run; write it out with \.export\(dir\)"
    for run in (lambda: foreign(X), foreign.measure, foreign.profile):
        with pytest.raises(ExecutionError, match=message):
            run()


def test_it_was_compiled(foreign: CompiledModel) -> None:
    library = foreign.build.library.read_bytes()
    assert library[:4] == b"\x7fELF"
    assert int.from_bytes(library[18:20], "little") == 183  # EM_AARCH64
    assert "f32x4" in foreign.source
    assert foreign.cpu_flags == ("asimd",)


def test_its_report_has_counts_and_no_times(foreign: CompiledModel) -> None:
    report = foreign.report
    assert report.layers_before > report.layers_after > 0
    assert report.flops > 0
    assert report.latency_ms is None
    assert report.cpu_utilization is None
    assert json.loads(report.to_json())["latency_ms"] is None
    text = str(report)
    assert "not measured: aarch64-linux-musl is not this machine" in text
    assert "4, usual for the target" in text
    assert "GFLOP/s" not in text


def test_what_was_saved_runs_here_after_all(
    foreign: CompiledModel, network: nn.Module, tmp_path: Path
) -> None:
    loaded = canao.load(foreign.save(tmp_path / "saved"))
    with torch.no_grad():
        torch.testing.assert_close(loaded(X), network(X), rtol=1e-5, atol=1e-6)


def test_its_weights_can_be_replaced(foreign: CompiledModel, network: nn.Module) -> None:
    foreign.update_weights(network)
    foreign.close()


def test_what_was_exported_is_made_for_its_target(
    foreign: CompiledModel, network: nn.Module, tmp_path: Path
) -> None:
    """`make` alone takes zig's clang; a compiler that is named is taken instead."""
    foreign.export(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "CC"}
    environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    subprocess.run(["make", "-s"], cwd=tmp_path, env=environment, check=True)
    (tmp_path / "in0.bin").write_bytes(X.numpy().tobytes())
    row = foreign.build.target.row
    assert row is not None
    subprocess.run([*row.emulator, "./model", "in0.bin", "out0.bin"], cwd=tmp_path, check=True)
    found = np.fromfile(tmp_path / "out0.bin", np.float32).reshape(3, 4)
    np.testing.assert_allclose(found, network(X).detach().numpy(), rtol=0, atol=1e-5)
    dry = ["make", "-B", "-n", "CC=some-gcc"]
    said = subprocess.run(dry, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "zig" not in said
    assert "some-gcc -std=gnu11 -pthread  -O3 -march=armv8-a" in said
