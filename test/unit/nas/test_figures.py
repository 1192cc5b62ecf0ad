"""The axes of a search's charts show what values can be."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState, create_trial
from plotly import graph_objects as go
from unit.nas.search_support import SPACE

from canao.nas.controller.controller import Controller
from canao.nas.measuring.latency import Execution
from canao.nas.report import figures
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import default_goal
from canao.nas.study.attributes import Candidate

SIZES = Architecture(64, 2, (128, 128))


def candidate(number: int, accuracy: float, ms: float) -> Candidate:
    values = {"accuracy": accuracy, "latency_ms": ms}
    return Candidate(number, SIZES, values, Execution(ms), {})


def test_plotly_takes_what_is_drawn() -> None:
    """Its classes check every name and value, as its script does not."""
    goal, found = default_goal(budget_ms=4.0), [candidate(0, 0.5, 3.0)]
    controller = Controller(SPACE)
    beliefs = {"intermediate_size_1": [0.1] * len(SPACE.intermediate.values)}
    rows = [{"name": "softmax_128", "calls": 2, "ms": 0.1, "variant": "a<b"}]
    for figure in (
        figures.pareto_figure(goal, found, found[0]),
        figures.progress_figure(goal, []),
        figures.belief_figure(controller, beliefs),
        figures.choice_figure((2, 4), (0.3, 0.7), "blocks"),
        figures.kernel_figure(rows),
    ):
        taken: dict[str, Any] = go.Figure(figure).to_dict()
        assert len(taken["data"]) == len(figure["data"])
        assert taken["layout"]["xaxis"]["title"] == figure["layout"]["xaxis"]["title"]


@pytest.mark.parametrize("accuracies", [[0.0], [0.5], [1.0], [0.2, 0.99], [0.81, 0.83]])
def test_accuracies_lie_within_0_and_1(accuracies: list[float]) -> None:
    found = [candidate(n, a, 3.0 + n) for n, a in enumerate(accuracies)]
    layout = figures.pareto_figure(default_goal(), found, found[0])["layout"]
    low, high = layout["yaxis"]["range"]
    assert 0 <= low <= min(accuracies)
    assert max(accuracies) <= high <= 1
    assert low < high
    first, last = layout["xaxis"]["range"]
    assert first == 0
    assert all(c.execution.latency_ms is not None for c in found)
    assert last > max(c.execution.latency_ms or 0 for c in found)


def test_the_budget_is_seen() -> None:
    found = [candidate(0, 0.5, 3.0)]
    layout = figures.pareto_figure(default_goal(budget_ms=40.0), found, None)["layout"]
    assert layout["xaxis"]["range"][1] > 40


def test_agreement_may_be_negative() -> None:
    layout = figures.pareto_figure(default_goal(), [candidate(0, -0.3, 3.0)], None)["layout"]
    assert layout["yaxis"]["range"][0] < -0.3


def test_no_candidate() -> None:
    layout = figures.pareto_figure(default_goal(), [], None)["layout"]
    assert list(layout["yaxis"]["range"]) == [0, 1]
    assert list(layout["xaxis"]["range"]) == [0, 1]


def test_one_trial_of_a_search() -> None:
    trial = create_trial(
        state=TrialState.COMPLETE, value=0.5, user_attrs={"accuracy": 0.5, "latency_ms": 3.0}
    )
    layout = figures.progress_figure(default_goal(), [trial])["layout"]
    low, high = layout["yaxis"]["range"]
    reward = default_goal().reward({"accuracy": 0.5, "latency_ms": 3.0})
    assert reward - 0.2 < low < reward < high < reward + 0.2


def test_probabilities() -> None:
    layout = figures.choice_figure((2, 4), (0.3, 0.7), "blocks")["layout"]
    assert list(layout["yaxis"]["range"]) == [0, 1]


def test_times_of_kernels_begin_at_0() -> None:
    rows = [{"name": "softmax_128", "calls": 2, "ms": 0.0, "variant": "a<b"}]
    assert list(figures.kernel_figure(rows)["layout"]["xaxis"]["range"]) == [0, 1]
    rows[0]["ms"] = 5.0
    assert figures.kernel_figure(rows)["layout"]["xaxis"]["range"][0] == 0
