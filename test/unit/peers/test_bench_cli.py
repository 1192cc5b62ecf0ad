"""`canao bench` and what is under it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from run_command import run_command
from unit.peers.test_tables import comparison

import canao.peers.compare as compare_module
import canao.peers.lengths as lengths_module
import canao.peers.shapes as shapes_module
import canao.peers.table1 as table1_module
from canao.peers.compare import Plan
from canao.peers.comparison import Comparison
from canao.peers.lengths import LengthsResult


@pytest.mark.parametrize("command", ["model", "setup", "peers", "shapes", "lengths", "table1"])
def test_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run_command(monkeypatch, "bench", "--help") == 0
    assert command in capsys.readouterr().out
    assert run_command(monkeypatch, "bench", command, "--help") == 0
    assert f"bench {command}" in capsys.readouterr().out


@pytest.mark.parametrize("order", [("model.mlir", "--runs", 2), ("--runs", 2, "model.mlir")])
def test_a_model_needs_no_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    order: tuple[object, ...],
) -> None:
    assert run_command(monkeypatch, "bench", *order) == 1
    assert "canao: model.mlir does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("peers", "--peers", "litert"), 1, "run: canao bench setup litert"),
        (("peers", "--peers", "mxnet"), 1, "there is no peer 'mxnet'; choose from canao,"),
        (("peers", "--models", "gpt"), 1, "there is no model 'gpt' to measure; choose from bert-"),
        (("peers", "--threads", "few"), 2, "not a list of numbers of threads"),
        (("shapes", "--shapes", "1x16,big"), 2, "'big' is not a batch and a sequence"),
        (("shapes", "--shapes", "0x16"), 2, "'0x16' is not a batch and a sequence"),
        (("lengths", "--lengths", "3,long"), 2, "'long' is not a length"),
        (("table1",), 1, "run: canao bench setup litert"),
        (("setup", "mxnet"), 1, "there is no environment 'mxnet' to install"),
    ],
)
def test_errors_say_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    assert run_command(monkeypatch, "bench", *arguments, "--home", tmp_path) == status
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in told


def test_results_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plans: list[Plan] = []

    def compare(plan: Plan, *_: object) -> Comparison:
        plans.append(plan)
        return comparison()

    monkeypatch.setattr(compare_module, "compare", compare)
    monkeypatch.setattr(table1_module, "compare", compare)
    monkeypatch.setattr(shapes_module, "compare", compare)

    def lengths(plan: Plan, wanted: list[int], *_: object) -> LengthsResult:
        plans.extend(replace(plan, sequence=length) for length in wanted)
        return LengthsResult((comparison(),))

    monkeypatch.setattr(lengths_module, "measure_lengths", lengths)
    arguments = ("--models", "minilm", "--peers", "canao,litert", "--threads", "2")
    assert run_command(monkeypatch, "bench", "peers", *arguments, "--out", tmp_path, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((tmp_path / "peers.json").read_text())
    assert (plans[0].models, plans[0].threads) == (["minilm"], (2,))
    assert run_command(monkeypatch, "bench", "table1", "--runs", 10, "--out", tmp_path) == 0
    assert "Table 1 of the paper" in capsys.readouterr().out
    assert plans[1].rounds * plans[1].burst >= 10
    assert (
        run_command(monkeypatch, "bench", "shapes", "--shapes", "1x16,8x128", "--out", tmp_path)
        == 0
    )
    assert [(plan.batch, plan.sequence) for plan in plans[2:]] == [(1, 16), (8, 128)]
    assert run_command(monkeypatch, "bench", "lengths", "--lengths", "3,17", "--out", tmp_path) == 0
    assert [plan.sequence for plan in plans[4:]] == [3, 17]
    names = {
        "dynamic.json",
        "dynamic.md",
        "shapes.json",
        "shapes.md",
        "peers.json",
        "peers.md",
        "peers.png",
        "table1.json",
        "table1.md",
    }
    assert {path.name for path in tmp_path.iterdir()} == names
