"""Models with adapters of PEFT: what PyTorch gives, in as few layers as the merged model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers
from torch import nn
from unit.huggingface.small_models import SENTENCES, SIZES
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

import canao
from canao.errors import InputFileError, UnsupportedModelError
from canao.frontend.imported import ImportedModel
from canao.frontend.torch_import import import_model
from canao.interpreters.canao import evaluate
from canao.lowering.pipeline import lower
from canao.machine.target import Target
from canao.program import Program
from canao.transforms.canao_simplify import CanaoSimplifyPass
from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass

_QV = ["query", "value"]
_ALL = ["query", "key", "value", "dense"]


def _bert() -> Any:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {**SIZES, "vocab_size": 90}
    return transformers.BertModel(transformers.BertConfig(**sizes)).eval()


def _gpt2() -> Any:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 32}
    return transformers.GPT2Model(
        transformers.GPT2Config(**sizes, vocab_size=90, use_cache=False)
    ).eval()


def _adapted(model: Any, *configs: Any) -> Any:
    """The model with adapters, all of them active, whose weights are no zeros."""
    wrapped: Any = peft.get_peft_model(model, configs[0])
    for number, config in enumerate(configs[1:]):
        wrapped.add_adapter(f"more{number}", config)
    wrapped.base_model.set_adapter(list(wrapped.peft_config))
    generator = torch.Generator().manual_seed(1)
    for name, parameter in wrapped.named_parameters():
        if any(part in name for part in ("lora_A", "lora_B", "lora_embedding", "hada", "lokr")):
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return wrapped.eval()


def _lora(**settings: Any) -> Any:
    chosen: dict[str, Any] = {"r": 3, "target_modules": _QV, **settings}
    return peft.LoraConfig(**chosen)


_CASES: dict[str, Callable[[], Any]] = {
    "two of attention": lambda: _adapted(_bert(), _lora()),
    "every layer": lambda: _adapted(_bert(), _lora(target_modules=_ALL)),
    "rank 1": lambda: _adapted(_bert(), _lora(r=1, target_modules="all-linear")),
    "rank above width": lambda: _adapted(_bert(), _lora(r=50, use_rslora=True)),
    "dropout": lambda: _adapted(_bert(), _lora(lora_dropout=0.5)),
    "biases": lambda: _adapted(_bert(), _lora(bias="all", lora_bias=True)),
    "embeddings": lambda: _adapted(_bert(), _lora(target_modules=["query", "word_embeddings"])),
    "DoRA": lambda: _adapted(_bert(), _lora(use_dora=True, target_modules=_ALL)),
    "two at once": lambda: _adapted(
        _bert(), _lora(lora_alpha=4), _lora(r=5, lora_alpha=30, target_modules=_ALL)
    ),
    "LoHa": lambda: _adapted(_bert(), peft.LoHaConfig(r=2, target_modules=_QV)),
    "GPT-2": lambda: _adapted(
        _gpt2(), _lora(target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)
    ),
}


def _example() -> dict[str, torch.Tensor]:
    ids = torch.randint(0, 90, (2, 7), generator=torch.Generator().manual_seed(2))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _program(module: ModuleOp) -> Program:
    return lower(module, target_unit=Target.host().vector_unit, threads=1)


@cache
def _plain(kind: str) -> Program:
    model = _gpt2() if kind == "GPT-2" else _bert()
    return _program(import_model(model, _example()).module)


@pytest.mark.parametrize("case", list(_CASES))
def test_as_few_layers_as_without_adapters(case: str) -> None:
    """A merged model is the plain one with other numbers in its weights."""
    model = _CASES[case]()
    imported = import_model(model, _example())
    _check_simplified(model, imported, exact=case == "DoRA")
    _check_simplified(model, imported, exact=False)
    found, wanted = _program(imported.module), _plain(case)
    assert found.counts.layers_after == wanted.counts.layers_after
    assert [k.name for k in found.kernels] == [k.name for k in wanted.kernels]
    assert sum(k.flops for k in found.kernels) == sum(k.flops for k in wanted.kernels)


def _check_simplified(model: Any, imported: ImportedModel, exact: bool) -> None:
    """Results are PyTorch's; laws that keep roundings leave the adapters' products."""
    module, context = imported.module.clone(), Context(allow_unregistered=True)
    ConvertTorchToCanaoPass().apply(context, module)
    simplify = CanaoSimplifyPass(exact=exact)
    simplify.apply(context, module)
    module.verify()
    assert any(use.law == "fold-linear-maps" for use in simplify.used) == (not exact)
    example = _example()
    inputs = [example[leaf.name].numpy() for leaf in imported.convention.inputs]
    found = evaluate(module, inputs, imported.weights)[0]
    with torch.no_grad():
        wanted = model(**example).last_hidden_state
    assert abs(torch.from_numpy(np.asarray(found)) - wanted).max() < 1e-4


@pytest.fixture(scope="module")
def folders(saved: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A classifier with a tokenizer, and an adapter of it that has a head of its own."""
    base = saved(transformers.BertForSequenceClassification, num_labels=3)
    model = transformers.BertForSequenceClassification.from_pretrained(base)
    wrapped = _adapted(model, _lora(task_type="SEQ_CLS", modules_to_save=["classifier"]))
    head = wrapped.base_model.model.classifier.modules_to_save["default"]
    nn.init.normal_(head.weight)
    adapter = tmp_path_factory.mktemp("adapter")
    wrapped.save_pretrained(adapter)
    return base, adapter, wrapped


