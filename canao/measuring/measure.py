"""Measuring latency."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice, permutations


@dataclass(frozen=True)
class Latency:
    """Times of repeated calls in milliseconds, with what they depend on."""

    median: float
    min: float
    p90: float
    p99: float
    runs: int
    threads: int
    dtype: str
    cpu_flags: tuple[str, ...] = ()
    """Vector features of the processor that the code was made for."""

    @staticmethod
    def of(
        samples_ms: Sequence[float], threads: int, dtype: str, cpu_flags: Sequence[str] = ()
    ) -> Latency:
        """Summarise samples given in milliseconds."""
        ordered = sorted(samples_ms)
        return Latency(
            median=statistics.median(ordered),
            min=ordered[0],
            p90=percentile(ordered, 90),
            p99=percentile(ordered, 99),
            runs=len(ordered),
            threads=threads,
            dtype=dtype,
            cpu_flags=tuple(cpu_flags),
        )

    def to_json(self) -> str:
        """All fields as JSON text."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        flags = f", {' '.join(self.cpu_flags)}" if self.cpu_flags else ""
        return (
            f"{self.median:.3f} ms median ({self.min:.3f} min, {self.p90:.3f} p90, "
            f"{self.p99:.3f} p99; {self.runs} runs, {self.threads} threads, {self.dtype}{flags})"
        )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of the sorted samples that `percent` of them do not exceed."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def time_calls(call: Callable[[], object], runs: int, warmup: int) -> list[float]:
    """Milliseconds that each of `runs` calls takes, after `warmup` calls."""
    return interleave({"": call}, rounds=runs, warmup=warmup)[""]


def interleave(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warmup: int = 3,
    pause_seconds: float = 0.0,
) -> dict[str, list[float]]:
    """Milliseconds of each call in turn, round after round.

    A neighbour's noise then falls on all of them alike, so that their ratio is
    sound where two separate measurements would not be. Each round has another order, so
    that each call follows every other: what one leaves behind, in caches and in threads that
    spin for a while, falls on all alike too. A pause before each call lets such threads stop.
    """
    if rounds < 1 or warmup < 0:
        raise ValueError(f"measuring needs at least one run and no negative warmup: {rounds=}")
    for call in calls.values():
        for _ in range(warmup):
            call()
    clock = time.perf_counter_ns
    samples: dict[str, list[float]] = {name: [] for name in calls}
    orders = cycle(permutations(calls.items()))
    for order in islice(orders, rounds):
        for name, call in order:
            if pause_seconds:
                time.sleep(pause_seconds)
            start = clock()
            call()
            samples[name].append((clock() - start) / 1e6)
    return samples
