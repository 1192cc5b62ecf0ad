"""A comparison as a bar chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canao.errors import MissingExtraError
from canao.files import replacing
from canao.peers.comparison import Comparison, Row

_HIGHEST = 4.0
"""Bars end here; longer ones have their value written on them."""


def check_charts() -> None:
    """`MissingExtraError` unless charts can be drawn."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("drawing charts", "bench") from error
    matplotlib.use("agg")


def write_chart(comparison: Comparison, path: Path) -> None:
    """Draw each peer's median over canao's as PNG: a panel for each number of threads."""
    check_charts()
    from matplotlib import pyplot

    titles = {row.peer: row.title for row in comparison.rows}
    models = [work.model for work in comparison.workloads]
    panels = list(comparison.peak_gflops)
    figure, axes = pyplot.subplots(
        len(panels),
        1,
        figsize=(max(6.0, 2.2 * len(models)), 3.4 * len(panels)),
        squeeze=False,
        layout="constrained",
    )
    width = 0.85 / max(1, len(titles))
    for panel, threads in zip(axes[:, 0], panels, strict=True):
        for number, (peer, title) in enumerate(titles.items()):
            places = [at + (number - (len(titles) - 1) / 2) * width for at in range(len(models))]
            found = [comparison.row(model, threads, peer) for model in models]
            ratios = [row.over_canao if row and row.over_canao else 0.0 for row in found]
            bars = panel.bar(places, [min(r, _HIGHEST) for r in ratios], width, label=title)
            panel.bar_label(bars, map(_label, found), fontsize=6, rotation=90, padding=2)
        _decorate(panel, models, threads)
    marks, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(marks, names, fontsize=8, ncols=5, loc="outside lower center")
    figure.suptitle(
        f"Median latency over canao's (lower is better), batch {comparison.batch}, "
        f"sequence {comparison.sequence}, {comparison.dtype}",
        fontsize=10,
    )
    with replacing(path) as new:
        figure.savefig(new, format="png", dpi=150)
    pyplot.close(figure)


def _label(row: Row | None) -> str:
    """The ratio; why there is none otherwise."""
    if row is None or row.failure:
        return "failed" if row else ""
    return f"{row.over_canao:.2f}" if row.over_canao else "canao failed"


def _decorate(panel: Any, models: list[str], threads: int) -> None:
    panel.set_title(f"{threads} thread{'s' if threads > 1 else ''}", fontsize=9)
    panel.set_xticks(range(len(models)), models, fontsize=8)
    panel.set_ylim(0, _HIGHEST * 1.25)
    panel.axhline(1.0, color="black", linewidth=0.6)
    panel.set_ylabel("time / canao's", fontsize=8)
