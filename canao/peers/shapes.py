"""Canao beside other runtimes with short and long sequences, and with batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from canao.peers.compare import Plan, Progress, compare
from canao.peers.comparison import Comparison
from canao.peers.table import conditions, count, markdown_table, number


@dataclass(frozen=True)
class ShapesResult:
    """A comparison for each shape."""

    comparisons: tuple[Comparison, ...]

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return {"comparisons": [comparison.to_dict() for comparison in self.comparisons]}

    def has_times(self) -> bool:
        """Whether anything could be measured."""
        return any(comparison.has_times() for comparison in self.comparisons)

    def to_markdown(self) -> str:
        """A table for each number of threads: medians and minima by model and shape."""
        parts = [
            "# Other sequences and batches",
            conditions(self.comparisons[0], one_shape=False),
            "Medians in milliseconds, minima in parentheses. Where at least three runs of canao "
            "and of another had all cores to themselves, the last column compares their medians.",
        ]
        for threads in self.comparisons[0].peak_gflops:
            parts.append(f"## {count(threads, 'thread')}")
            parts.append(self._table(threads))
        return "\n\n".join(parts) + "\n"

    def _table(self, threads: int) -> str:
        first = self.comparisons[0]
        titles = {row.peer: row.title for row in first.rows}
        lines: list[list[str]] = []
        for work in first.workloads:
            for comparison in self.comparisons:
                cells = [work.model, f"{comparison.batch} x {comparison.sequence}"]
                found = {peer: comparison.row(work.model, threads, peer) for peer in titles}
                for row in found.values():
                    median, least = (row.median_ms, row.min_ms) if row else (None, None)
                    cells.append(f"{number(median, '.2f')} ({number(least, '.2f')})")
                others = [r for p, r in found.items() if r and not p.startswith("canao")]
                ratios = [row.over_canao for row in others if row.over_canao]
                quiet = [row.quiet_over_canao for row in others if row.quiet_over_canao]
                lines.append(
                    [*cells, *(number(min(r, default=None), ".2f") for r in (ratios, quiet))]
                )
        ratio = "fastest peer / canao"
        headings = ["model", "batch x sequence", *titles.values(), ratio, f"{ratio}, quiet"]
        return markdown_table(headings, lines)


def measure_shapes(
    plan: Plan, shapes: Sequence[tuple[int, int]], home: Path, progress: Progress
) -> ShapesResult:
    """Measure a plan with each batch and sequence in place of its own."""
    found: list[Comparison] = []
    for batch, sequence in shapes:

        def tell(stage: str, shape: str = f"{batch} x {sequence}") -> None:
            progress(f"{shape}: {stage}")

        found.append(compare(replace(plan, batch=batch, sequence=sequence), home, tell))
    return ShapesResult(tuple(found))
