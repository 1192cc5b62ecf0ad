"""The report of a search as one HTML page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from markupsafe import Markup
from optuna.trial import FrozenTrial, TrialState

from canao.files import replace_text
from canao.nas.report import figures
from canao.nas.report.facts import not_kept
from canao.nas.report.figures import Figure
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import Goal
from canao.nas.study.attributes import REASON, Candidate, candidates, counts
from canao.nas.study.finalists import with_last_measurements
from canao.nas.study.sampler import CanaoSampler
from canao.nas.study.study import Configuration
from canao.templates import render

if TYPE_CHECKING:
    from canao.nas.controller.reinforce import Reinforce
    from canao.nas.study.result import SearchResult

_VOCABULARY, _POSITIONS = 30522, 512
_PREFERENCES = 64
_LONGEST_BAR = 260
_MOST_FAILURES = 20
_CONFIGURATION = '{"displayModeBar": false, "responsive": true}'


def write_report(
    result: SearchResult,
    configuration: Configuration,
    kernels: Sequence[Mapping[str, Any]],
    path: Path,
) -> None:
    """Write the page in one step. It holds all that it needs, scripts included."""
    contents = _contents(result, configuration, kernels) | {"plotly": _plotly()}
    page = render("canao.nas.report", "page.html.j2", contents)
    replace_text(path, page)


def _contents(
    result: SearchResult, configuration: Configuration, kernels: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    goal = configuration.goal
    trials = [t for t in result.study.get_trials(deepcopy=False) if counts(t)]
    found = with_last_measurements(result.study, goal, candidates(trials, configuration.space))
    states = Counter(trial.state for trial in trials)
    return {
        "task": configuration.task,
        "study": result.study.study_name,
        "sampler": configuration.sampler,
        "seed": configuration.settings.seed,
        "goal": _goal_text(goal),
        "count": f"{configuration.space.count:,}",
        "best": _best(result.best),
        "pareto": _embedded("front", figures.pareto_figure(goal, found, result.best)),
        "progress": _embedded("progress", figures.progress_figure(goal, trials)),
        "states": {
            "complete": states[TrialState.COMPLETE],
            "rejected": states[TrialState.PRUNED],
            "failed": states[TrialState.FAIL],
        },
        "beliefs": _beliefs(result),
        "kernels": _kernels(kernels),
        "comparison": compared(result.facts),
        "not_kept": not_kept(result.facts),
        "front": [_front_row(candidate) for candidate in result.pareto],
        "failures": _failures(trials),
    }


def compared(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What is known of the best and of its teacher alike: name, the one, the other."""
    prefix = "teacher's "
    both = [name for name in facts if prefix + name in facts]
    return [(name, f"{facts[name]:.4g}", f"{facts[prefix + name]:.4g}") for name in both]


def _goal_text(goal: Goal) -> str:
    parts = [
        f"{'least' if o.minimise else 'most'} {o.name}"
        + (f" (at most {o.budget:g})" if o.budget else "")
        for o in goal.objectives
    ]
    return f"{'Pareto front' if goal.pareto else 'one reward'} of {' and '.join(parts)}"


def _best(best: Candidate | None) -> dict[str, Any] | None:
    if best is None:
        return None
    execution, architecture = best.execution, best.architecture
    facts = [
        ("accuracy", f"{best.values['accuracy']:.4f}"),
        ("cost of a run", execution.cost_text),
        ("blocks", str(architecture.num_blocks)),
        ("hidden size", f"{architecture.hidden_size} ({architecture.num_heads} heads)"),
        ("fused layers", f"{execution.fused_layers} of {execution.layers}"),
        ("utilisation", execution.utilization),
        ("memory", f"{execution.peak_bytes / 2**20:.1f} MiB"),
        ("arithmetic", f"{execution.flops / 1e9:.2f} GFLOP"),
        ("trial", str(best.number)),
    ]
    return {"facts": facts, "layers": _layers(architecture)}


