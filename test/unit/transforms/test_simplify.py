from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from unit.strategies import Graph, graphs
from xdsl.context import Context

from canao.interpreters.canao import evaluate
from canao.transforms.canao_simplify import CanaoSimplifyPass

# Graphs take a while to draw, and that is no fault of theirs.
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def simplify(graph: Graph) -> None:
    CanaoSimplifyPass().apply(Context(), graph.module)
    graph.module.verify()


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_keeps_results(graph: Graph):
    before = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    simplify(graph)
    after = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_is_idempotent(graph: Graph):
    simplify(graph)
    once = str(graph.module)
    simplify(graph)
    assert str(graph.module) == once
