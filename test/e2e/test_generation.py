"""SmolLM2-135M-Instruct writes what transformers has it write."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from e2e_support import smollm2_weights

import canao
from canao.decoding.stream import Stream
from canao.huggingface.pretrained import load_pretrained, load_tokenizer

_PROMPTS = (
    "The capital of France is",
    "Once upon a time",
    "def fibonacci(n):",
    "The three laws of motion say that",
    "To make a good cup of tea, first",
    "In the year 2050, people will",
    "My favourite animal is the octopus, because",
    "Dear Sir or Madam,",
    "1, 1, 2, 3, 5, 8,",
    "Le chat est assis sur",
    "<html>\n<body>\n",
    "Question: How far away is the moon?\nAnswer:",
    "SELECT name FROM",
    "The recipe needs flour, eggs and",
    "\u4f60\u597d\uff0c",
    "A haiku about rain:\n",
    "Photosynthesis is the process by which",
    "She opened the door and",
    "import numpy as np\n\n",
    "The difference between a virus and a bacterium is",
)
_TOKENS = 128

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def smollm2() -> tuple[Any, canao.CompiledGenerator]:
    """The model of transformers, and the compiled one."""
    weights = smollm2_weights()
    model = load_pretrained(weights, auto_class="AutoModelForCausalLM")
    tokenizer = load_tokenizer(weights)
    assert tokenizer is not None
    return model, canao.CompiledGenerator(model, tokenizer, tune="off", threads=2)


@pytest.mark.parametrize("prompt", _PROMPTS)
def test_the_same_tokens(prompt: str, smollm2: tuple[Any, canao.CompiledGenerator]) -> None:
    model, generator = smollm2
    ids = generator.tokenizer(prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        wanted = model.generate(ids, max_new_tokens=_TOKENS, do_sample=False)[0, ids.shape[1] :]
        logits = model(ids).logits[0, -1].numpy()
    ends = wanted.tolist()[-1:] == [model.generation_config.eos_token_id]
    tokens = wanted.tolist()[:-1] if ends else wanted.tolist()
    assert generator.generate(ids, max_new_tokens=_TOKENS) == tokens
    found = Stream(generator.decoder).feed(ids[0].tolist())
    assert abs(found - logits).max() < 2e-4 * abs(logits).max()


def test_the_same_text(smollm2: tuple[Any, canao.CompiledGenerator]) -> None:
    model, generator = smollm2
    ids = generator.tokenizer(_PROMPTS[0], return_tensors="pt").input_ids
    with torch.no_grad():
        wanted = model.generate(ids, max_new_tokens=_TOKENS, do_sample=False)[0, ids.shape[1] :]
    text = generator.tokenizer.decode(wanted, skip_special_tokens=True)
    assert generator.generate(_PROMPTS[0], max_new_tokens=_TOKENS) == text
