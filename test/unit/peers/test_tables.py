"""Comparisons as Markdown, JSON and a chart; the paper's Table 1."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from canao.peers.catalogue import DEFAULT_PEERS, PEERS
from canao.peers.chart import write_chart
from canao.peers.comparison import Comparison, Row, Workload
from canao.peers.paper import TABLE_1
from canao.peers.shapes import ShapesResult
from canao.peers.table import comparison_markdown
from canao.peers.table1 import NO_DEVICE, table1_of

_TIMES = {"canao": 10.0, "canao-unfused": 12.5, "litert": 15.0}


def comparison(*, failing: str = "", times: Mapping[str, float] = _TIMES) -> Comparison:
    models = [row.model for row in TABLE_1]
    rows = [
        _row(model, threads, peer, ms / threads, failing)
        for model in models
        for threads in (1, 2)
        for peer, ms in times.items()
    ]
    return Comparison(
        rows=tuple(rows),
        workloads=tuple(Workload(model, 5_000_000_000, "random (seed 0)") for model in models),
        peak_gflops={1: 100.0, 2: 200.0},
        sequence=128,
        batch=1,
        dtype="float32",
        rounds=25,
        burst=4,
        pinned=False,
        cpu="a processor",
        cpu_flags=("avx2", "fma", "pclmulqdq"),
        cores=2,
        compiler="gcc 12",
        routes={peer: PEERS[peer].route for peer in times},
    )


def _row(model: str, threads: int, peer: str, ms: float, failing: str) -> Row:
    title = PEERS[peer].title
    if peer == failing:
        return Row(model, threads, peer, title, failure="its process crashed (SIGSEGV)")
    return Row(
        model,
        threads,
        peer,
        title,
        median_ms=ms,
        min_ms=ms * 0.9,
        runs=100,
        peak_fraction=0.5,
        pace_gflops=80.0,
        pace_fraction=0.625,
        over_canao=ms * threads / 10,
        quiet_ms=ms * 0.95,
        quiet_runs=40,
        quiet_pace_fraction=0.65,
        quiet_over_canao=ms * threads / 10,
        max_difference=1e-6,
        versions={"torch": "2.13.0"},
    )


def test_markdown_has_all_that_times_depend_on() -> None:
    text = comparison_markdown(comparison())
    for told in (
        "Batch 1, sequence 128, float32",
        "a processor, 2 cores: avx2 fma; gcc 12",
        "100.0 GFLOP/s with 1 thread, 200.0 GFLOP/s with 2 threads",
        "25 rounds",
        "torch 2.13.0",
        "| bert-base | **10.00** | 12.50 | 15.00 |",
        "| bert-base | 9.50 | 11.88 | 14.25 |",
        "| LiteRT | 1 | 100 | 15.000 | 13.500 | 50.0% | 62.5% | 1.500 | 40 | 14.250 | 65.0% "
        "| 1.500 | 1.0e-06 |",
        "5.00 GFLOPs in products; weights: random (seed 0).",
    ):
        assert told in text


def test_tables_are_rectangular() -> None:
    text = comparison_markdown(comparison(failing="litert"))
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_failed_peer_says_why() -> None:
    text = comparison_markdown(comparison(failing="litert"))
    assert "| LiteRT (failed) | 1 | 0 | - | - | - | - | - | 0 | - | - | - | - |" in text
    assert "- LiteRT, 2 threads: its process crashed (SIGSEGV)" in text


def test_json_holds_every_field() -> None:
    data = json.loads(json.dumps(comparison().to_dict()))
    assert len(data["rows"]) == 18
    assert data["peak_gflops"] == {"1": 100.0, "2": 200.0}
    assert data["cpu_flags"] == ["avx2", "fma", "pclmulqdq"]
    assert data["rows"][0]["versions"] == {"torch": "2.13.0"}


def test_the_chart_is_a_picture(tmp_path: Path) -> None:
    write_chart(comparison(failing="litert"), tmp_path / "peers.png")
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["peers.png"]


def test_the_papers_figures() -> None:
    printed = {
        "DistilBERT": (1.2, 0.8, 1.8, 2.2),
        "BERT-base": (1.3, 0.9, 1.8, 2.4),
        "CANAOBERT": (1.1, 0.6, 2.0, 2.2),
    }
    assert {row.title for row in TABLE_1} == set(printed)
    for row in TABLE_1:
        assert tuple(round(s, 1) for s in row.speedups().values()) == printed[row.title]


def test_shapes_have_a_row_each() -> None:
    one, eight = comparison(), replace(comparison(failing="litert"), batch=8, sequence=64)
    text = ShapesResult((one, eight)).to_markdown()
    assert "| bert-base | 1 x 128 | 10.00 (9.00) | 12.50 (11.25) | 15.00 (13.50) | 1.50 |" in text
    assert "| bert-base | 8 x 64 | 10.00 (9.00) | 12.50 (11.25) | - (-) | - |" in text
    assert "Batch 1" not in text


def test_table1_puts_the_paper_beside_ours() -> None:
    table = table1_of(comparison())
    text = table.to_markdown()
    ours = f"| BERT-base | 2 | 5.0 | 7.5 | 6.2 (1.2x) | {NO_DEVICE} | 5.0 (1.5x) | {NO_DEVICE} |"
    assert ours in text
    assert (
        "| BERT-base | 8 | 21.8 | 352 | 276 (1.3x) | 412 (0.9x) | 196 (1.8x) | 147 (2.4x) |" in text
    )
    assert "CANAOBERT-sized" in text
    data = json.loads(json.dumps(table.to_dict()))
    assert data["rows"][0]["speedups"]["fused_cpu"] == pytest.approx(1.5)
    assert data["rows"][0]["speedups"]["fused_gpu"] is None
    assert data["paper"][1]["speedups"]["fused_cpu"] == pytest.approx(352 / 196)
    assert data["comparison"]["dtype"] == "float32"


def test_table1_without_litert_has_no_speedups() -> None:
    table = table1_of(comparison(failing="litert"))
    text = table.to_markdown()
    assert f"| DistilBERT | 1 | 5.0 | - | 12.5 | {NO_DEVICE} | 10.0 | {NO_DEVICE} |" in text
    assert "- DistilBERT, 1 thread, LiteRT: its process crashed (SIGSEGV)" in text


def test_peers_are_of_known_kinds() -> None:
    assert DEFAULT_PEERS[0] == "canao"
    for peer in PEERS.values():
        assert peer.script.is_file()
        assert peer.packages
        assert peer.route
