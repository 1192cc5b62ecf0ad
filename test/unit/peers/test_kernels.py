"""The kernels of a model, each built by every compiler and run alone."""

from __future__ import annotations

import json
import platform

import pytest

from canao.building.toolchain import all_compilers
from canao.peers.kernels import KernelsResult, measure_kernels


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> KernelsResult:
    home = tmp_path_factory.mktemp("home")
    return measure_kernels(["bert-tiny"], home, lambda stage: None, sequence=8, rounds=3)


def test_each_product_has_a_row_for_each_compiler(result: KernelsResult) -> None:
    compilers = {compiler.title for compiler in all_compilers()}
    shapes = {row.shapes for row in result.rows}
    assert {"8x128x384", "8x128x512", "8x512x128"} <= shapes
    assert {(row.shapes, row.compiler) for row in result.rows} >= {
        (shape, compiler) for shape in shapes for compiler in compilers
    }
    assert not [row.failure for row in result.rows if row.failure]
    for row in result.rows:
        assert row.min_ms
        assert row.median_ms
        assert row.ms
        assert row.min_ms <= row.median_ms
        assert row.peak_fraction > 0
        assert row.models == ("bert-tiny",)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 assembly is read")
def test_inner_loops_are_counted(result: KernelsResult) -> None:
    row = next(row for row in result.rows if row.shapes == "8x128x384")
    assert row.loop
    assert row.loop.multiply_adds >= 8
    assert row.loop.loads > 0


def test_tables_have_all_that_times_depend_on(result: KernelsResult) -> None:
    text = result.to_markdown()
    for told in ("sequence 8", "1 thread", "Measured peak of multiply-adds", "8x128x512"):
        assert told in text
    assert all(version in text for version in result.compilers.values())
    assert json.loads(json.dumps(result.to_dict()))["rows"][0]["loop"]
