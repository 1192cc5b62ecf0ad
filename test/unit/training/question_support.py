"""Twelve questions about six texts, written by hand, and a tiny model for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForQuestionAnswering, BertTokenizer

from canao.nas.space.architecture import Architecture
from canao.nas.training.data.questions import Questions
from canao.nas.training.data.tasks import Task, open_task

Asked = tuple[str, tuple[str, ...]]
TEXTS: Sequence[tuple[str, str, Sequence[Asked]]] = (
    (
        "Rivers",
        "The Rhine rises in the Alps and flows to the North Sea.",
        (
            ("Where does the Rhine rise?", ("the Alps", "Alps", "in the Alps")),
            ("Where does the Rhine flow?", ("to the North Sea", "North Sea")),
        ),
    ),
    (
        "Rivers",
        "The Nile is long. Its mouth is in Egypt, near Alexandria.",
        (
            ("Where is the mouth of the Nile?", ("Egypt", "in Egypt")),
            ("Which town is near the mouth?", ("Alexandria",)),
        ),
    ),
    (
        "Engines",
        "Watt made an engine in 1776. It was sold by Boulton.",
        (
            ("Who made an engine?", ("Watt",)),
            ("Who sold the engine?", ("Boulton", "by Boulton")),
        ),
    ),
    (
        "Engines",
        "The Rocket ran in 1829 near Rainhill.",
        (
            ("Where did the Rocket run?", ("near Rainhill", "Rainhill")),
            ("Which engine ran in 1829?", ("The Rocket",)),
        ),
    ),
    (
        "Trees",
        "Oaks live long. Birches live fast and die young.",
        (
            ("Which trees live long?", ("Oaks",)),
            ("Which trees die young?", ("Birches",)),
        ),
    ),
    (
        "Trees",
        "The oldest tree is a pine in Nevada, and it is 4800 years old.",
        (
            ("Where is the oldest tree?", ("Nevada", "in Nevada")),
            ("How old is the oldest tree?", ("4800 years old", "4800 years")),
        ),
    ),
)
SIZES = Architecture(32, 4, (48, 48))
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def as_squad(texts: Sequence[Any] = TEXTS, *, version_2: bool = False) -> dict[str, Any]:
    """The file; in version 2 the last question of each text is asked of a text without answer."""
    articles: dict[str, list[dict[str, Any]]] = {}
    number = 0
    for title, context, asked in texts:
        entries: list[dict[str, Any]] = []
        for last, (question, answers) in enumerate(asked):
            golds = [{"text": text, "answer_start": context.index(text)} for text in answers]
            entry: dict[str, Any] = {"id": f"q{number}", "question": question, "answers": golds}
            if version_2:
                entry |= {"is_impossible": bool(last)} | ({"answers": []} if last else {})
            entries.append(entry)
            number += 1
        articles.setdefault(title, []).append({"context": context, "qas": entries})
    data = [{"title": title, "paragraphs": parts} for title, parts in articles.items()]
    return {"version": "v2.0" if version_2 else "1.1", "data": data}


def write_questions(folder: Path, *, version_2: bool = False) -> Path:
    """A folder with the questions to learn from and the same to be judged by."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_squad(version_2=version_2))
    for split in ("train", "dev"):
        (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return folder


def question_task(folder: Path, *, version_2: bool = False) -> Task:
    return open_task(str(write_questions(folder / "quiz", version_2=version_2)))


def questions(task: Task) -> Questions:
    """All twelve."""
    found: Questions = task.evaluations["dev"]
    return found


def words() -> list[str]:
    text = " ".join(f"{context} {question}" for _, context, all in TEXTS for question, _ in all)
    return [*SPECIAL, *sorted(set(re.findall(r"\w+|[^\w\s]", text.lower())))]


def save_encoder(directory: Path, sizes: Architecture = SIZES) -> Path:
    """A random model with its tokenizer, which knows no task but has a head for questions."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words()),
        hidden_size=sizes.hidden_size,
        num_attention_heads=sizes.num_heads,
        num_hidden_layers=sizes.num_blocks,
        intermediate_size=sizes.intermediate_sizes[0],
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.1,
        initializer_range=0.2,
    )
    BertForQuestionAnswering(config).save_pretrained(directory)
    numbers = {word: number for number, word in enumerate(words())}
    tokenizer = BertTokenizer(vocab=numbers, do_lower_case=True, model_max_length=64)
    tokenizer.save_pretrained(directory)
    return directory


def knowing(directory: Path, task: Task) -> Path:
    """Let a model say that it was trained on a task."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["finetuning_task"] = task.spec.name
    path.write_text(json.dumps(config))
    return directory


def broken(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The file with a fault in the second question of the first text."""
    data = as_squad()
    change(data["data"][0]["paragraphs"][0]["qas"][1])
    return data
