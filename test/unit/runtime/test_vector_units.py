"""Whole models with the vector registers of other x86-64 processors than this one."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

import canao
from canao.errors import ToolchainError
from canao.machine.target import Target

_NAMES = ("sse", "avx2", "avx512")


def _here() -> list[str]:
    found: list[str] = []
    for name in _NAMES:
        try:
            Target.host(name)
        except ToolchainError:
            continue
        found.append(name)
    return found


HERE = _here()


def test_every_x86_64_has_sse() -> None:
    assert "sse" in HERE or Target.host().architecture != "x86_64"


@pytest.mark.parametrize("name", HERE)
def test_the_unit_is_the_one_that_was_asked_for(name: str) -> None:
    target = Target.host(name)
    assert target.vector_unit.name == name
    assert target.runs_on(Target.host())
    assert target.march == {"sse": "x86-64", "avx2": "x86-64-v3", "avx512": "x86-64-v4"}[name]


def test_units_that_are_not_here() -> None:
    with pytest.raises(ToolchainError, match="no vector registers 'mmx'; choose one of sse, avx2"):
        Target.host("mmx")
    for name in set(_NAMES) - set(HERE):
        with pytest.raises(ToolchainError, match=f"this machine has no {name} registers"):
            Target.host(name)


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("shape", [(1, 17), (2, 3), (1, 1)])
def test_a_whole_model(name: str, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=36,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=70,
        max_position_embeddings=32,
    )
    model = BertModel(config).eval()
    example = {
        "input_ids": torch.randint(50, shape),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
    }
    compiled = canao.compile(model, example, target=Target.host(name), threads=1, tune="off")
    assert f"{4 * Target.host(name).vector_unit.lanes_f32}))" in compiled.source
    with torch.no_grad():
        expected, found = model(**example), compiled(**example)
    torch.testing.assert_close(
        found.last_hidden_state, expected.last_hidden_state, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(found.pooler_output, expected.pooler_output, rtol=1e-4, atol=1e-5)
