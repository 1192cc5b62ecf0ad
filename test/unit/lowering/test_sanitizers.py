"""Emitted code under the sanitizers of the compiler, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel
from unit.lowering.c_support import CC, parse
from unit.lowering.road import UNITS

from canao.frontend.torch_import import import_model
from canao.lowering.pipeline import lower
from canao.machine.processors import vector_unit
from canao.machine.target import Target
from canao.program import Program, TensorSpec

# An embedding lookup, a masked softmax over scores, a product with bias and GELU, a norm:
# rows and columns that no tile divides.
MODEL = """
func.func @main(%ids: tensor<1x13xi64>, %padding: tensor<1x13xi64>) -> tensor<1x13x19xf32> {
  %table = canao.weight "table" : tensor<11x19xf32>
  %w = canao.weight "w" : tensor<19x37xf32>
  %b = canao.weight "b" : tensor<37xf32>
  %v = canao.weight "v" : tensor<37x19xf32>
  %s = canao.weight "s" : tensor<19xf32>
  %none = canao.constant dense<0> : tensor<i64>
  %zero = canao.constant dense<0.0> : tensor<f32>
  %lowest = canao.constant dense<-1.0e9> : tensor<f32>
  %kept = canao.cmp "ne" %padding, %none : (tensor<1x13xi64>, tensor<i64>) -> tensor<1x13xi1>
  %mask = canao.select %kept, %zero, %lowest
    : (tensor<1x13xi1>, tensor<f32>, tensor<f32>) -> tensor<1x13xf32>
  %x = canao.gather %table at %ids : (tensor<11x19xf32>, tensor<1x13xi64>) -> tensor<1x13x19xf32>
  %t = canao.transpose %x [0, 2, 1] : (tensor<1x13x19xf32>) -> tensor<1x19x13xf32>
  %scores = canao.matmul %x, %t
    : (tensor<1x13x19xf32>, tensor<1x19x13xf32>) -> tensor<1x13x13xf32>
  %masked = canao.add %scores, %mask
    : (tensor<1x13x13xf32>, tensor<1x13xf32>) -> tensor<1x13x13xf32>
  %p = canao.softmax %masked axis 2 : (tensor<1x13x13xf32>) -> tensor<1x13x13xf32>
  %c = canao.matmul %p, %x : (tensor<1x13x13xf32>, tensor<1x13x19xf32>) -> tensor<1x13x19xf32>
  %h = canao.matmul %c, %w : (tensor<1x13x19xf32>, tensor<19x37xf32>) -> tensor<1x13x37xf32>
  %h1 = canao.add %h, %b : (tensor<1x13x37xf32>, tensor<37xf32>) -> tensor<1x13x37xf32>
  %g = canao.gelu %h1 approximate "none" : (tensor<1x13x37xf32>) -> tensor<1x13x37xf32>
  %o = canao.matmul %g, %v : (tensor<1x13x37xf32>, tensor<37x19xf32>) -> tensor<1x13x19xf32>
  %r = canao.add %o, %c : (tensor<1x13x19xf32>, tensor<1x13x19xf32>) -> tensor<1x13x19xf32>
  %n = canao.layer_norm %r, %s, %s epsilon 1.0e-05 : f64
    : (tensor<1x13x19xf32>, tensor<19xf32>, tensor<19xf32>) -> tensor<1x13x19xf32>
  func.return %n : tensor<1x13x19xf32>
}"""

# Buffers of exactly the size that the program asks for; inputs are aligned to elements only.
_MAIN = """
#include <stdio.h>

static void *aligned(size_t bytes) {
  void *memory = 0;
  if (posix_memalign(&memory, 64, bytes ? bytes : 1)) abort();
  memset(memory, 0, bytes);
  return memory;
}

