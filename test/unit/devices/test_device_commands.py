"""The commands that take a device."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from run_command import run_command
from safetensors.numpy import save_file
from unit.devices.adb_server import Phone, adb_server

MLIR = """
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %b = canao.weight "b" : tensor<8xf32>
  %y = canao.add %x, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
"""


def test_bench_on_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.mlir"
    model.write_text(MLIR)
    save_file({"b": np.arange(8, dtype=np.float32)}, tmp_path / "model.safetensors")
    bench = ("bench", model, "--tune", "off", "--threads", 1, "--runs", 2, "--device")
    assert run_command(monkeypatch, *bench, "local", "--json") == 0
    figure = json.loads(capsys.readouterr().out)["figure"]
    assert figure["cost"] > 0
    assert (figure["unit"], figure["threads"], figure["device"]) == ("ms", 1, "this machine")
    assert run_command(monkeypatch, *bench, "local", "--profile") == 2
    assert "leave --device out" in capsys.readouterr().err
    assert run_command(monkeypatch, *bench[:-1], "--there") == 2
    assert "belong to a --device" in capsys.readouterr().err
    assert run_command(monkeypatch, *bench, "qemu:z80") == 1
    assert "there is no qemu-z80" in capsys.readouterr().err


def test_devices_that_run_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("canao.cli.devices.describe_devices", lambda cache: {})
    with adb_server(Phone("R58", state="unauthorized")) as server:
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{server.port}")
        assert run_command(monkeypatch, "devices", "--cache-dir", tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    titles = {row["spec"]: row["title"] for row in found["runners"]}
    assert titles["adb:R58"] == "Test_Phone, unauthorized"
    assert titles["qemu:aarch64"].startswith("qemu-aarch64 ")
    assert "local" in titles
    assert found["runner_notes"] == []
