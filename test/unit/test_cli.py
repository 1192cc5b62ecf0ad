"""The command line, in this process where that is enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from run_command import run_command
from safetensors.numpy import save_file

import canao
from canao.building.cache import Cache

MLIR = """
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %b = canao.weight "b" : tensor<8xf32>
  %y = canao.add %x, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CANAO_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "model.mlir"
    path.write_text(MLIR)
    save_file({"b": np.arange(8, dtype=np.float32)}, tmp_path / "model.safetensors")
    return path


def test_the_life_of_a_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved"
    assert (
        run_command(monkeypatch, "compile", model, "--out", saved, "--tune", "off", "--json") == 0
    )
    assert json.loads(capsys.readouterr().out)["fallbacks"] == 0
    assert run_command(monkeypatch, "inspect", saved) == 0
    assert "computations" in capsys.readouterr().out
    assert run_command(monkeypatch, "inspect", saved, "--source") == 0
    assert "canao_run" in capsys.readouterr().out
    assert run_command(monkeypatch, "inspect", saved, "--ir", "simplified") == 0
    assert "canao.add" in capsys.readouterr().out
    assert run_command(monkeypatch, "bench", saved, "--runs", 3, "--json") == 0
    assert json.loads(capsys.readouterr().out)["latency_ms"]["canao"]["runs"] == 3
    assert run_command(monkeypatch, "export", saved, "--out", tmp_path / "program") == 0
    assert (tmp_path / "program" / "model.c").is_file()


def test_files_of_an_inspection(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, page, graph = tmp_path / "saved", tmp_path / "page.html", tmp_path / "graph.json"
    assert (
        run_command(monkeypatch, "compile", model, "--out", saved, "--tune", "off", "--json") == 0
    )
    capsys.readouterr()
    assert (
        run_command(monkeypatch, "inspect", saved, "--html", page, "--graph", graph, "--json") == 0
    )
    written = json.loads(capsys.readouterr().out)["written"]
    assert written == [
        *map(str, (page, graph, tmp_path / "graph.ms.json", tmp_path / "graph.share.json"))
    ]
    assert "<h1>saved</h1>" in page.read_text(encoding="utf-8")
    assert json.loads(graph.read_text(encoding="utf-8"))["label"] == "saved"
    assert run_command(monkeypatch, "inspect", saved, "--html", page, "--source") == 2
    assert "print alone" in capsys.readouterr().err
    assert (
        run_command(
            monkeypatch, "inspect", saved, "--html", tmp_path / "saved" / "canao.json" / "x"
        )
        == 1
    )
    assert "cannot be written" in capsys.readouterr().err


def test_profile(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved"
    assert (
        run_command(monkeypatch, "compile", model, "--out", saved, "--tune", "off", "--json") == 0
    )
    name = json.loads(capsys.readouterr().out)["kernels"][0]["name"]
    assert run_command(monkeypatch, "bench", saved, "--profile", "--runs", 3) == 0
    assert name in capsys.readouterr().out
    assert run_command(monkeypatch, "bench", saved, "--profile", "--runs", 3, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 3
    assert [row["name"] for row in found["kernels"]] == [name]
    assert run_command(monkeypatch, "bench", saved, "--profile", "--seq", 7) == 1
    assert "'sequence' is no dimension that varies" in capsys.readouterr().err


def test_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(monkeypatch, "devices", "--cache-dir", tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["peak_gflops"]) == list(found["bandwidth_gb_s"])
    assert min(found["peak_gflops"]["1"], found["bandwidth_gb_s"]["1"]) > 0
    assert found["triple"] == canao.Target.host().triple
    assert [device["number"] for device in found["opencl"]] == list(range(len(found["opencl"])))
    pocl = next(d for d in found["opencl"] if d["platform"] == "Portable Computing Language")
    assert min(pocl["peak_gflops"], pocl["bandwidth_gb_s"]) > 0
    assert not found["opencl_note"]


def test_device_without_opencl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.mlir"
    model.write_text("func.func @main() { func.return }")
    assert run_command(monkeypatch, "compile", model, "--device", "gpu") == 1
    assert "give --target opencl too" in capsys.readouterr().err


def test_halves(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--dtype", "float16", "--tune", "off", "--json")
    assert run_command(monkeypatch, "compile", model, *chosen) == 1
    assert "--target opencl" in capsys.readouterr().err
    device = ("--target", "opencl", "--device", "cpu")
    assert run_command(monkeypatch, "compile", model, *device, *chosen) == 0
    assert json.loads(capsys.readouterr().out)["dtype"] == "float16"
    assert run_command(monkeypatch, "bench", model, *device, *chosen, "--runs", 2) == 0
    assert json.loads(capsys.readouterr().out)["latency_ms"]["canao"]["dtype"] == "float16"


def test_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = Cache(tmp_path).store("key", {"data": bytes(3 << 20)}, {}).path
    os.utime(entry, (0, 0))
    assert run_command(monkeypatch, "cache", "--cache-dir", tmp_path) == 0
    assert "1 entry, 3.0 MiB" in capsys.readouterr().out
    assert run_command(monkeypatch, "cache", "--cache-dir", tmp_path, "--max-mb", 1) == 2
    assert entry.exists()
    arguments = ("cache", "prune", "--cache-dir", tmp_path, "--max-mb", 1, "--json")
    assert run_command(monkeypatch, *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["removed"]["entries"], found["held"]["entries"]) == (1, 0)
    assert not entry.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compile", "/no/such/model"), "canao: /no/such/model does not exist"),
        (("inspect", "/no/such/model"), "is not a sound saved model"),
        (("compile", "."), "neither a saved model"),
    ],
)
def test_failures_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(monkeypatch, *arguments) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_an_unknown_stage(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved"
    assert (
        run_command(monkeypatch, "compile", model, "--out", saved, "--tune", "off", "--json") == 0
    )
    assert run_command(monkeypatch, "inspect", saved, "--ir", "nothing") == 1
    assert "there is no stage 'nothing'; the stages are" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("compile",),
        ("compile", "m", "--seq", "0"),
        ("compile", "m", "--attn", "flash"),
        ("export", "m"),
    ],
)
def test_wrong_use(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    assert run_command(monkeypatch, *arguments) == 2


def test_help_is_quick_and_light() -> None:
    program = (
        "import sys\n"
        "from canao.cli import main\n"
        "sys.argv = ['canao', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "heavy = {'torch', 'torch_mlir', 'transformers', 'islpy', 'xdsl'}\n"
        "assert not heavy & set(sys.modules)\n"
    )
    root = str(Path(canao.__file__).parent.parent)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": root},
        check=True,
        capture_output=True,
    )
    assert time.perf_counter() - start < 5, "a second on a quiet machine"


@pytest.mark.parametrize(
    "command", ["compile", "inspect", "bench", "devices", "export", "tune", "train", "eval"]
)
def test_every_command_has_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run_command(monkeypatch, command, "--help") == 0
    assert command in capsys.readouterr().out
