"""Two-layer decoders, and how a model of transformers is called, against PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers as hf
from unit.families.zoo import SIZES, VOCABULARY, make_model
from unit.frontend.operators.oracle import check_equal, run

from canao.frontend.convention import CallConvention
from canao.frontend.torch_import import import_model

_TOKENS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2}
_GPT2: dict[str, Any] = {
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "vocab_size": VOCABULARY,
    "use_cache": False,
}
_LLAMA: dict[str, Any] = {**SIZES, "num_key_value_heads": 2, "use_cache": False}

_DECODERS: dict[str, Callable[[], tuple[type[Any], Any]]] = {
    "gpt2": lambda: (hf.GPT2Model, hf.GPT2Config(**_GPT2, **_TOKENS)),
    "llama": lambda: (hf.LlamaModel, hf.LlamaConfig(**_LLAMA)),
}


def _example() -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 90, (2, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[0, 4:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def _decoder(family: str, attention: str) -> Any:
    torch.manual_seed(0)
    cls, config = _DECODERS[family]()
    config._attn_implementation = attention
    return cls(config).eval()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", [*_DECODERS, "bert"])
def test_written_convention(family: str, attention: str) -> None:
    """The calling convention means the same after it was written and read."""
    bert = family == "bert"
    model = make_model(family, attention=attention) if bert else _decoder(family, attention)
    example = _example()
    imported = import_model(model, example)
    written = json.dumps(imported.convention.to_json())
    imported = replace(imported, convention=CallConvention.from_json(json.loads(written)))
    found = run(imported, **example)
    with torch.no_grad():
        expected = model(**example)
    assert type(found) is type(expected)
    assert list(found) == list(expected)
    check_equal(found, expected)


def test_linear_layers_and_attention_stay_whole() -> None:
    imported = import_model(make_model("bert", attention="sdpa"), _example())
    text = str(imported.module)
    assert text.count("torch.aten.linear") == 2 * 6 + 1
    assert text.count("torch.aten.scaled_dot_product_attention") == 2
    assert text.count("torch.aten.layer_norm") == 2 * 2 + 1


def test_hidden_states_and_attentions() -> None:
    model = make_model("bert", attention="eager")
    example = {**_example(), "output_hidden_states": True, "output_attentions": True}
    found = run(import_model(model, example), **example)
    with torch.no_grad():
        expected = model(**example)
    assert len(found.hidden_states) == 3
    assert len(found.attentions) == 2
    check_equal(found, expected)


def test_tuple_output() -> None:
    model = make_model("bert", attention="sdpa")
    example = {**_example(), "return_dict": False}
    found = run(import_model(model, example), **example)
    assert isinstance(found, tuple)
    with torch.no_grad():
        check_equal(found, model(**example))


def test_default_inputs_only() -> None:
    model = make_model("bert", attention="sdpa")
    ids = _example()["input_ids"]
    found = run(import_model(model, (ids,)), ids)
    with torch.no_grad():
        check_equal(found, model(ids))
