"""Pipelines of transformers compiled inside give the answers of those that are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from unit.huggingface.same import check_same
from unit.huggingface.small_models import SENTENCES

import canao
from canao.errors import UnsupportedModelError

_LABELS = {"id2label": {0: "bad", 1: "good", 2: "fair"}, "num_labels": 3}

_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "text-classification": ("BertForSequenceClassification", _LABELS),
    "token-classification": ("BertForTokenClassification", _LABELS),
    "feature-extraction": ("BertModel", {}),
    "fill-mask": ("BertForMaskedLM", {}),
    "zero-shot-classification": (
        "BertForSequenceClassification",
        {"label2id": {"contradiction": 0, "entailment": 1}},
    ),
}


def _texts(task: str) -> list[str]:
    return [f"{text} [MASK]" for text in SENTENCES] if task == "fill-mask" else SENTENCES[:-1]


@pytest.mark.parametrize("task", list(_KINDS))
def test_answers_are_those_of_pytorch(
    task: str, saved: Callable[..., Path], options: dict[str, Any]
) -> None:
    name, config = _KINDS[task]
    path = saved(getattr(transformers, name), **config)
    plain = transformers.pipeline(task, model=str(path))  # pyright: ignore[reportCallIssue, reportArgumentType]
    compiled = canao.compile(plain, **options)
    more: dict[str, Any] = {"candidate_labels": ["a", "b"]} if "zero" in task else {}
    texts = _texts(task)
    assert type(compiled) is type(plain)
    assert type(compiled.model) is type(plain.model)
    made = len(compiled.model.forward.compiled)
    for text in texts:
        check_same(compiled(text, **more), plain(text, **more))
    check_same(compiled(texts, batch_size=4, **more), plain(texts, batch_size=4, **more))
    assert len(compiled.model.forward.compiled) == made == 1
    assert "forward" not in vars(plain.model)


def test_a_larger_batch_than_was_made_room_for(
    saved: Callable[..., Path], options: dict[str, Any]
) -> None:
    path = saved(transformers.BertForSequenceClassification)
    plain = transformers.pipeline("text-classification", model=str(path))
    compiled = canao.compile(plain, dynamic_shapes=canao.AutoShapes(sequence=64), **options)
    texts = [f"{text} {n}" for n in range(20) for text in SENTENCES]
    check_same(compiled(texts, batch_size=64), plain(texts, batch_size=64))


def test_a_model_in_training_mode_is_compiled_for_inference(
    saved: Callable[..., Path], options: dict[str, Any]
) -> None:
    path = saved(transformers.BertForSequenceClassification)
    plain = transformers.pipeline("text-classification", model=str(path))
    wanted = plain("a text")
    plain.model.train()
    compiled = canao.compile(plain, **options)
    check_same(compiled("a text"), wanted)
    assert plain.model.training


def test_outputs_that_are_asked_for(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    path = saved(transformers.BertModel)
    plain = transformers.pipeline("feature-extraction", model=str(path))
    compiled = canao.compile(plain, **options)
    ids = torch.randint(0, 500, (2, 7))
    found = compiled.model(ids, output_hidden_states=True)
    with torch.no_grad():
        wanted = plain.model(ids, output_hidden_states=True)
    assert len(found.hidden_states) == len(wanted.hidden_states) == 2
    for one, other in zip(found.hidden_states, wanted.hidden_states, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_other_tasks_are_refused(saved: Callable[..., Path]) -> None:
    plain = transformers.pipeline("fill-mask", model=str(saved(transformers.BertForMaskedLM)))
    plain.task = "any-to-any"
    with pytest.raises(UnsupportedModelError, match="fill-mask"):
        canao.compile(plain, tune="off", threads=1)


def test_named_dimensions_are_refused(saved: Callable[..., Path]) -> None:
    plain = transformers.pipeline("feature-extraction", model=str(saved(transformers.BertModel)))
    dims = {"input_ids": {1: torch.export.Dim("length", max=8)}}
    with pytest.raises(UnsupportedModelError, match="AutoShapes"):
        canao.compile(plain, dynamic_shapes=dims)
