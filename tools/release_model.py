"""Make a released model of one that `canao distil` or `canao search` made for questions.

    python tools/release_model.py found/ --teacher teacher/ --evaluation found.json \
        --teacher-evaluation teacher.json --out canao/released/minilm-squad

Weights are stored as halves; what reads them computes in float32. `--evaluation` are files that
`canao eval --out` wrote: evaluate the released folder itself and run this again to put its own
figures in its card.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from canao.released.models import CHECKSUMS, sha256

_MODEL, _CONFIG, _CARD = "model.safetensors", "config.json", "README.md"
_FOUND = "found.json"
"""What a search writes of the model that it found."""
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
_MOST_BYTES = 40_000_000


def main() -> int:
    """Write the folder, whole or not at all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--teacher-evaluation", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.out.parent, prefix=".release-") as room:
        new = Path(room) / given.out.name
        new.mkdir()
        _write_weights(given.model, new)
        card = _card(given.model, given.teacher, given.evaluation, given.teacher_evaluation)
        (new / _CARD).write_text(card, encoding="utf-8")
        sums = {path.name: sha256(path) for path in sorted(new.iterdir())}
        (new / CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
        size = sum(path.stat().st_size for path in new.iterdir())
        if size > _MOST_BYTES:
            sys.stderr.write(f"{size} bytes are too many; choose a smaller architecture\n")
            return 1
        if given.out.exists():
            given.out.rename(Path(room) / "old")
        new.rename(given.out)
    sys.stdout.write(f"{given.out}: {size} bytes\n")
    return 0


def _write_weights(model: Path, new: Path) -> None:
    weights = load_file(model / _MODEL)
    halves = {name: weight.to(torch.float16) for name, weight in weights.items()}
    if not all(bool(torch.isfinite(weight).all()) for weight in halves.values()):
        raise SystemExit("a weight is no finite half; train with a weight decay")
    save_file(halves, new / _MODEL, metadata={"format": "pt"})
    config = json.loads((model / _CONFIG).read_text(encoding="utf-8"))
    # Readers compute in the type that the configuration says, whatever the file has.
    config.pop("torch_dtype", None)
    config["dtype"] = "float32"
    (new / _CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    for name in _TOKENIZER:
        shutil.copyfile(model / name, new / name)


def _card(
    model: Path, teacher: Path, evaluation: Path | None, teacher_evaluation: Path | None
) -> str:
    record, taught = (_json(path / "training.json") for path in (model, teacher))
    rows = [
        _row(name, path)
        for name, path in (("this model", evaluation), ("its teacher", teacher_evaluation))
        if path
    ]
    recipe, teaching = record["recipe"], taught["recipe"]
    found = model / _FOUND
    how = f"found by a search, as its candidate {_trial(found)}" if found.is_file() else "chosen"
    command = "canao search" if found.is_file() else "canao distil"
    lines = [
        "---",
        "language: en",
        "license: cc-by-sa-4.0",
        "base_model: sentence-transformers/all-MiniLM-L6-v2",
        "pipeline_tag: question-answering",
        "---",
        "",
        "# MiniLM for questions about texts, compressed by canao",
        "",
        "Finds the answer to a question in an English text, or says that there is none. Input: "
        "token numbers of question and text; output: a logit for the first and one for the last "
        "token of the answer. It was made by canao's own commands, from all-MiniLM-L6-v2 "
        "(Apache-2.0).",
        "",
        f"- architecture: {record['architecture']}",
        "- weights: stored as float16, computed in float32",
        *_speed(found),
        "",
        "## How good it is",
        "",
        *(rows and ["| | questions | EM | F1 | compiled EM | compiled F1 | spans that differ |"]),
        *(rows and ["| --- | --: | --: | --: | --: | --: | --: |"]),
        *(rows or ["Not evaluated yet."]),
        "",
        "EM and F1 in points, with SQuAD's normalisation, on 24 articles that no training saw: one "
        "half of the official development set of version 1.1. The other half was the training "
        "set, so these figures cannot be compared with published ones, whose models were trained "
        "on sixteen times as many questions. Compiled: by canao; the spans are compared with "
        "PyTorch's.",
        "",
        "## How it was trained",
        "",
        f"1. The teacher: all-MiniLM-L6-v2, {taught['epochs']:g} epochs of {taught['examples']} "
        f"questions, batches of {teaching['batch_size']}, learning rate "
        f"{teaching['learning_rate']:g}, seed {taught['seed']}{_products(teaching)} "
        "(`canao train qa`).",
        f"2. This model: its sizes were {how}; it has the teacher's most important parts, "
        f"distilled for {record['steps']} steps of {recipe['batch_size']} questions, learning rate "
        f"{recipe['learning_rate']:g}, seed {record['seed']}{_products(recipe)} "
        f"(`{command} --task squad`).",
        "",
        "## What it should not be used for",
        "",
        "It copies a span of the text that looks like an answer. It does not know whether the text "
        "is true, and was trained on few questions about encyclopedia articles: its answers need "
        "somebody who reads the text.",
        "",
        "## Licence",
        "",
        "The questions are SQuAD's (Rajpurkar et al. 2016), distributed under CC BY-SA 4.0; so is "
        "this model. all-MiniLM-L6-v2 is distributed under the Apache License 2.0.",
    ]
    return "\n".join(lines) + "\n"


def _products(recipe: Any) -> str:
    return ", products in bfloat16" if recipe["bf16"] else ""


def _row(name: str, path: Path) -> str:
    (result,) = _json(path)["results"]
    (split,) = result["splits"]
    theirs, ours = split["pytorch"], split["compiled"]
    cells = [theirs["exact"], theirs["f1"], ours["exact"], ours["f1"]]
    points = " | ".join(f"{100 * value:.2f}" for value in cells)
    return f"| {name} | {split['rows']} | {points} | {split['differing']} |"


def _speed(found: Path) -> list[str]:
    """How fast a search measured it in turns with its teacher; nothing for what none found."""
    if not found.is_file():
        return []
    record = _json(found)
    mine, theirs = (record["facts"][name] for name in ("latency_ms", "teacher's latency_ms"))
    asked, target = record["search"]["device"], record["execution"]["target"]
    return [
        f"- speed: {mine:.2f} ms, its teacher {theirs:.2f} ms, {theirs / mine:.2f} times as long "
        f"({asked['sequence']} tokens, threads: {asked['threads']}, in turns, {target})"
    ]


def _trial(found: Path) -> int:
    return int(_json(found)["trial"])


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
