"""The report's figures, as values that plotly's script draws in the browser.

They are plain values: plotly's own classes would check each one, for seconds on a slow machine.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from canao.nas.controller.controller import Controller
from canao.nas.space.objectives import ACCURACY, LATENCY, Goal
from canao.nas.study.attributes import Candidate, pareto_front, values_of

_INK, _SOFT, _GOOD, _BAD, _FRONT = "#1d2733", "#9aa7b4", "#1f77b4", "#c9514a", "#e08a1e"
_MARGIN = 0.08
"""What is left free beyond the values on an axis, of their span."""
_AXIS = {"showgrid": False, "zeroline": False, "showline": True, "ticks": "outside"}
_FONT = {"family": "system-ui, sans-serif", "color": _INK, "size": 13}


Figure = dict[str, Any]
"""`data`, a list of traces, and `layout`: what Plotly.newPlot takes."""


def pareto_figure(goal: Goal, found: Sequence[Candidate], best: Candidate | None) -> Figure:
    """Accuracy over latency of all complete candidates, with the front and the budget."""
    known = [c for c in found if ACCURACY in c.values]
    traces = [
        _candidates(known, "candidates", mode="markers", marker={"color": _SOFT, "size": 8}),
        _candidates(
            pareto_front(goal, known),
            "Pareto front",
            mode="lines+markers",
            line={"color": _FRONT, "shape": "hv"},
            marker={"size": 9},
        ),
    ]
    if best is not None:
        marker = {"color": _GOOD, "size": 16, "symbol": "star"}
        traces.append(_candidates([best], "chosen", mode="markers", marker=marker))
    budget = {o.name: o.budget for o in goal.objectives}.get(goal.cost)
    costs = [c.execution.cost for c in known]
    title = "latency (ms)" if goal.cost == LATENCY else goal.cost
    across = {"title": title, "range": _from_zero([*costs, budget or 0.0])}
    up = {"title": "accuracy", "range": _of_parts([c.values[ACCURACY] for c in known])}
    return _figure(traces, across, up, **(_budget_line(budget, goal) if budget else {}))


def _candidates(found: Sequence[Candidate], name: str, **style: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [c.execution.cost for c in found],
        "y": [c.values[ACCURACY] for c in found],
        "name": name,
        "text": [_label(c) for c in found],
        "hovertemplate": "%{text}<extra></extra>",
        **style,
    }


def _budget_line(budget: float, goal: Goal) -> dict[str, Any]:
    """A line from the foot to the top, with what it means."""
    place = {"xref": "x", "yref": "y domain"}
    ends = {"x0": budget, "x1": budget, "y0": 0, "y1": 1}
    line = {"type": "line", **place, **ends, "line": {"color": _BAD, "dash": "dash"}}
    unit = "ms" if goal.cost == LATENCY else goal.cost
    words = {"text": f"budget {budget:g} {unit}", "showarrow": False, **place, "x": budget, "y": 0}
    return {"shapes": [line], "annotations": [words | {"xanchor": "left", "yanchor": "bottom"}]}


def progress_figure(goal: Goal, trials: Sequence[FrozenTrial]) -> Figure:
    """The reward of each trial in order, and the best so far; rejected and failed at the foot."""
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    rewards = [goal.reward(values_of(t)) for t in done]
    numbers = [t.number for t in done]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": numbers,
            "y": rewards,
            "mode": "markers",
            "name": "complete",
            "marker": {"color": _GOOD, "size": 7},
            "text": [_escaped(t.user_attrs.get("architecture", "")) for t in done],
            "hovertemplate": "trial %{x}: %{y:.4f}<br>%{text}<extra></extra>",
        },
        {
            "type": "scatter",
            "x": numbers,
            "y": [max(rewards[: n + 1]) for n in range(len(rewards))],
            "mode": "lines",
            "name": "best so far",
            "line": {"color": _FRONT, "shape": "hv"},
            "hoverinfo": "skip",
        },
    ]
    foot = min(rewards, default=0.0) - 0.02
    for state, name, colour in (
        (TrialState.PRUNED, "rejected", _SOFT),
        (TrialState.FAIL, "failed", _BAD),
    ):
        ended = [t for t in trials if t.state is state]
        traces.append(
            {
                "type": "scatter",
                "x": [t.number for t in ended],
                "y": [foot] * len(ended),
                "mode": "markers",
                "name": name,
                "marker": {"color": colour, "size": 7, "symbol": "x"},
                "text": [_escaped(t.user_attrs.get("reason", "")) for t in ended],
                "hovertemplate": "trial %{x}: %{text}<extra></extra>",
            }
        )
    last = max((t.number for t in trials), default=0)
    across = {"title": "trial", "range": [-0.5, last + 0.5]}
    return _figure(traces, across, {"title": "reward", "range": _around([foot, *rewards])})


def belief_figure(controller: Controller, beliefs: Mapping[str, Sequence[float]]) -> Figure:
    """How likely the controller draws each feed-forward size, block by block."""
    sizes = controller.space.intermediate.values
    blocks = [name for name in beliefs if name.startswith("intermediate_size_")]
    trace = {
        "type": "heatmap",
        "z": [list(beliefs[name]) for name in blocks],
        "x": [str(size) for size in sizes],
        "y": [f"block {number + 1}" for number in range(len(blocks))],
        "colorscale": [[0, "#f7fbff"], [0.5, "#6baed6"], [1, "#08306b"]],
        "zmin": 0,
        "zmax": 1,
        "colorbar": {"title": {"text": "probability"}, "outlinewidth": 0},
        "hovertemplate": "%{y}, size %{x}: %{z:.1%}<extra></extra>",
    }
    across = {"title": "intermediate size", "type": "category"}
    return _figure([trace], across, {"autorange": "reversed"}, height=120 + 34 * len(blocks))


def choice_figure(sizes: Sequence[int], likely: Sequence[float], title: str) -> Figure:
    """How likely each of a few sizes is."""
    trace = {
        "type": "bar",
        "x": [str(size) for size in sizes],
        "y": list(likely),
        "marker": {"color": _GOOD},
        "hovertemplate": "%{x}: %{y:.1%}<extra></extra>",
    }
    up = {"title": "probability", "tickformat": ".0%", "range": [0, 1]}
    return _figure([trace], {"title": title, "type": "category"}, up, height=240)


def kernel_figure(kernels: Sequence[Mapping[str, Any]]) -> Figure:
    """The time of each kernel, longest first."""
    rows = sorted(kernels, key=lambda row: float(row["ms"]))
    times = [float(row["ms"]) for row in rows]
    trace = {
        "type": "bar",
        "y": [_escaped(f"{row['name']} (x{row['calls']})") for row in rows],
        "x": times,
        "orientation": "h",
        "marker": {"color": _GOOD},
        "text": [f"{ms:.3f} ms" for ms in times],
        "hovertext": [_escaped(str(row["variant"])) for row in rows],
        "hovertemplate": "%{y}: %{x:.3f} ms<br>%{hovertext}<extra></extra>",
    }
    across = {"title": "ms of one run", "range": _from_zero(times)}
    return _figure([trace], across, {"automargin": True}, height=90 + 26 * len(rows))


def _around(values: Sequence[float]) -> list[float]:
    """The ends of an axis for some values, at least one: a little beyond both ends."""
    low, high = min(values), max(values)
    margin = _MARGIN * (high - low) or _MARGIN
    return [low - margin, high + margin]


def _of_parts(values: Sequence[float]) -> list[float]:
    """The ends of an axis for parts of a whole, such as accuracies: within 0 to 1.

    Some measures of agreement are negative where a model is worse than chance; the axis
    then begins below them.
    """
    if not values:
        return [0.0, 1.0]
    low, high = _around(values)
    return [low if min(values) < 0 else max(0.0, low), min(1.0, high)]


def _from_zero(values: Sequence[float]) -> list[float]:
    """The ends of an axis for what is never negative, such as times."""
    return [0.0, (1 + _MARGIN) * max(values, default=0.0) or 1.0]


def _label(candidate: Candidate) -> str:
    architecture = candidate.architecture
    sizes = " ".join(map(str, architecture.intermediate_sizes))
    return (
        f"trial {candidate.number}: {candidate.values[ACCURACY]:.4f}, "
        f"{candidate.execution.cost_text}<br>{architecture.num_blocks} blocks, "
        f"hidden {architecture.hidden_size}<br>intermediate {sizes}"
    )


def _escaped(text: object) -> str:
    """Plotly reads labels as a kind of HTML."""
    return html.escape(str(text))


def _figure(
    traces: Sequence[Mapping[str, Any]],
    across: Mapping[str, Any],
    up: Mapping[str, Any],
    height: int = 380,
    **layout: Any,
) -> Figure:
    """Traces with two axes, in one style."""
    return {
        "data": list(traces),
        "layout": {
            "font": _FONT,
            "height": height,
            "margin": {"l": 60, "r": 20, "t": 30, "b": 50},
            "legend": {"orientation": "h", "y": 1.12, "x": 0},
            "hoverlabel": {"align": "left"},
            "xaxis": _axis(across),
            "yaxis": _axis(up),
            **layout,
        },
    }


def _axis(given: Mapping[str, Any]) -> dict[str, Any]:
    """An axis that is a line with ticks."""
    return {**_AXIS, **given, "title": {"text": given.get("title", "")}}