int main(void) {
  const void *inputs[] = {INPUTS};
  const void *weights[] = {WEIGHTS};
  void *outputs[] = {OUTPUTS};
  void *arena = aligned(ARENA);
  void *handle;
  if (canao_open(THREADS, &handle)) return 2;
  for (int run = 0; run < RUNS; ++run)
    if (canao_run(handle, inputs, weights, outputs, arena)) return 3;
  canao_close(handle);
  puts("finished");
  return 0;
}
"""


def whole_program(program: Program, runs: int = 200) -> str:
    """The unit with a `main` that runs it on zeros."""

    def buffers(specs: tuple[TensorSpec, ...], make: str) -> str:
        return ", ".join(make.format(spec.bytes) for spec in specs) or "0"

    text = _MAIN
    for name, value in {
        "INPUTS": buffers(program.inputs, "calloc({}, 1)"),
        "WEIGHTS": buffers(program.weights, "aligned({})"),
        "OUTPUTS": buffers(program.outputs, "calloc({}, 1)"),
        "ARENA": str(program.arena_bytes),
        "THREADS": str(program.threads),
        "RUNS": str(runs),
    }.items():
        text = re.sub(rf"\b{name}\b", value, text)
    return program.source + text


def run_sanitized(
    directory: Path, text: str, sanitizer: str, level: str = "-O1"
) -> subprocess.CompletedProcess[str]:
    """Builds and runs a program under a sanitizer, in a process of its own."""
    assert CC is not None
    source, binary = directory / "model.c", directory / "model"
    source.write_text(text, encoding="utf-8")
    flags = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", level, "-g", "-std=gnu11"]
    command = [CC, *flags, "-march=native", "-pthread", "-w", "-o", str(binary), str(source), "-lm"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    options = {"TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run(
        [str(binary)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **options},
    )


@pytest.mark.parametrize("fusion", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_clean(tmp_path: Path, sanitizer: str, fusion: bool) -> None:
    program = lower(parse(MODEL), target_unit=vector_unit(UNITS["avx2"]), threads=2, fusion=fusion)
    result = run_sanitized(tmp_path, whole_program(program), sanitizer)
    assert (result.returncode, result.stdout) == (0, "finished\n"), result.stderr


@pytest.fixture(scope="module")
def tiny_bert() -> torch.nn.Module:
    config = BertConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        vocab_size=100,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    return BertModel(config).eval()


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
@pytest.mark.parametrize(
    ("batch", "seq", "threads"),
    [(1, 32, 2), (3, 13, 3), (1, 1, 4), (2, 37, 5)],
    ids=lambda number: str(number),
)
def test_a_whole_model_is_clean(
    tmp_path: Path,
    tiny_bert: torch.nn.Module,
    sanitizer: str,
    batch: int,
    seq: int,
    threads: int,
) -> None:
    """More threads than cores, and rows that neither tiles nor threads divide."""
    ids = torch.ones(batch, seq, dtype=torch.int64)
    imported = import_model(tiny_bert, {"input_ids": ids, "attention_mask": ids})
    unit = Target.host().vector_unit
    program = lower(imported.module, target_unit=unit, threads=threads)
    # Optimising instrumented code of this size takes gcc minutes.
    result = run_sanitized(tmp_path, whole_program(program, runs=20), sanitizer, "-O0")
    assert (result.returncode, result.stdout) == (0, "finished\n"), result.stderr


def test_a_race_is_found(tmp_path: Path) -> None:
    """Where finished tasks are counted but their writes not ordered, the same program races."""
    program = lower(parse(MODEL), target_unit=vector_unit(UNITS["avx2"]), threads=2)
    ordered = r"memory_order_(acquire|release|acq_rel)"
    text = re.sub(ordered, "memory_order_relaxed", whole_program(program))
    # Tasks go to whoever asks first: on a busy machine one thread may do them all.
    results = (run_sanitized(tmp_path, text, "thread") for _ in range(20))
    failed = next((result for result in results if result.returncode), None)
    assert failed is not None
    assert "ThreadSanitizer: data race" in failed.stderr