def _check(compiled: Any, model: Any, base: Path) -> None:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(base)
    for texts in (SENTENCES[:1], SENTENCES):
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        with torch.no_grad():
            wanted = model(**inputs).logits
        torch.testing.assert_close(compiled(**inputs).logits, wanted, rtol=1e-4, atol=1e-5)


def test_every_way_to_give_one(folders: Any, options: dict[str, Any]) -> None:
    """The model, its folder, and the class that reads models."""
    base, adapter, wrapped = folders
    for compiled in (
        canao.compile(wrapped, **options),
        canao.compile(str(adapter), **options),
        canao.CanaoModelForSequenceClassification.from_pretrained(adapter, **options),
    ):
        _check(compiled, wrapped, base)


def test_in_a_pipeline(folders: Any, options: dict[str, Any]) -> None:
    base, _, wrapped = folders
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(base)
    plain = transformers.pipeline("text-classification", model=wrapped, tokenizer=tokenizer)
    compiled = canao.compile(plain, **options)
    assert type(compiled.model) is type(wrapped)
    for one, other in zip(compiled(SENTENCES[:3]), plain(SENTENCES[:3]), strict=True):
        assert one["label"] == other["label"]
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)


def test_what_is_active_counts(options: dict[str, Any]) -> None:
    """One of two adapters, none, or one that is merged; and a change of that is noticed."""
    model = _adapted(_bert(), _lora(), _lora(r=2, lora_alpha=20))
    example = _example()
    kept: list[torch.Tensor] = []

    def check() -> canao.CompiledModel:
        compiled = canao.compile(model, example, **options)
        with torch.no_grad():
            wanted = model(**example).last_hidden_state
        found = compiled(**example).last_hidden_state
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        assert all((found - other).abs().max() > 1e-3 for other in kept)
        kept.append(found)
        return compiled

    model.base_model.set_adapter("default")
    compiled = check()
    for parameter in model.parameters():
        parameter.data.mul_(1.01)
    compiled.update_weights(model)
    with torch.no_grad():
        wanted = model(**example).last_hidden_state
    torch.testing.assert_close(compiled(**example).last_hidden_state, wanted, rtol=1e-4, atol=1e-5)
    model.base_model.set_adapter("more0")
    with pytest.raises(UnsupportedModelError, match="other adapters"):
        compiled.update_weights(model)
    compiled = check()
    model.merge_adapter()
    with pytest.raises(UnsupportedModelError, match="other adapters"):
        compiled.update_weights(model)
    model.unmerge_adapter()
    with model.disable_adapter():
        check()


def test_adapters_that_are_more_than_weights(options: dict[str, Any]) -> None:
    """Prompts of their own: refused without examples, and compiled as they are with them."""
    config = peft.PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=3)
    model: Any = peft.get_peft_model(_bert(), config).eval()
    with pytest.raises(UnsupportedModelError, match="PROMPT_TUNING"):
        canao.compile(model, **options)
    example = _example()
    with torch.no_grad():
        wanted = model(**example).last_hidden_state
    found = canao.compile(model, example, **options)(**example).last_hidden_state
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("adapter_config.json", "{", "cannot be read"),
        ("adapter_config.json", "[]", "no configuration"),
        ("adapter_config.json", "{}", "names no base model"),
        ("adapter_model.safetensors", None, "no adapter_model.safetensors"),
        ("adapter_model.safetensors", "x", "does not fit"),
    ],
)
def test_damaged_folders(
    file: str,
    text: str | None,
    message: str,
    folders: Any,
    options: dict[str, Any],
    tmp_path: Path,
) -> None:
    _, adapter, _ = folders
    for source in adapter.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    if text is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(text)
    with pytest.raises(InputFileError, match=message):
        canao.compile(tmp_path, **options)
