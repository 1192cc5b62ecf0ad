"""Fusion seen from the outside: counts and laws in the report, and the same results."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from e2e_support import random_inputs
from unit.expressions import build

import canao
from canao.frontend.torch_import import import_model
from canao.lowering.pipeline import lower
from canao.machine.target import Target

WIDE = ((4, 8),) * 4


def paper(x: torch.Tensor, f: torch.Tensor, g: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """The example of the paper's section 2.2."""
    s = x + f
    return s * g + s * h


@pytest.mark.parametrize("target", ["c", "opencl"])
def test_example_of_the_paper(target: str, build_cache: Path) -> None:
    graph = build(paper, WIDE)
    compiled = canao.compile(
        str(graph.module), None, target=target, tune="off", cache_dir=build_cache
    )
    report = compiled.report
    assert (report.layers_before, report.computations_before) == (4, 5)
    assert (report.layers_after, report.computations_after) == (1, 3)
    assert [(r.law, r.count, r.changes_rounding) for r in report.rewrites] == [
        ("take-out-factor", 1, True)
    ]
    assert "take-out-factor* 1" in str(report)
    x, f, g, h = (torch.from_numpy(a) for a in graph.inputs)
    np.testing.assert_allclose(compiled(x, f, g, h), paper(x, f, g, h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("target", ["c", "opencl"])
@pytest.mark.parametrize("fusion", ["exact", False])
def test_example_of_the_paper_keeps_its_rounding(
    fusion: canao.api.Fusion, target: str, build_cache: Path
) -> None:
    graph = build(paper, WIDE)
    compiled = canao.compile(
        str(graph.module), None, target=target, fusion=fusion, tune="off", cache_dir=build_cache
    )
    assert compiled.report.rewrites == ()
    assert compiled.report.computations_after == 4
    assert compiled.report.layers_after == (2 if fusion else 4)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_layers_of_minilm(attention: str, minilm: torch.nn.Module) -> None:
    model = deepcopy(minilm)
    model.set_attn_implementation(attention)  # pyright: ignore[reportCallIssue]
    imported = import_model(model, random_inputs(30522, 1, 128))
    program = lower(imported.module, target_unit=Target.host().vector_unit, threads=1)
    # Five a block, and three of the embeddings, the mask and the pooler.
    assert program.counts.layers_after == 6 * 5 + 3
    joined = next(r for r in program.rewrites if r.law == "join-products")
    assert joined.count == 6
