"""Tuning through the Python API and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from run_command import run_command
from unit.runtime.tuning.tuning_support import ELEMENTWISE, TINY

import canao
import canao.api


def _compile(tune: canao.api.Tune, cache_dir: Path, text: str = ELEMENTWISE) -> canao.CompiledModel:
    return canao.compile(text, None, tune=tune, threads=1, cache_dir=cache_dir)


def test_off_is_deterministic_and_knows_no_database(tmp_path: Path) -> None:
    one = _compile("off", tmp_path / "one")
    assert not list(tmp_path.rglob("tuning.sqlite*"))
    _compile("default", tmp_path / "two")
    two = _compile("off", tmp_path / "two")
    assert one.source == two.source
    assert all(len(k.variants_tried) == 1 for k in two.program.kernels)


def test_default_is_tuned_once(tmp_path: Path) -> None:
    said: list[str] = []
    tuned = canao.compile(ELEMENTWISE, None, threads=1, cache_dir=tmp_path, progress=said.append)
    assert any(text.startswith("tuning") for text in said)
    assert tuned.compile_seconds["tuning"] > 0
    assert tuned.compile_seconds["affine"] > 0
    (row,) = tuned.report.kernels
    assert row.variant in row.variants_tried
    assert len(row.variants_tried) > 1
    again = _compile("default", tmp_path)
    assert "tuning" not in again.compile_seconds
    assert again.source == tuned.source


def test_tuned_code_computes_the_same(tmp_path: Path) -> None:
    x = torch.rand(512, 384, generator=torch.Generator().manual_seed(0))
    r = torch.rand(1, 384, generator=torch.Generator().manual_seed(1))
    for tune in ("off", "default"):
        model = _compile(tune, tmp_path)
        np.testing.assert_allclose(model(x.numpy(), r.numpy()), (x + r * r).numpy(), rtol=1e-6)


def test_an_unknown_mode(tmp_path: Path) -> None:
    with pytest.raises(canao.CanaoError, match="tune='most' is not an option"):
        _compile("most", tmp_path)  # pyright: ignore[reportArgumentType]


# ---------------------------------------------------------------- command line


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CANAO_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "model.mlir"
    path.write_text(ELEMENTWISE)
    return path


def test_the_life_of_a_database(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(monkeypatch, "tune", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["records"] == []
    mode = ("--mode", "default", "--threads", 1)
    assert run_command(monkeypatch, "tune", model, *mode, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["kernels"][0]["variant"] in made["kernels"][0]["variants_tried"]
    assert run_command(monkeypatch, "tune", model, *mode) == 0
    assert "tuned in" in capsys.readouterr().out
    assert run_command(monkeypatch, "tune", "show") == 0
    assert "1 layers in" in capsys.readouterr().out
    file = tmp_path / "tuning.json"
    assert run_command(monkeypatch, "tune", "export", file) == 0
    assert "wrote 1 layers" in capsys.readouterr().out
    assert run_command(monkeypatch, "tune", "import", file, "--json") == 0
    assert json.loads(capsys.readouterr().out)["replaced"] == 1
    status = run_command(monkeypatch, "tune", "validate", "--json")
    standing = json.loads(capsys.readouterr().out)[0]["standing"]
    assert (standing, status) in {("sound", 0), ("drifted", 1)}


def test_an_imported_winner_is_used(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _compile("default", tmp_path / "cache")
    file = tmp_path / "tuning.json"
    assert run_command(monkeypatch, "tune", "export", file) == 0
    content = json.loads(file.read_text())
    (record,) = content["records"]
    others = [
        m
        for m in record["measurements"]
        if m["schedule"] != record["winner"] and m["outcome"] in ("ok", "too slow", "duplicate")
    ]
    others[0].update(outcome="ok")
    record["winner"] = others[0]["schedule"]
    file.write_text(json.dumps(content))
    assert run_command(monkeypatch, "tune", "import", file) == 0
    compiled = _compile("default", tmp_path / "cache")
    assert compiled.program.kernels[0].variant == others[0]["name"]


def test_validate_forgets_what_does_not_hold(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(monkeypatch, "tune", model, "--mode", "default", "--threads", 1) == 0
    monkeypatch.setattr("canao.tuning.validate.DRIFT", 0.0)
    assert run_command(monkeypatch, "tune", "validate") == 1
    assert "do not hold" in capsys.readouterr().err
    assert run_command(monkeypatch, "tune", "validate", "--repair") == 0
    capsys.readouterr()
    assert run_command(monkeypatch, "tune", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["records"] == []


@pytest.mark.parametrize(
    "arguments", [("export",), ("import",), ("show", "file"), ("m", "--mode", "off"), ()]
)
def test_wrong_use(
    model: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    assert run_command(monkeypatch, "tune", *arguments) == 2


def test_failures_are_one_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    assert run_command(monkeypatch, "tune", "import", bad) == 1
    said = capsys.readouterr().err
    assert "nothing was imported" in said
    assert said.count("\n") == 1
    saved = tmp_path / "saved"
    canao.compile(TINY, None, tune="off", threads=1).save(saved)
    assert run_command(monkeypatch, "tune", saved) == 1
    assert "is compiled already" in capsys.readouterr().err
