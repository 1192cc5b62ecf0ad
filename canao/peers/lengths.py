"""One compiled model for every length, beside one for each length and beside other runtimes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from canao.errors import CanaoError, PeerError
from canao.peers.catalogue import Peer
from canao.peers.compare import (
    Entrant,
    Machine,
    Plan,
    Progress,
    Watch,
    admitted,
    check_installed,
    enter,
    opened,
    played,
)
from canao.peers.comparison import Comparison, Row, Workload
from canao.peers.models import Case, prepare_case
from canao.peers.session import Session
from canao.peers.shapes import ShapesResult
from canao.peers.table import conditions, count, markdown_table, number

EVERY_LENGTH, THIS_LENGTH = "canao-any-length", "canao-untuned"
"""Peers: one model for every length, and one for each; both with the cost model's schedules."""
PEERS = (EVERY_LENGTH, THIS_LENGTH, "onnxruntime", "openvino-any-length", "inductor-any-length")


class LengthsResult(ShapesResult):
    """A comparison for each length, of batch 1."""

    def to_markdown(self) -> str:
        """Ratios at a glance, then a table for each number of threads, then routes."""
        first = self.comparisons[0]
        parts = [
            "# One model for every length",
            conditions(first, one_shape=False),
            "Batch 1; medians of whole calls in milliseconds. *Over this length* is the time of "
            "the model for every length over that of one made for the length; *lead* is the time "
            "of the fastest of the others over that of the model for every length. Medians of "
            "runs on quiet cores are compared where both have such, else those of all runs.",
            self._glance(),
        ]
        for threads in first.peak_gflops:
            parts += [f"## {count(threads, 'thread')}", self._table(threads)]
        routes = [f"- {title}: {first.routes[peer]}" for peer, title in self._titles().items()]
        return "\n\n".join([*parts, "## Routes", "\n".join(routes)]) + "\n"

    def _titles(self) -> dict[str, str]:
        return {row.peer: row.title for row in self.comparisons[0].rows}

    def _glance(self) -> str:
        over: list[float] = []
        lead: list[float] = []
        for comparison in self.comparisons:
            for row in comparison.rows:
                if row.peer != EVERY_LENGTH:
                    continue
                over += _present(self._over_this(comparison, row))
                lead += _present(self._lead(comparison, row))
        told: list[str] = []
        if over:
            told.append(
                f"Over this length: median {statistics.median(over):.2f}, worst {max(over):.2f}."
            )
        if lead:
            behind = sum(ratio < 1 for ratio in lead)
            told.append(
                f"Lead: median {statistics.median(lead):.2f}, least {min(lead):.2f}; behind "
                f"another at {behind} of {len(lead)} rows."
            )
        return " ".join(told)

    def _over_this(self, comparison: Comparison, row: Row) -> float | None:
        other = comparison.row(row.model, row.threads, THIS_LENGTH)
        return _ratio(row, other) if other else None

    def _lead(self, comparison: Comparison, row: Row) -> float | None:
        others = [comparison.row(row.model, row.threads, peer) for peer in self._titles()]
        strangers = [other for other in others if other and not other.peer.startswith("canao")]
        return min((r for o in strangers if (r := _ratio(o, row))), default=None)

    def _table(self, threads: int) -> str:
        titles = self._titles()
        lines: list[list[str]] = []
        for work in self.comparisons[0].workloads:
            for comparison in self.comparisons:
                cells = [work.model, str(comparison.sequence)]
                for peer in titles:
                    row = comparison.row(work.model, threads, peer)
                    cells.append(number(row.median_ms if row else None, ".2f"))
                mine = comparison.row(work.model, threads, EVERY_LENGTH)
                ratios = (
                    (self._over_this(comparison, mine), self._lead(comparison, mine))
                    if mine
                    else (None, None)
                )
                lines.append([*cells, *(number(ratio, ".2f") for ratio in ratios)])
        headings = ["model", "length", *titles.values(), "over this length", "lead"]
        return markdown_table(headings, lines)


def _present(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _ratio(row: Row, other: Row) -> float | None:
    """The time of one row over that of another: on quiet cores if both have such times."""
    if row.quiet_ms and other.quiet_ms:
        return row.quiet_ms / other.quiet_ms
    return row.median_ms / other.median_ms if row.median_ms and other.median_ms else None


def measure_lengths(
    plan: Plan, lengths: Sequence[int], home: Path, progress: Progress
) -> LengthsResult:
    """Measure a plan at each length; peers that serve every length are loaded once for all."""
    check_installed(plan.peers, home)
    machine = Machine()
    plans = {length: replace(plan, batch=1, sequence=length) for length in lengths}
    rows: dict[int, list[Row]] = {length: [] for length in lengths}
    workloads: dict[int, list[Workload]] = {length: [] for length in lengths}
    for name in plan.models:
        progress(f"{name}: weights and inputs")
        cases = [prepare_case(name, length, 1, home) for length in lengths]
        for case in cases:
            workloads[case.sequence].append(Workload(name, case.flops, case.weights))
        for threads in plan.threads:
            watch = machine.watch(threads)
            with ExitStack() as open_sessions:
                lasting = _Lasting(plan, cases[0], threads, home, open_sessions, progress)
                for case in cases:
                    rows[case.sequence] += _at(plan, case, threads, home, progress, watch, lasting)
    return LengthsResult(
        tuple(machine.comparison(plans[n], rows[n], workloads[n]) for n in lengths)
    )


class _Lasting:
    """The sessions of peers that serve every length."""

    def __init__(
        self,
        plan: Plan,
        case: Case,
        threads: int,
        home: Path,
        open_sessions: ExitStack,
        progress: Progress,
    ) -> None:
        self._plan = plan
        self._loaded: dict[str, tuple[Session, dict[str, str]]] = {}
        self._failures: dict[str, str] = {}
        for peer in plan.peers:
            if not peer.any_shape:
                continue
            progress(f"{case.model}, {threads} threads: {peer.title}")
            try:
                session = open_sessions.enter_context(opened(plan, peer, case, threads, home))
                self._loaded[peer.name] = session, dict(session.load(plan.load_limit))
            except CanaoError as error:
                self._failures[peer.name] = str(error)

    def entrant(self, peer: Peer, case: Case) -> Entrant:
        """A peer that is ready for a case; a `CanaoError` if it fails, or did before."""
        if peer.name in self._failures:
            raise PeerError(self._failures[peer.name])
        session, versions = self._loaded[peer.name]
        try:
            session.take(case, self._plan.load_limit)
            return admitted(self._plan, session, versions, case)
        except CanaoError as error:
            self._failures[peer.name] = str(error)
            raise


def _at(
    plan: Plan,
    case: Case,
    threads: int,
    home: Path,
    progress: Progress,
    watch: Watch,
    lasting: _Lasting,
) -> list[Row]:
    """The rows of one model at one length."""
    where = f"{case.model}, {threads} threads, {case.sequence} tokens"
    entrants: list[Entrant] = []
    failures: dict[str, str] = {}
    with ExitStack() as sessions:
        for peer in plan.peers:
            progress(f"{where}: {peer.title}")
            try:
                entrants.append(
                    lasting.entrant(peer, case)
                    if peer.any_shape
                    else enter(plan, peer, case, threads, home, sessions)
                )
            except CanaoError as error:
                failures[peer.name] = str(error)
        return played(plan, case, threads, entrants, failures, where, progress, watch)
