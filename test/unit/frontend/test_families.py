"""Two-layer models of every family of encoders, against PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers as hf
from unit.frontend.operators.oracle import check_equal, run

from canao.frontend.convention import CallConvention
from canao.frontend.torch_import import import_model

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 100,
}
_ALBERT: dict[str, Any] = {"embedding_size": 16, **_SIZES}
_DISTIL: dict[str, Any] = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 4,
    "hidden_dim": 64,
    "vocab_size": 100,
}
_MOBILE: dict[str, Any] = {
    **_SIZES,
    "embedding_size": 32,
    "intra_bottleneck_size": 32,
    "true_hidden_size": 32,
}
_DEBERTA: dict[str, Any] = {
    **_SIZES,
    "relative_attention": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
}
_SQUEEZE: dict[str, Any] = {"embedding_size": 32, **_SIZES}
_XLNET: dict[str, Any] = {
    "d_model": 32,
    "n_layer": 2,
    "n_head": 4,
    "d_inner": 64,
    "vocab_size": 100,
}
_TOKENS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2}
_GPT2: dict[str, Any] = {
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "vocab_size": 100,
    "use_cache": False,
}
_LLAMA: dict[str, Any] = {**_SIZES, "num_key_value_heads": 2, "use_cache": False}

_FAMILIES: dict[str, Callable[[], tuple[type[Any], Any]]] = {
    "bert": lambda: (hf.BertModel, hf.BertConfig(**_SIZES)),
    "distilbert": lambda: (hf.DistilBertModel, hf.DistilBertConfig(**_DISTIL)),
    "mobilebert": lambda: (hf.MobileBertModel, hf.MobileBertConfig(**_MOBILE)),
    "roberta": lambda: (hf.RobertaModel, hf.RobertaConfig(**_SIZES)),
    "electra": lambda: (hf.ElectraModel, hf.ElectraConfig(**_ALBERT)),
    "mpnet": lambda: (hf.MPNetModel, hf.MPNetConfig(**_SIZES)),
    "albert": lambda: (hf.AlbertModel, hf.AlbertConfig(**_ALBERT)),
    "deberta": lambda: (hf.DebertaV2Model, hf.DebertaV2Config(**_DEBERTA)),
    "xlm_roberta": lambda: (hf.XLMRobertaModel, hf.XLMRobertaConfig(**_SIZES)),
    "squeezebert": lambda: (hf.SqueezeBertModel, hf.SqueezeBertConfig(**_SQUEEZE)),
    "xlnet": lambda: (hf.XLNetModel, hf.XLNetConfig(**_XLNET)),
    "gpt2": lambda: (hf.GPT2Model, hf.GPT2Config(**_GPT2, **_TOKENS)),
    "llama": lambda: (hf.LlamaModel, hf.LlamaConfig(**_LLAMA)),
    "question_answering": lambda: (hf.BertForQuestionAnswering, hf.BertConfig(**_SIZES)),
    "classification": lambda: (hf.BertForSequenceClassification, hf.BertConfig(**_SIZES)),
    "masked_lm": lambda: (hf.BertForMaskedLM, hf.BertConfig(**_SIZES)),
}
_EAGER_ONLY = ("mpnet", "deberta", "squeezebert", "xlnet")


def _example() -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 90, (2, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[0, 4:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def _model(family: str, attention: str) -> Any:
    torch.manual_seed(0)
    cls, config = _FAMILIES[family]()
    config._attn_implementation = attention
    return cls(config).eval()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", _FAMILIES)
def test_family(family: str, attention: str) -> None:
    if attention == "sdpa" and family in _EAGER_ONLY:
        with pytest.raises(ValueError, match="does not support"):
            _model(family, attention)
        return
    model = _model(family, attention)
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
    imported = import_model(_model("bert", "sdpa"), _example())
    text = str(imported.module)
    assert text.count("torch.aten.linear") == 2 * 6 + 1
    assert text.count("torch.aten.scaled_dot_product_attention") == 2
    assert text.count("torch.aten.layer_norm") == 2 * 2 + 1


def test_hidden_states_and_attentions() -> None:
    model = _model("bert", "eager")
    example = {**_example(), "output_hidden_states": True, "output_attentions": True}
    found = run(import_model(model, example), **example)
    with torch.no_grad():
        expected = model(**example)
    assert len(found.hidden_states) == 3
    assert len(found.attentions) == 2
    check_equal(found, expected)


def test_tuple_output() -> None:
    model = _model("bert", "sdpa")
    example = {**_example(), "return_dict": False}
    found = run(import_model(model, example), **example)
    assert isinstance(found, tuple)
    with torch.no_grad():
        check_equal(found, model(**example))


def test_default_inputs_only() -> None:
    model = _model("bert", "sdpa")
    ids = _example()["input_ids"]
    found = run(import_model(model, (ids,)), ids)
    with torch.no_grad():
        check_equal(found, model(ids))
