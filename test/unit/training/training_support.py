"""Tiny tasks and models that the tests of training share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from canao.nas.space.architecture import Architecture
from canao.nas.training.data.columns import Examples
from canao.nas.training.data.spec import TaskSpec, own_spec
from canao.nas.training.data.tasks import Task
from canao.nas.training.fit.fine_tune import head_for

GOOD = ("fine", "great", "lovely", "superb")
BAD = ("awful", "bad", "dull", "poor")
PLAIN = ("a", "film", "plot", "and", "the", "with", "cast")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *PLAIN)
WHOLE = Architecture(32, 4, (48, 48, 48))


def spec(labels: tuple[str, ...] = ("neg", "pos")) -> TaskSpec:
    """A task on one sentence."""
    return own_spec("films", labels, pairs=False)


def examples(count: int, seed: int) -> Examples:
    """Sentences of several lengths that have one good or one bad word."""
    generator = torch.Generator().manual_seed(seed)

    def draw(words: tuple[str, ...]) -> str:
        return words[int(torch.randint(len(words), (1,), generator=generator))]

    texts: list[str] = []
    for number in range(count):
        length = int(torch.randint(2, 9, (1,), generator=generator))
        words = [draw(PLAIN) for _ in range(length)]
        words[length // 2] = draw(GOOD if number % 2 else BAD)
        texts.append(" ".join(words))
    return Examples(tuple(texts), None, tuple(float(n % 2) for n in range(count)))


def task() -> Task:
    """A task that a tiny model learns in seconds."""
    return Task(
        spec(), {"dev": examples(24, 3)}, train=examples(64, 1), heldout=examples(24, 2), place="x"
    )


def config(**more: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS),
        hidden_size=WHOLE.hidden_size,
        num_attention_heads=WHOLE.num_heads,
        num_hidden_layers=WHOLE.num_blocks,
        intermediate_size=WHOLE.intermediate_sizes[0],
        max_position_embeddings=40,
        **more,
    )


def save_tokenizer(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    BertTokenizer(vocab=vocabulary, do_lower_case=True).save_pretrained(directory)


def save_teacher(directory: Path, *, task: str = "films", noise: float = 0.05) -> Path:
    """A random classifier with its tokenizer; `task` is what it says it was trained on."""
    torch.manual_seed(0)
    settings = config(**head_for(spec()))
    settings.finetuning_task = task
    model = BertForSequenceClassification(settings)
    # Its parts differ in importance, as those of a trained model do.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += noise * torch.randn(parameter.shape)
    model.save_pretrained(directory)
    save_tokenizer(directory)
    return directory


def inputs(rows: int = 3, length: int = 7) -> dict[str, torch.Tensor]:
    """Random tokens; every row but the first ends in padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, len(WORDS), (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(1, rows):
        mask[row, length - row :] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


def write_tsv(path: Path, *rows: str) -> Path:
    """A file with those rows; "|" stands for a tab."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row.replace("|", "\t") + "\n" for row in rows), encoding="utf-8")
    return path


def write_json_lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def stop_at(step: int) -> Callable[[str, int, int], None]:
    """A progress function that ends training as a signal would, after that step."""

    def told(title: str, done: int, total: int) -> None:
        if title.startswith(("training", "distilling")) and done == step:
            raise KeyboardInterrupt

    return told