def _layers(architecture: Architecture) -> list[dict[str, Any]]:
    """A row a layer: its sizes and parameters."""
    hidden, heads = architecture.hidden_size, architecture.num_heads
    embeddings = (_VOCABULARY + _POSITIONS + 2) * hidden + 2 * hidden
    rows = [("embeddings", f"{_VOCABULARY} words x {hidden}", embeddings)]
    for number, size in enumerate(architecture.intermediate_sizes, start=1):
        attention = 4 * (hidden * hidden + hidden) + 2 * hidden
        feed_forward = 2 * hidden * size + size + hidden + 2 * hidden
        width = hidden // heads
        rows.append((f"block {number} attention", f"{heads} heads x {width}", attention))
        rows.append((f"block {number} feed-forward", f"{hidden} x {size} x {hidden}", feed_forward))
    total = sum(count for *_, count in rows)
    most = max(count for *_, count in rows)
    return [
        {
            "name": name,
            "sizes": sizes,
            "parameters": f"{count:,}",
            "share": f"{count / total:.1%}",
            "width": round(_LONGEST_BAR * count / most),
        }
        for name, sizes, count in rows
    ]


def _beliefs(result: SearchResult) -> dict[str, Markup] | None:
    sampler = result.study.sampler
    if not isinstance(sampler, CanaoSampler):
        return None
    learner = sampler.learner
    weights = _preferences(learner)
    beliefs = learner.controller.beliefs(weights)
    decided = learner.blocks(weights)
    if decided is not None:
        # Phase two draws the number of blocks from what phase one left.
        beliefs["num_blocks"] = decided.mean(0).tolist()
    space = learner.space
    drawn = {
        "blocks": figures.choice_figure(space.blocks.values, beliefs["num_blocks"], "blocks"),
        "hidden": figures.choice_figure(space.hidden.values, beliefs["hidden_size"], "hidden size"),
        "intermediate": figures.belief_figure(learner.controller, beliefs),
    }
    return {name: _embedded(name, figure) for name, figure in drawn.items()}


def _preferences(learner: Reinforce) -> torch.Tensor:
    """Preferences spread over all that there are, a row each."""
    if not learner.preferences:
        return torch.zeros((_PREFERENCES, 0))
    generator = torch.Generator().manual_seed(0)
    drawn = -torch.rand((_PREFERENCES, learner.preferences), generator=generator).log()
    return drawn / drawn.sum(1, keepdim=True)


def _kernels(kernels: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not kernels:
        return None
    rows = [
        {
            "name": row["name"],
            "variant": row["variant"],
            "calls": row["calls"],
            "ms": f"{float(row['ms']):.3f}",
            "gflops": f"{float(row['gflops']):.1f}",
            "peak": f"{float(row['peak_fraction']):.0%}",
        }
        for row in sorted(kernels, key=lambda row: -float(row["ms"]))
    ]
    return {"figure": _embedded("kernels", figures.kernel_figure(kernels)), "rows": rows}


def _front_row(candidate: Candidate) -> list[tuple[str, bool]]:
    execution, architecture = candidate.execution, candidate.architecture
    return [
        (str(candidate.number), True),
        (f"{candidate.values['accuracy']:.4f}", True),
        (execution.cost_text, True),
        (str(architecture.num_blocks), False),
        (str(architecture.hidden_size), False),
        (" ".join(map(str, architecture.intermediate_sizes)), False),
        (str(execution.fused_layers), True),
        (execution.utilization, True),
        (f"{execution.peak_bytes / 2**20:.1f}", True),
    ]


def _failures(trials: Sequence[FrozenTrial]) -> list[tuple[str, int]]:
    reasons = Counter(
        str(trial.user_attrs.get(REASON, "unknown"))
        for trial in trials
        if trial.state is TrialState.FAIL
    )
    return reasons.most_common(_MOST_FAILURES)


def _embedded(name: str, figure: Figure) -> Markup:
    """A figure as HTML: a place of that name, and the script that draws it there."""
    # No text in it can end the script; plotly escapes what it shows.
    values = json.dumps(figure).replace("<", "\\u003c")
    script = (
        f"{{const f = {values}; Plotly.newPlot('{name}', f.data, f.layout, {_CONFIGURATION});}}"
    )
    return Markup(f'<div id="{name}"></div><script>{script}</script>')  # noqa: S704


def _plotly() -> Markup:
    """The script that draws figures, from the package `plotly`, which is not imported for it."""
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "package_data" / "plotly.min.js"
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704
