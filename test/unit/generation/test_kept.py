"""Models that write are compiled once for their files, and again for anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from unit.generation.small_decoders import small_decoder
from unit.generation.tokenizers_of_kinds import byte_level

import canao
from canao.building.cache import Cache
from canao.building.prune import usage
from canao.errors import CacheError
from canao.generation import generator as module

PROMPT = "Once upon a time, 1 \u00e9 \U0001f600"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    small_decoder("llama", vocabulary=320).save_pretrained(path)
    byte_level().save_pretrained(path)
    return path


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The names of the models that were read to be compiled."""
    found: list[Any] = []
    original = module.load_pretrained

    def load(name: Any, **options: Any) -> Any:
        found.append(name)
        return original(name, **options)

    monkeypatch.setattr(module, "load_pretrained", load)
    return found


def _written(folder: Path, cache: Path, **options: Any) -> str:
    given: dict[str, Any] = {"tune": "off", "threads": 1, "cache_dir": cache, **options}
    return canao.CompiledGenerator(folder, **given).generate(PROMPT, max_new_tokens=12)


def test_the_second_time_nothing_is_traced(folder: Path, tmp_path: Path, traced: list[Any]) -> None:
    first = _written(folder, tmp_path / "cache")
    assert _written(folder, tmp_path / "cache") == first
    assert traced == [folder]


def test_a_copy_of_the_files_is_the_same_model(
    folder: Path, tmp_path: Path, traced: list[Any]
) -> None:
    first = _written(folder, tmp_path / "cache")
    moved = folder.rename(tmp_path / "elsewhere")
    assert _written(moved, tmp_path / "cache") == first
    assert traced == [folder]


@pytest.mark.parametrize(
    "options", [{"threads": 2}, {"fusion": "exact"}, {"max_length": 100}, {"tune": "default"}]
)
def test_other_options_compile_again(
    folder: Path, tmp_path: Path, traced: list[Any], options: dict[str, Any]
) -> None:
    first = _written(folder, tmp_path / "cache")
    assert _written(folder, tmp_path / "cache", **options) == first
    assert traced == [folder, folder]


def test_other_weights_compile_again(folder: Path, tmp_path: Path, traced: list[Any]) -> None:
    first = _written(folder, tmp_path / "cache")
    other = small_decoder("llama", vocabulary=320)
    with torch.no_grad():
        other.lm_head.weight.neg_()
    other.save_pretrained(folder)
    assert _written(folder, tmp_path / "cache") != first
    assert traced == [folder, folder]


def test_a_tokenizer_that_is_given_is_taken(folder: Path, tmp_path: Path) -> None:
    _written(folder, tmp_path / "cache")
    given = byte_level()
    options: dict[str, Any] = {"tune": "off", "threads": 1, "cache_dir": tmp_path / "cache"}
    assert canao.CompiledGenerator(folder, given, **options).tokenizer is given


def test_damage_is_made_good(folder: Path, tmp_path: Path, traced: list[Any]) -> None:
    first = _written(folder, tmp_path / "cache")
    for file in (tmp_path / "cache").rglob("entries/*/config.json"):
        file.write_text("{}")
    assert _written(folder, tmp_path / "cache") == first
    assert traced == [folder, folder]


def test_a_full_disk_is_no_error(
    folder: Path, tmp_path: Path, traced: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Cache.store

    def store(cache: Cache, key: str, files: Any, metadata: Any) -> Any:
        if "tokenizer.json" in files:
            raise CacheError("no space is left")
        return original(cache, key, files, metadata)

    monkeypatch.setattr(Cache, "store", store)
    assert _written(folder, tmp_path / "cache") == _written(folder, tmp_path / "cache")
    assert traced == [folder, folder]


def test_what_is_kept_counts_in_the_size_of_the_cache(folder: Path, tmp_path: Path) -> None:
    _written(folder, tmp_path / "cache")
    files = [path for path in (tmp_path / "cache").rglob("entries/*/**/*") if path.is_file()]
    assert usage(Cache(tmp_path / "cache")).bytes >= sum(path.stat().st_size for path in files)
