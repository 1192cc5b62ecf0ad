"""Small models of transformers with a real tokenizer, in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from unit.huggingface.small_models import SIZES, TOKENIZER

from canao.machine.target import available_cores


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder with a random model of a class, and its tokenizer."""

    def make(kind: Any, **config: Any) -> Path:
        torch.manual_seed(0)
        model = kind(transformers.BertConfig(**{**SIZES, **config}))
        path = tmp_path_factory.mktemp("model") / kind.__name__
        model.save_pretrained(path)
        tokenizer = transformers.AutoTokenizer.from_pretrained(TOKENIZER, model_max_length=64)
        tokenizer.save_pretrained(path)
        return path

    return make


@pytest.fixture
def options() -> dict[str, Any]:
    """How models of tests are compiled."""
    return {"tune": "off", "threads": min(2, available_cores())}
