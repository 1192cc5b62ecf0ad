"""Official metrics of a model in PyTorch and as a search compiles it: for one shape."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from canao.nas.isolate import Told
from canao.nas.measuring.compiling import compile_for
from canao.nas.measuring.device import on_this_machine
from canao.nas.models.sized_bert import load_model
from canao.nas.training.data.encode import collator, load_tokenizer
from canao.nas.training.data.tasks import Task
from canao.nas.training.evaluation.compiled import predict_compiled
from canao.nas.training.fit.trainer import silence
from canao.nas.training.kinds.predict import predict
from canao.nas.training.kinds.table import kind_of


def judge(
    model: Path,
    task: Task,
    device: Mapping[str, Any],
    cache_dir: str | None = None,
    progress: Told | None = None,
) -> dict[str, float]:
    """Each metric of a model on each official split, by names that people read.

    `device` says what to compile for (see `canao.nas.measuring.device`). Both ways see
    the same examples, cut to the tokens that are compiled for.
    """
    silence()
    length, batch = int(device["sequence"]), int(device["batch"])
    spec = replace(task.spec, max_length=min(task.spec.max_length, length))
    kind, tokenizer = kind_of(spec), load_tokenizer(model)
    network = load_model(model, kind.head).eval()
    found: dict[str, float] = {}
    with closing(compile_for(network, on_this_machine(device), cache_dir)) as compiled:
        for name, examples in task.evaluations.items():
            data = kind.rows(examples, tokenizer, spec)
            told = _teller(progress, name, data)
            theirs = predict(network, kind, data, collator(tokenizer), told)
            mine = predict_compiled(
                compiled,
                kind,
                data,
                (batch, length),
                tokenizer.pad_token_id,
                _teller(progress, f"{name}, compiled", data),
            )
            for title, outputs in ((name, theirs), (f"{name}, compiled", mine)):
                scores = kind.score(spec, examples, kind.answers(data, outputs))
                found |= {f"{metric} ({title})": value for metric, value in scores.items()}
    return found


def _teller(progress: Told | None, name: str, data: Any) -> Any:
    if progress is None:
        return None
    return lambda done: progress(f"evaluating on {name}", done, len(data))
