"""Models that are compiled when they are read, and read again without compiling."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from unit.huggingface.small_models import SENTENCES

import canao
from canao.errors import InputFileError, ShapeMismatchError, UnsupportedModelError
from canao.huggingface.compiled_forward import CompiledForward

_HEADS = {
    "": "BertModel",
    "ForMaskedLM": "BertForMaskedLM",
    "ForQuestionAnswering": "BertForQuestionAnswering",
    "ForSequenceClassification": "BertForSequenceClassification",
    "ForTokenClassification": "BertForTokenClassification",
}


def _close(found: Any, wanted: Any) -> None:
    assert list(found) == list(wanted)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", list(_HEADS))
def test_read_saved_and_read_again(
    head: str, saved: Callable[..., Path], options: dict[str, Any], tmp_path: Path
) -> None:
    path = saved(getattr(transformers, _HEADS[head]))
    original = getattr(transformers, f"AutoModel{head}").from_pretrained(path).eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(path)
    auto: type[canao.CanaoModel] = getattr(canao, f"CanaoModel{head}")
    model = auto.from_pretrained(path, **options)
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    again = auto.from_pretrained(tmp_path)
    for texts in (SENTENCES[:1], SENTENCES):
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        with torch.no_grad():
            wanted = original(**inputs)
        _close(model(**inputs), wanted)
        _close(again(**inputs), wanted)
    assert (tmp_path / "tokenizer.json").is_file()
    with pytest.raises(UnsupportedModelError, match="input_ids"):
        again(**inputs, output_attentions=True)


def test_in_a_pipeline(
    saved: Callable[..., Path], options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(transformers.BertForSequenceClassification)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(path)
    model: Any = canao.CanaoModelForSequenceClassification.from_pretrained(path, **options)
    found = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    wanted = transformers.pipeline("text-classification", model=str(path))
    for text in SENTENCES:
        (one,), (other,) = found(text), wanted(text)
        assert one["label"] == other["label"]
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert "not supported" not in caplog.text


def test_choices(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    """Any number of texts a row, of any length, those as many as there are choices included."""
    path = saved(transformers.BertForMultipleChoice)
    model = canao.CanaoModelForMultipleChoice.from_pretrained(path, **options)
    original = transformers.AutoModelForMultipleChoice.from_pretrained(path).eval()
    generator = torch.Generator().manual_seed(0)
    for shape in ((1, 2, 5), (3, 2, 9), (2, 2, 2), (1, 3, 4)):
        ids = torch.randint(0, 100, shape, generator=generator)
        with torch.no_grad():
            wanted = original(input_ids=ids, attention_mask=torch.ones_like(ids))
        _close(model(input_ids=ids, attention_mask=torch.ones_like(ids)), wanted)
    # The one for what its tokenizer gives, and those of two and of three texts.
    assert isinstance(model.forward, CompiledForward)
    assert len(model.forward.compiled) == 3


def test_other_devices_are_refused(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    model = canao.CanaoModel.from_pretrained(saved(transformers.BertModel), **options)
    assert model.to("cpu").eval() is model
    with pytest.raises(UnsupportedModelError, match="cuda"):
        model.to("cuda")


def test_arguments_by_position(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    model = canao.CanaoModel.from_pretrained(saved(transformers.BertModel), **options)
    ids = torch.ones(1, 3, dtype=torch.int64)
    _close(model(ids, ids), model(input_ids=ids, attention_mask=ids))
    with pytest.raises(ShapeMismatchError, match="'input_ids' was given twice"):
        model(ids, input_ids=ids)
    with pytest.raises(ShapeMismatchError, match="at most"):
        model(*[ids] * 20)


def test_damaged(saved: Callable[..., Path], options: dict[str, Any], tmp_path: Path) -> None:
    model = canao.CanaoModel.from_pretrained(saved(transformers.BertModel), **options)
    model.save_pretrained(tmp_path)
    kinds = tmp_path / "canao" / "kinds.json"
    for text in ("", "[]", json.dumps({"parameters": ["input_ids"]}), '{"kinds": 3}'):
        kinds.write_text(text)
        with pytest.raises(InputFileError, match=r"kinds\.json"):
            canao.CanaoModel.from_pretrained(tmp_path)
