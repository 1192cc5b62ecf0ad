"""Peers side by side: interleaved rounds, and what came of each peer."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from canao.building.cache import Cache, digest
from canao.building.toolchain import find_compiler
from canao.errors import CanaoError
from canao.machine.target import Target
from canao.measuring.peak import peak_gflops
from canao.measuring.quiet import QuietProbe
from canao.peers.catalogue import RUNNERS, Peer
from canao.peers.comparison import Comparison, Row, Workload, with_peak_fractions
from canao.peers.environment import Environment
from canao.peers.models import Case, make_once, prepare_case
from canao.peers.session import Array, Session

Progress = Callable[[str], None]

TOLERANCE = 1e-3
"""Largest difference from PyTorch eager, relative to the largest number of its tensor."""

_TURNS_OF_SLOW = 3
_FEWEST_QUIET = 3
"""Runs on quiet cores that make a median."""


@dataclass(frozen=True)
class Plan:
    """What to measure and how."""

    models: Sequence[str]
    peers: Sequence[Peer]
    threads: Sequence[int]
    sequence: int = 128
    batch: int = 1
    rounds: int = 25
    burst: int = 4
    """Inferences of a peer in a round."""
    turn_seconds: float = 4.0
    """A peer does fewer runs in its turn if they would take longer than that."""
    warmup: int = 3
    rest: float = 0.02
    """Seconds before each burst, for idle threads of the peer before to stop spinning."""
    pin: bool = False
    """Whether a peer may use only as many cores as it has threads."""
    convert_limit: float = 1800.0
    """Seconds that a conversion may take."""
    load_limit: float = 600.0
    """Seconds that loading may take; torch.compile compiles then."""
    run_limit: float = 300.0
    """Seconds that a turn may take."""

    def share(self, seconds: float) -> tuple[int, int]:
        """Runs in a turn, and turns, of a peer that takes `seconds` for a run."""
        if seconds > self.turn_seconds:
            return 1, min(self.rounds, _TURNS_OF_SLOW)
        return max(1, min(self.burst, int(self.turn_seconds / seconds))), self.rounds


@dataclass(frozen=True)
class Watch:
    """What is asked of the machine between the turns of peers."""

    gflops: Callable[[], float]
    """The rate of multiply-adds alone now."""
    is_quiet: Callable[[], bool]
    """Whether the cores run nothing else now."""


@dataclass
class Entrant:
    """A peer that is loaded and gives the right results."""

    peer: Peer
    session: Session
    versions: dict[str, str]
    difference: float
    burst: int
    turns: int
    seconds: list[float] = field(default_factory=list[float])
    quiet: list[float] = field(default_factory=list[float])
    """Those of the seconds during which the cores ran nothing else."""


def compare(plan: Plan, home: Path, progress: Progress = lambda stage: None) -> Comparison:
    """Measure every model with every number of threads on all peers at once.

    A peer that fails gets a row that says why; the others go on.
    """
    check_installed(plan.peers, home)
    machine = Machine()
    rows: list[Row] = []
    workloads: list[Workload] = []
    for name in plan.models:
        progress(f"{name}: weights and inputs")
        case = prepare_case(name, plan.sequence, plan.batch, home)
        workloads.append(Workload(name, case.flops, case.weights))
        for threads in plan.threads:
            rows += compare_case(
                plan, case, threads, home, progress, machine.watch(threads, pin=plan.pin)
            )
    return machine.comparison(plan, rows, workloads)


class Machine:
    """The machine that everything is measured on."""

    def __init__(self) -> None:
        self._target, self._compiler = Target.host(), find_compiler(os.environ.get("CC"))
        self._cache = Cache(os.environ.get("CANAO_CACHE_DIR"))
        self._probe = QuietProbe.of(self._compiler, self._target, self._cache)

    def watch(self, threads: int, *, pin: bool = False) -> Watch:
        """What is asked of it between the turns of peers with so many threads.

        Peers that are pinned run on the first cores, one for each thread: only these count.
        """
        cores = threads if pin else None
        return Watch(
            partial(self._probe.gflops, threads, cores), partial(self._probe.are_quiet, cores)
        )

    def comparison(
        self, plan: Plan, rows: Sequence[Row], workloads: Sequence[Workload]
    ) -> Comparison:
        """What was found under a plan, with what it depends on."""
        # Noise can only lower a peak, and the cache keeps the highest that was ever seen.
        peaks = {n: peak_gflops(self._compiler, self._target, self._cache, n) for n in plan.threads}
        return Comparison(
            rows=tuple(with_peak_fractions(rows, workloads, peaks)),
            workloads=tuple(workloads),
            peak_gflops=peaks,
            sequence=plan.sequence,
            batch=plan.batch,
            dtype="float32",
            rounds=plan.rounds,
            burst=plan.burst,
            pinned=plan.pin,
            cpu=self._target.cpu,
            cpu_flags=self._target.features,
            cores=os.cpu_count() or 1,
            compiler=self._compiler.version,
            routes={peer.name: peer.route for peer in plan.peers},
        )


def check_installed(peers: Sequence[Peer], home: Path) -> None:
    """`PeerError` naming the command to run, if an environment is missing."""
    for name in dict.fromkeys(peer.environment for peer in peers if peer.environment):
        Environment(name, home).check()


def compare_case(
    plan: Plan,
    case: Case,
    threads: int,
    home: Path,
    progress: Progress,
    watch: Watch | None = None,
) -> list[Row]:
    """The rows of one model with one number of threads, without shares of the peak.

    The rate of multiply-adds is measured in every round, and before and after every run
    the cores are asked whether they are quiet: they take turns in being shared with
    another machine, and all programs are then slower, some more than others.
    """
    where = f"{case.model}, {threads} threads"
    failures: dict[str, str] = {}
    entrants: list[Entrant] = []
    with ExitStack() as open_sessions:
        for peer in plan.peers:
            progress(f"{where}: {peer.title}")
            try:
                entrants.append(enter(plan, peer, case, threads, home, open_sessions))
            except CanaoError as error:
                failures[peer.name] = str(error)
        return played(plan, case, threads, entrants, failures, where, progress, watch)


def played(
    plan: Plan,
    case: Case,
    threads: int,
    entrants: Sequence[Entrant],
    failures: dict[str, str],
    where: str,
    progress: Progress,
    watch: Watch | None,
) -> list[Row]:
    """The rows of all peers after all rounds; `failures` says why some could not enter."""
    paces: list[float] = []

    def measure_pace() -> None:
        if watch is not None:
            time.sleep(plan.rest)
            paces.extend(watch.gflops() for _ in range(plan.burst))

    def is_quiet() -> bool:
        return watch is not None and watch.is_quiet()

    failures = failures | _play(
        plan, entrants, lambda stage: progress(f"{where}: {stage}"), measure_pace, is_quiet
    )
    ours = next((e for e in entrants if e.peer.name == "canao" and "canao" not in failures), None)
    known = {entrant.peer.name: entrant for entrant in entrants}
    rows: list[Row] = []
    for peer in plan.peers:
        if peer.name in failures:
            failure = failures[peer.name]
            rows.append(Row(case.model, threads, peer.name, peer.title, failure=failure))
        else:
            row = _row(known[peer.name], case, threads, ours)
            rows.append(replace(row, pace_gflops=statistics.median(paces) if paces else None))
    return rows


def _play(
    plan: Plan,
    entrants: Sequence[Entrant],
    progress: Progress,
    measure_pace: Callable[[], None],
    is_quiet: Callable[[], bool],
) -> dict[str, str]:
    """All rounds; returns why peers failed in them."""
    failures: dict[str, str] = {}
    for number in range(plan.rounds):
        progress(f"round {number + 1} of {plan.rounds}")
        for entrant in entrants:
            if entrant.peer.name in failures or number >= entrant.turns:
                continue
            try:
                _take_turn(plan, entrant, is_quiet)
            except CanaoError as error:
                failures[entrant.peer.name] = str(error)
        measure_pace()
    return failures


def enter(
    plan: Plan, peer: Peer, case: Case, threads: int, home: Path, open_sessions: ExitStack
) -> Entrant:
    """Convert, load and warm up a peer, and hold its outputs against PyTorch's."""
    session = open_sessions.enter_context(opened(plan, peer, case, threads, home))
    versions = dict(session.load(plan.load_limit))
    return admitted(plan, session, versions, case)


