"""What came of peers side by side: a row for each, and all that the rows depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Row:
    """One model with one number of threads on one peer. Times are in milliseconds."""

    model: str
    threads: int
    peer: str
    title: str
    failure: str = ""
    """Why there are no times; empty if there are."""
    median_ms: float | None = None
    min_ms: float | None = None
    runs: int = 0
    peak_fraction: float | None = None
    """The products' operations over the median time, as a part of the measured peak."""
    pace_gflops: float | None = None
    """Median rate of multiply-adds alone, measured between the turns of the peers."""
    pace_fraction: float | None = None
    """The products' operations over the median time, as a part of that rate."""
    over_canao: float | None = None
    """Its median over canao's in the same rounds."""
    quiet_ms: float | None = None
    """Median of the runs during which the cores ran nothing else; None if there are too few."""
    quiet_runs: int = 0
    quiet_pace_fraction: float | None = None
    """The products' operations over that time, as a part of the pace."""
    quiet_over_canao: float | None = None
    """That time over canao's."""
    max_difference: float | None = None
    """Largest absolute difference from the outputs of PyTorch eager."""
    versions: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Workload:
    """One model of a comparison: how much there is to compute."""

    model: str
    product_flops: int
    weights: str


@dataclass(frozen=True)
class Comparison:
    """The rows of a session with what they depend on."""

    rows: tuple[Row, ...]
    workloads: tuple[Workload, ...]
    peak_gflops: dict[int, float]
    """Measured rate of multiply-adds by number of threads."""
    sequence: int
    batch: int
    dtype: str
    rounds: int
    burst: int
    pinned: bool
    cpu: str
    cpu_flags: tuple[str, ...]
    cores: int
    compiler: str
    routes: dict[str, str]
    """How the model gets to each peer."""

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return asdict(self)

    def has_times(self) -> bool:
        """Whether anything could be measured."""
        return any(row.median_ms is not None for row in self.rows)

    def row(self, model: str, threads: int, peer: str) -> Row | None:
        """The row of a peer; None if it was not asked for."""
        wanted = (model, threads, peer)
        return next((r for r in self.rows if (r.model, r.threads, r.peer) == wanted), None)


def with_peak_fractions(
    rows: Sequence[Row], workloads: Sequence[Workload], peaks: Mapping[int, float]
) -> list[Row]:
    """The rows with the shares that their medians are of two rates.

    These are the peak (GFLOP/s by number of threads), and the pace of the same rounds.
    """
    flops = {work.model: work.product_flops for work in workloads}
    found: list[Row] = []
    for row in rows:
        peak = peaks[row.threads]
        rate = flops[row.model] / row.median_ms / 1e6 if row.median_ms else 0.0
        quiet = flops[row.model] / row.quiet_ms / 1e6 if row.quiet_ms else 0.0
        pace = row.pace_gflops
        found.append(
            replace(
                row,
                peak_fraction=rate / peak if rate and peak else None,
                pace_fraction=rate / pace if rate and pace else None,
                quiet_pace_fraction=quiet / pace if quiet and pace else None,
            )
        )
    return found
