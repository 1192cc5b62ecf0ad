"""Peers that serve every length are loaded once, the others once for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from unit.peers.peers_support import fake_case, fake_peer
from unit.peers.test_tables import comparison

import canao.peers.lengths as lengths_module
from canao.peers.compare import Plan, Watch
from canao.peers.comparison import Comparison, Row, Workload
from canao.peers.lengths import LengthsResult, measure_lengths
from canao.peers.models import Case


class _Machine:
    def watch(self, threads: int) -> Watch:
        return Watch(lambda: 50.0, lambda: True)

    def comparison(self, plan: Plan, rows: list[Row], workloads: list[Workload]) -> Comparison:
        return replace(
            comparison(), sequence=plan.sequence, rows=tuple(rows), workloads=tuple(workloads)
        )


def _case(directory: Path, name: str, length: int, batch: int, home: Path) -> Case:
    return fake_case(directory, length)


def test_lengths_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths_module, "Machine", _Machine)
    monkeypatch.setattr(lengths_module, "prepare_case", partial(_case, tmp_path))
    every = replace(fake_peer(tmp_path, "good", "canao-any-length"), any_shape=True)
    this = fake_peer(tmp_path, "one shape", "canao-untuned")
    short = replace(fake_peer(tmp_path, "short alone"), any_shape=True)
    plan = Plan(["double"], [every, this, short], [1], rounds=3, burst=1, warmup=1, rest=0.0)
    result = measure_lengths(plan, [3, 9], tmp_path, lambda stage: None)
    found: Mapping[int, dict[str, Row]] = {
        each.sequence: {row.peer: row for row in each.rows} for each in result.comparisons
    }
    assert [each.workloads[0].model for each in result.comparisons] == ["double", "double"]
    for length in (3, 9):
        assert found[length]["canao-any-length"].runs == 3
        assert found[length]["canao-untuned"].max_difference == 0.0
    assert found[3]["short alone"].failure == ""
    assert "too long" in found[9]["short alone"].failure


def test_lengths_compare_with_the_length_and_with_others() -> None:
    times = {
        "canao-any-length": 10.0,
        "canao-untuned": 8.0,
        "onnxruntime": 16.0,
        "inductor-any-length": 9.0,
    }
    short = replace(comparison(times=times), sequence=3)
    long = replace(comparison(times=times, failing="inductor-any-length"), sequence=200)
    text = LengthsResult((short, long)).to_markdown()
    assert "| bert-base | 3 | 10.00 | 8.00 | 16.00 | 9.00 | 1.25 | 0.90 |" in text
    assert "| bert-base | 200 | 10.00 | 8.00 | 16.00 | - | 1.25 | 1.60 |" in text
    assert "Over this length: median 1.25, worst 1.25." in text
    assert "behind another at 6 of 12 rows" in text
