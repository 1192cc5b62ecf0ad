"""Models of transformers by name, and without example inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from unit.huggingface.small_models import SENTENCES, SIZES

import canao
from canao.errors import CanaoError, InputFileError, ShapeMismatchError, UnsupportedModelError
from canao.huggingface.pretrained import load_tokenizer


def test_by_folder(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    path = saved(transformers.BertForTokenClassification, num_labels=3)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(path)
    original = transformers.BertForTokenClassification.from_pretrained(path).eval()
    for name in (path, str(path)):
        compiled = canao.compile(name, **options)
        for texts in (SENTENCES[:1], SENTENCES):
            inputs = tokenizer(texts, return_tensors="pt", padding=True)
            with torch.no_grad():
                wanted = original(**inputs).logits
            torch.testing.assert_close(compiled(**inputs).logits, wanted, rtol=1e-4, atol=1e-5)


def test_a_model_without_inputs(options: dict[str, Any]) -> None:
    model = transformers.BertModel(transformers.BertConfig(**SIZES)).eval()
    compiled = canao.compile(model, **options)
    for shape in ((1, 3), (4, 64)):
        inputs = {
            "input_ids": torch.randint(0, 99, shape),
            "attention_mask": torch.ones(shape).long(),
        }
        with torch.no_grad():
            wanted = model(**inputs)
        found = compiled(**inputs)
        torch.testing.assert_close(found.pooler_output, wanted.pooler_output, rtol=1e-4, atol=1e-5)


def test_a_model_that_takes_no_tokens() -> None:
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=8,
        patch_size=4,
    )
    model = transformers.ViTModel(config)
    with pytest.raises(UnsupportedModelError, match="give example inputs"):
        canao.compile(model)


def test_a_name_that_is_nowhere() -> None:
    with pytest.raises(InputFileError, match="nobody/has-this"):
        canao.compile("nobody/has-this")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot be read"):
        canao.compile(tmp_path)


def test_an_unknown_type_of_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "unheard_of"}')
    with pytest.raises(InputFileError, match="unheard_of"):
        canao.compile(tmp_path)


def test_truncated_weights(saved: Callable[..., Path]) -> None:
    path = saved(transformers.BertModel)
    weights = path / "model.safetensors"
    data = weights.read_bytes()
    for size in (0, 5, 200, len(data) - 1):
        weights.write_bytes(data[:size])
        with pytest.raises(InputFileError, match="cannot be read"):
            canao.compile(path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tokenizer.json", ""),
        ("tokenizer.json", "{}"),
        ("tokenizer_config.json", "{"),
        ("tokenizer_config.json", "[]"),
    ],
)
def test_a_damaged_tokenizer(saved: Callable[..., Path], file: str, text: str) -> None:
    path = saved(transformers.BertModel)
    (path / file).write_text(text)
    with pytest.raises(InputFileError, match=f"tokenizer in .* cannot be read.*{file}"):
        canao.compile(path)


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    assert load_tokenizer(tmp_path) is None


def test_more_tokens_than_positions(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    compiled = canao.compile(saved(transformers.BertModel), **options)
    ids = torch.ones(1, SIZES["max_position_embeddings"] + 1, dtype=torch.int64)
    with pytest.raises(ShapeMismatchError, match=r"dimension 1 .* is 65, and must be from 1 to 64"):
        compiled(input_ids=ids, attention_mask=ids, token_type_ids=ids)


def test_a_saved_model_is_loaded_otherwise(
    saved: Callable[..., Path], options: dict[str, Any], tmp_path: Path
) -> None:
    canao.compile(saved(transformers.BertModel), **options).save(tmp_path / "model")
    with pytest.raises(CanaoError, match=r"canao\.load"):
        canao.compile(tmp_path / "model")
