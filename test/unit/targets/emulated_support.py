"""Exported programs, built for other processors and run by emulators."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

import canao
from canao.building.toolchain import compiler_for
from canao.devices.build_here import make_words

_LONGEST = 24
_NODE = ("node", "--no-warnings", str(Path(__file__).with_name("run_wasi.mjs")))
"""What runs WebAssembly."""

Arrays = list[npt.NDArray[np.float32]]


def small_bert() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=_LONGEST,
    )
    return BertModel(config).eval()


def tokens(length: int) -> dict[str, torch.Tensor]:
    mask = torch.ones(1, length, dtype=torch.int64)
    mask[:, length - 2 :] = 0
    return {"input_ids": torch.randint(50, (1, length)), "attention_mask": mask}


def compiled_for(name: str, model: BertModel, *, dynamic: bool) -> canao.CompiledModel:
    shapes = canao.AutoShapes(batch=2, sequence=_LONGEST) if dynamic else None
    return canao.compile(model, tokens(17), target=name, tune="off", dynamic_shapes=shapes)


def built_program(compiled: canao.CompiledModel | canao.CompiledGenerator, room: Path) -> Path:
    """The directory of an exported program, with the program."""
    model = compiled if isinstance(compiled, canao.CompiledModel) else compiled.model
    target = model.build.target
    assert target.row is not None
    compiled.export(room)
    words = make_words(compiler_for(target), target, static=target.row.static)
    done = subprocess.run(words, cwd=room, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return room


def run_program(
    compiled: canao.CompiledModel, room: Path, inputs: Mapping[str, torch.Tensor], *options: str
) -> Arrays:
    """What the program of a directory writes, run by the emulator of its target."""
    row = compiled.build.target.row
    assert row is not None
    named = [leaf.name for leaf in compiled.convention.inputs]
    for name in named:
        (room / f"{name}.bin").write_bytes(inputs[name].numpy().tobytes())
    outputs = json.loads((room / "metadata.json").read_text())["outputs"]
    results = [f"out{n}.bin" for n in range(len(outputs))]
    files = [*(f"{name}.bin" for name in named), *results]
    words = [*(row.emulator or _NODE), "./model", *options, *files]
    done = subprocess.run(words, cwd=room, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [np.frombuffer((room / name).read_bytes(), np.float32) for name in results]


def check_outputs(found: Arrays, model: BertModel, inputs: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        wanted = model(**inputs)
    pairs = zip(found, (wanted.last_hidden_state, wanted.pooler_output), strict=True)
    for mine, theirs in pairs:
        np.testing.assert_allclose(mine, theirs.numpy().ravel(), rtol=0, atol=1e-4)
