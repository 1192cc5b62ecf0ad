"""`SentenceTransformer` and `CrossEncoder` compiled inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from unit.huggingface.small_models import SENTENCES, TOKENIZER

import canao
from canao.errors import UnsupportedModelError


def test_embeddings(options: dict[str, Any]) -> None:
    plain = SentenceTransformer(str(TOKENIZER), device="cpu")
    shapes = canao.AutoShapes(batch=8, sequence=64)
    compiled = canao.compile(plain, dynamic_shapes=shapes, **options)
    assert isinstance(compiled, SentenceTransformer)
    for texts in (SENTENCES, SENTENCES[:1], SENTENCES[1]):
        found, wanted = compiled.encode(texts), plain.encode(texts)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert plain[0] is not compiled[0]
    assert plain[1] is compiled[1]


def test_scores(saved: Callable[..., Path], options: dict[str, Any]) -> None:
    path = saved(transformers.BertForSequenceClassification, num_labels=1)
    plain = CrossEncoder(str(path), device="cpu")
    compiled = canao.compile(plain, **options)
    pairs = [(one, other) for one in SENTENCES for other in SENTENCES]
    assert isinstance(compiled, CrossEncoder)
    np.testing.assert_allclose(compiled.predict(pairs), plain.predict(pairs), atol=1e-5)


def test_nothing_to_compile() -> None:
    from sentence_transformers.sentence_transformer.modules import Normalize

    plain = SentenceTransformer(modules=[Normalize()], device="cpu")
    with pytest.raises(UnsupportedModelError, match="no model of transformers"):
        canao.compile(plain)


def test_an_encoder_with_inputs_is_a_module(options: dict[str, Any]) -> None:
    plain = SentenceTransformer(str(TOKENIZER), device="cpu")
    features: Any = plain.preprocess([SENTENCES[1]])
    inputs = {n: v for n, v in features.items() if isinstance(v, torch.Tensor)}
    compiled = canao.compile(plain, (inputs,), **options)
    with torch.no_grad():
        wanted = plain(dict(inputs))["sentence_embedding"]
    found = compiled(inputs)["sentence_embedding"]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