def opened(plan: Plan, peer: Peer, case: Case, threads: int, home: Path) -> Session:
    """A session of a peer that has converted the model; to be entered, and loaded."""
    converted = converted_directory(peer, case, threads, home)
    if peer.converts:
        _convert(plan, peer, case, threads, home, converted)
    return Session(peer, home, case, converted, threads=threads, pin=plan.pin)


def admitted(plan: Plan, session: Session, versions: dict[str, str], case: Case) -> Entrant:
    """A loaded peer, warmed up, whose outputs for a case are PyTorch's."""
    absolute, relative = largest_difference(case.expected(), session.outputs(plan.run_limit))
    if relative > TOLERANCE:
        session.close()
        raise CanaoError(
            f"wrong outputs: they differ from PyTorch eager by up to {absolute:.1e} "
            f"({relative:.1e} of the largest number)"
        )
    (seconds,) = session.run(1, plan.run_limit)
    burst, turns = plan.share(seconds)
    if turns == plan.rounds and plan.warmup > 1:
        session.run(plan.warmup - 1, plan.run_limit)
    return Entrant(session.peer, session, versions, absolute, burst, turns)


def _convert(plan: Plan, peer: Peer, case: Case, threads: int, home: Path, converted: Path) -> None:
    """Convert the model in a process of its own, unless that was done before."""

    def write(room: Path) -> None:
        with Session(peer, home, case, room, threads=threads) as session:
            session.convert(plan.convert_limit)

    make_once(converted, write, keep=peer.cached)


