"""Where models and caches lie: names at the limits, and another working directory later."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import canao
from canao.errors import InputFileError

X = torch.ones(2, 4)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return nn.Linear(4, 3).eval()


def test_names_that_are_too_long(model: nn.Module, tmp_path: Path) -> None:
    compiled = canao.compile(model, (X,), threads=1, tune="off", cache_dir=tmp_path / "cache")
    longest = tmp_path / ("m" * 255)
    compiled.save(longest)
    assert torch.equal(canao.load(longest)(X), compiled(X))
    for write in (compiled.save, compiled.export):
        with pytest.raises(InputFileError, match=r"File name too long.*name another place"):
            write(tmp_path / ("m" * 300))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", longest.name]


@pytest.mark.parametrize("given", ["cache", "~/cache"])
def test_the_cache_stays_where_it_was(
    given: str, model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir(here)
    compiled = canao.compile(model, (X,), threads=1, tune="off", cache_dir=given)
    expected = compiled(X)
    monkeypatch.chdir(there)
    assert compiled.build.library.is_file()
    assert compiled.report.layers_after
    assert "canao.matmul" in compiled.ir("canao")
    assert torch.equal(canao.load(compiled.save(there / "saved"))(X), expected)
    assert [path.name for path in here.iterdir()] == ["cache"]
    assert [path.name for path in there.iterdir()] == ["saved"]
