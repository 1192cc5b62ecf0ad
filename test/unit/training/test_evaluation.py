"""Evaluation side by side, the command lines, and the paper's Table 2."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_command import run_command
from unit.training.training_support import (
    config,
    examples,
    save_teacher,
    save_tokenizer,
    task,
)

from canao.errors import CanaoError
from canao.nas.models.sized_bert import build_model, load_model
from canao.nas.space.architecture import Architecture
from canao.nas.training.data.encode import collator, encode, load_tokenizer
from canao.nas.training.evaluation.compiled import CompiledByLength
from canao.nas.training.evaluation.evaluate import SplitResult, evaluate_task
from canao.nas.training.evaluation.table2 import PAPER, table_of
from canao.nas.training.fit.fine_tune import head_for
from canao.nas.training.kinds.predict import predict
from canao.nas.training.kinds.table import kind_of

FILMS = 40
SIZES = Architecture(16, 2, (24, 8))


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tests of this file share a cache of compiled code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANAO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with layers of several sizes."""
    place = tmp_path_factory.mktemp("teacher")
    model: Any = build_model(SIZES, base=config(), labels=2)
    model.config.update({**head_for(task().spec), "finetuning_task": task().spec.name})
    model.save_pretrained(place)
    save_tokenizer(place)
    return place


def _folder(place: Path) -> Path:
    """One's own task as files."""
    place.mkdir()
    for name, seed in (("train", 1), ("dev", 3)):
        found = examples(FILMS, seed)
        rows = [
            f"{t}\t{'pos' if y else 'neg'}" for t, y in zip(found.texts, found.labels, strict=True)
        ]
        (place / f"{name}.tsv").write_text("\n".join(["sentence\tlabel", *rows]))
    return place


def test_compiled_is_pytorch(teacher: Path) -> None:
    """Every length, batches that are not full, padding between real rows."""
    model, tokenizer = load_model(teacher).eval(), load_tokenizer(teacher)
    some = examples(21, 9)
    longer = replace(some, texts=(*some.texts[:-1], " ".join(["film"] * 30)))
    data = encode(longer, tokenizer, task().spec)
    assert max(data.lengths) == 32
    kind = kind_of(task().spec)
    theirs = np.stack(predict(model, kind, data, collator(tokenizer)))
    mine = CompiledByLength(model, kind, threads=1).predict(data, tokenizer.pad_token_id)
    assert theirs.shape == (21, 2)
    np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_evaluation(teacher: Path) -> None:
    result = evaluate_task(teacher, task(), threads=1)
    assert result.architecture == SIZES.key
    assert result.agrees
    assert result.splits[0].rows == 24
    assert result.splits[0].largest_difference < 1e-4


def test_a_tenth_of_a_point() -> None:
    split = SplitResult("dev", 1000, None, {"accuracy": 0.9}, {"accuracy": 0.901}, 0.1)
    assert split.agrees
    assert not replace(split, compiled={"accuracy": 0.9021}).agrees


def test_a_model_for_something_else(teacher: Path, tmp_path: Path) -> None:
    other = save_teacher(tmp_path / "other", task="cola")
    with pytest.raises(CanaoError, match="fine-tuned on cola, and cannot be evaluated on films"):
        evaluate_task(other, task())


def test_the_commands(
    tmp_path: Path,
    teacher: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Train on one's own folder, evaluate what came out."""
    films = _folder(tmp_path / "films")
    out = tmp_path / "out"
    settings = ("--epochs", 16, "--batch", 8, "--learning-rate", 5e-3)
    arguments = ("--task", films, "--model", teacher, "--out", out, *settings)
    assert run_command(monkeypatch, "train", *arguments, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["scores"]["dev"]["accuracy"] >= 0.85
    assert run_command(monkeypatch, "train", *arguments) == 0
    shown = capsys.readouterr()
    assert "accuracy" in shown.out
    assert "held out" in shown.err
    where = tmp_path / "results.json"
    evaluated = ("eval", films, "--model", out, "--threads", 1)
    assert run_command(monkeypatch, *evaluated, "--json", "--out", where) == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads(where.read_text())["results"] == found["results"]
    split = found["results"][0]["splits"][0]
    assert split["pytorch"] == split["compiled"] == record["scores"]["dev"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--task", "rte", "--out", "x"), "RTE is read from files; name their folder"),
        (("train", "--task", "rte", "--data", "no", "--out", "x"), "no is no folder"),
        (("eval", "glue", "--model", "no", "--data", "no"), "no is no folder"),
        (("bench", "table2", "no.json"), "no.json cannot be read"),
    ],
)
def test_wrong_arguments(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(monkeypatch, *arguments) == 1
    *_, said = capsys.readouterr().err.splitlines()
    assert said.startswith("canao: ")
    assert message in said
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def _result(task: str, metric: str, *values: float, rows: int = 10) -> dict[str, Any]:
    splits = [
        {
            "split": str(number),
            "rows": rows,
            "official_rows": 10,
            "pytorch": {metric: value},
            "compiled": {metric: value},
            "largest_difference": 1e-6,
        }
        for number, value in enumerate(values)
    ]
    training = {"epochs": 3, "seed": 0, "seconds": 120.0}
    return {
        "task": task,
        "title": task.upper(),
        "architecture": "h8-a2-f16",
        "splits": splits,
        "training": training,
    }


def test_table_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [
        _result("mnli", "accuracy", 0.8, 0.7, rows=4),
        _result("cola", "matthews", 0.4),
        _result("stsb", "spearman", 0.85),
    ]
    file = tmp_path / "small.json"
    file.write_text(json.dumps({"name": "Small", "results": results}))
    assert run_command(monkeypatch, "bench", "table2", file, "--out", tmp_path, "--json") == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["average"] == pytest.approx((75 + 40 + 85) / 3)
    text = (tmp_path / "table2.md").read_text()
    assert "| Small | 80.0/70.0 | - | - | 85.0 | - | 40.0 | 66.7 |" in text
    assert "| CANAOBERT | 82.9/82.1 | 92.6 | 88.4 | 83.5 | 65.6 | 49.2 | - |" in text
    assert "4 of 10 rows" in text
    assert "3 epochs, seed 0, 2.0 min" in text
    assert json.loads((tmp_path / "table2.json").read_text())["rows"] == [row]


def test_the_paper_s_figures() -> None:
    assert [row.name for row in PAPER] == ["BERT-base", "DistilBERT", "MobileBERT", "CANAOBERT"]
    assert all(set(row.points) == set(PAPER[0].points) for row in PAPER)


def test_figures_that_disagree_are_not_shown(tmp_path: Path) -> None:
    result = _result("cola", "matthews", 0.4)
    result["splits"][0]["compiled"]["matthews"] = 0.5
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps({"name": "Wrong", "results": [result]}))
    with pytest.raises(CanaoError, match="not as accurate as PyTorch's on COLA"):
        table_of([file])


@pytest.mark.parametrize("text", ["{", "[]", '{"name": 1}', '{"results": [{"task": "rte"}]}'])
def test_files_that_are_no_results(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(text)
    with pytest.raises(CanaoError, match="is no result of canao eval"):
        table_of([file])
