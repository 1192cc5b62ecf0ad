"""Small causal models with random weights."""

from __future__ import annotations

from typing import Any

import torch
import transformers


def small_decoder(kind: str, positions: int = 400, vocabulary: int = 300) -> Any:
    """A GPT-2, or a Llama, whose heads share keys if it is "grouped"."""
    torch.manual_seed(0)
    if kind == "gpt2":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_embd=32,
                n_layer=2,
                n_head=4,
                n_positions=positions,
                vocab_size=vocabulary,
                bos_token_id=None,
                eos_token_id=None,
            )
        ).eval()
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=48,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2 if kind == "grouped" else 6,
            max_position_embeddings=positions,
            eos_token_id=None,
            bos_token_id=None,
        )
    ).eval()
