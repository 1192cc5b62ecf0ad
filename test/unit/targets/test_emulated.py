"""Exported programs for other processors compute what PyTorch does, as emulators run them.

Every processor of the table that can be emulated here is tried, with a model of fixed and one of
varying lengths, with one thread and with several.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.targets.emulated_support import (
    built_program,
    check_outputs,
    compiled_for,
    run_program,
    small_bert,
    tokens,
)

_QUICK = (("aarch64-linux-musl", True),)
_SLOW = (
    ("riscv64-linux-musl", False),
    ("aarch64-linux-musl", False),
    ("aarch64-linux-android", False),
    ("armv7-linux-musleabihf", False),
    ("armv7-linux-musleabihf", True),
    ("riscv64-linux-musl", True),
    ("x86_64-linux-musl", False),
    ("wasm32-wasi", False),
    ("wasm32-wasi", True),
)


@pytest.mark.parametrize(
    ("name", "dynamic"),
    [*_QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in _SLOW)],
)
def test_a_small_model(tmp_path: Path, name: str, dynamic: bool) -> None:
    model = small_bert()
    compiled = compiled_for(name, model, dynamic=dynamic)
    room = built_program(compiled, tmp_path / "program")
    for length in (1, 5, 24) if dynamic else (17,):
        inputs = tokens(length) if length > 2 else {k: v[:, :1] for k, v in tokens(3).items()}
        sizes = ["--size", "batch=1", "--size", f"sequence={length}"] if dynamic else []
        for threads in ("1", str(compiled.threads)):
            found = run_program(compiled, room, inputs, *sizes, "--threads", threads)
            check_outputs(found, model, inputs)
