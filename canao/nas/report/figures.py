"""The report's figures, drawn by plotly."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from plotly import graph_objects as go

from canao.nas.attributes import Candidate, pareto_front, values_of
from canao.nas.controller import Controller
from canao.nas.objectives import ACCURACY, LATENCY, Goal

_INK, _SOFT, _GOOD, _BAD, _FRONT = "#1d2733", "#9aa7b4", "#1f77b4", "#c9514a", "#e08a1e"
_MARGIN = 0.08
"""What is left free beyond the values on an axis, of their span."""
_FONT = {"family": "system-ui, sans-serif", "color": _INK, "size": 13}


def pareto_figure(goal: Goal, found: Sequence[Candidate], best: Candidate | None) -> go.Figure:
    """Accuracy over latency of all complete candidates, with the front and the budget."""
    figure = go.Figure()
    known = [c for c in found if ACCURACY in c.values]
    figure.add_scatter(
        x=[c.execution.latency_ms for c in known],
        y=[c.values[ACCURACY] for c in known],
        mode="markers",
        name="candidates",
        marker={"color": _SOFT, "size": 8},
        text=[_label(c) for c in known],
        hovertemplate="%{text}<extra></extra>",
    )
    front = pareto_front(goal, known)
    figure.add_scatter(
        x=[c.execution.latency_ms for c in front],
        y=[c.values[ACCURACY] for c in front],
        mode="lines+markers",
        name="Pareto front",
        line={"color": _FRONT, "shape": "hv"},
        marker={"size": 9},
        text=[_label(c) for c in front],
        hovertemplate="%{text}<extra></extra>",
    )
    if best is not None:
        figure.add_scatter(
            x=[best.execution.latency_ms],
            y=[best.values[ACCURACY]],
            mode="markers",
            name="chosen",
            marker={"color": _GOOD, "size": 16, "symbol": "star"},
            text=[_label(best)],
            hovertemplate="%{text}<extra></extra>",
        )
    budgets = {o.name: o.budget for o in goal.objectives if o.budget}
    if LATENCY in budgets:
        figure.add_vline(
            x=budgets[LATENCY],
            line={"color": _BAD, "dash": "dash"},
            annotation_text=f"budget {budgets[LATENCY]:g} ms",
            annotation_position="bottom right",
        )
    latencies = [c.execution.latency_ms for c in known]
    figure.update_xaxes(range=_from_zero([*latencies, budgets.get(LATENCY) or 0.0]))
    figure.update_yaxes(range=_of_parts([c.values[ACCURACY] for c in known]))
    return _finish(figure, "latency (ms)", "accuracy")


def progress_figure(goal: Goal, trials: Sequence[FrozenTrial]) -> go.Figure:
    """The reward of each trial in order, and the best so far; rejected and failed at the foot."""
    figure = go.Figure()
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    rewards = [goal.reward(values_of(t)) for t in done]
    figure.add_scatter(
        x=[t.number for t in done],
        y=rewards,
        mode="markers",
        name="complete",
        marker={"color": _GOOD, "size": 7},
        text=[_escaped(t.user_attrs.get("architecture", "")) for t in done],
        hovertemplate="trial %{x}: %{y:.4f}<br>%{text}<extra></extra>",
    )
    best = [max(rewards[: n + 1]) for n in range(len(rewards))]
    figure.add_scatter(
        x=[t.number for t in done],
        y=best,
        mode="lines",
        name="best so far",
        line={"color": _FRONT, "shape": "hv"},
        hoverinfo="skip",
    )
    foot = min(rewards, default=0.0) - 0.02
    for state, name, colour in (
        (TrialState.PRUNED, "rejected", _SOFT),
        (TrialState.FAIL, "failed", _BAD),
    ):
        ended = [t for t in trials if t.state is state]
        figure.add_scatter(
            x=[t.number for t in ended],
            y=[foot] * len(ended),
            mode="markers",
            name=name,
            marker={"color": colour, "size": 7, "symbol": "x"},
            text=[_escaped(t.user_attrs.get("reason", "")) for t in ended],
            hovertemplate="trial %{x}: %{text}<extra></extra>",
        )
    last = max((t.number for t in trials), default=0)
    figure.update_xaxes(range=[-0.5, last + 0.5])
    figure.update_yaxes(range=_around([foot, *rewards]))
    return _finish(figure, "trial", "reward")


def belief_figure(controller: Controller, beliefs: Mapping[str, Sequence[float]]) -> go.Figure:
    """How likely the controller draws each feed-forward size, block by block."""
    sizes = controller.space.intermediate.values
    blocks = [name for name in beliefs if name.startswith("intermediate_size_")]
    figure = go.Figure(
        go.Heatmap(
            z=[list(beliefs[name]) for name in blocks],
            x=[str(size) for size in sizes],
            y=[f"block {number + 1}" for number in range(len(blocks))],
            colorscale="Blues",
            zmin=0,
            zmax=1,
            colorbar={"title": "probability"},
            hovertemplate="%{y}, size %{x}: %{z:.1%}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    return _finish(figure, "intermediate size", "", height=120 + 34 * len(blocks))


def choice_figure(sizes: Sequence[int], likely: Sequence[float], title: str) -> go.Figure:
    """How likely each of a few sizes is."""
    figure = go.Figure(
        go.Bar(
            x=[str(size) for size in sizes],
            y=list(likely),
            marker={"color": _GOOD},
            hovertemplate="%{x}: %{y:.1%}<extra></extra>",
        )
    )
    figure.update_yaxes(tickformat=".0%", range=[0, 1])
    return _finish(figure, title, "probability", height=240)


def kernel_figure(kernels: Sequence[Mapping[str, Any]]) -> go.Figure:
    """The time of each kernel, longest first."""
    rows = sorted(kernels, key=lambda row: float(row["ms"]))
    figure = go.Figure(
        go.Bar(
            y=[_escaped(f"{row['name']} (x{row['calls']})") for row in rows],
            x=[float(row["ms"]) for row in rows],
            orientation="h",
            marker={"color": _GOOD},
            text=[f"{float(row['ms']):.3f} ms" for row in rows],
            hovertext=[_escaped(str(row["variant"])) for row in rows],
            hovertemplate="%{y}: %{x:.3f} ms<br>%{hovertext}<extra></extra>",
        )
    )
    figure.update_xaxes(range=_from_zero([float(row["ms"]) for row in rows]))
    figure.update_yaxes(automargin=True)
    return _finish(figure, "ms of one run", "", height=90 + 26 * len(rows))


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
        f"{candidate.execution.latency_ms:.2f} ms<br>{architecture.num_blocks} blocks, "
        f"hidden {architecture.hidden_size}<br>intermediate {sizes}"
    )


def _escaped(text: object) -> str:
    """Plotly reads labels as a kind of HTML."""
    return html.escape(str(text))


def _finish(figure: go.Figure, across: str, up: str, height: int = 380) -> go.Figure:
    figure.update_layout(
        template="simple_white",
        font=_FONT,
        height=height,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(title=across)
    figure.update_yaxes(title=up)
    return figure