def converted_directory(peer: Peer, case: Case, threads: int, home: Path) -> Path:
    """Where a conversion is kept: it changes with all that the conversion depends on."""
    parts = [peer.name, repr(sorted(peer.options.items()))]
    parts += [path.read_text(encoding="utf-8") for path in _sources(peer)]
    if peer.environment:
        parts.append(Environment(peer.environment, home).fingerprint)
    if peer.for_threads:
        parts.append(str(threads))
    key = case.model_directory.name if peer.any_shape else case.key
    return home / "converted" / f"{key}-{peer.name}-{digest(*parts)[:12]}"


def _sources(peer: Peer) -> tuple[Path, ...]:
    return (peer.script, RUNNERS / "source_model.py")


def _take_turn(plan: Plan, entrant: Entrant, is_quiet: Callable[[], bool]) -> None:
    """A rest, one inference that brings back what others drove out of the caches, a burst.

    A peer with few turns, for its slowness, does without the uncounted one.
    """
    time.sleep(plan.rest)
    if entrant.turns == plan.rounds:
        entrant.session.run(1, plan.run_limit)
    for _ in range(entrant.burst):
        before = is_quiet()
        (seconds,) = entrant.session.run(1, plan.run_limit)
        entrant.seconds.append(seconds)
        if is_quiet() and before:
            entrant.quiet.append(seconds)


def _median_ms(seconds: Sequence[float], fewest: int = 1) -> float | None:
    return 1e3 * statistics.median(seconds) if len(seconds) >= fewest else None


def _ratio(ms: float | None, other: float | None) -> float | None:
    return ms / other if ms and other else None


def _row(entrant: Entrant, case: Case, threads: int, ours: Entrant | None) -> Row:
    median = _median_ms(entrant.seconds)
    quiet = _median_ms(entrant.quiet, _FEWEST_QUIET)
    return Row(
        model=case.model,
        threads=threads,
        peer=entrant.peer.name,
        title=entrant.peer.title,
        median_ms=median,
        min_ms=1e3 * min(entrant.seconds),
        runs=len(entrant.seconds),
        over_canao=_ratio(median, _median_ms(ours.seconds) if ours else None),
        quiet_ms=quiet,
        quiet_runs=len(entrant.quiet),
        quiet_over_canao=_ratio(quiet, _median_ms(ours.quiet, _FEWEST_QUIET) if ours else None),
        max_difference=entrant.difference,
        versions=entrant.versions,
    )


def largest_difference(expected: Sequence[Array], found: Sequence[Array]) -> tuple[float, float]:
    """The largest absolute difference, and the largest relative to its tensor's maximum.

    Infinite if the number of tensors or a shape differs, or something is not a number.
    """
    wrong = float("inf"), float("inf")
    if [a.shape for a in expected] != [a.shape for a in found]:
        return wrong
    absolute = relative = 0.0
    for wanted, got in zip(expected, found, strict=True):
        if not np.isfinite(got).all():
            return wrong
        difference = float(np.abs(wanted.astype(np.float64) - got).max(initial=0.0))
        absolute = max(absolute, difference)
        relative = max(relative, difference / max(float(np.abs(wanted).max(initial=0.0)), 1e-30))
    return absolute, relative
