"""Choosing schedules by measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import prod
from typing import Literal

from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import CanaoOp
from canao.errors import ToolchainError, VerificationError
from canao.lowering.layer_task import LayerTask, choose_by_model
from canao.lowering.program import Program
from canao.lowering.schedule import Schedule
from canao.lowering.standalone import standalone_module, standalone_program
from canao.lowering.variants import variants
from canao.runtime.build import Library, build_library
from canao.runtime.cache import Cache, digest, hash_of_file
from canao.runtime.contest import TIME_LIMIT, ContestProcess, Entry, Result, hold_contest
from canao.runtime.database import (
    Database,
    Measurement,
    Outcome,
    Record,
    TuningKey,
    lowering_digest,
)
from canao.runtime.target import Target
from canao.runtime.toolchain import Compiler
from canao.runtime.tuning_file import parse_schedule

Mode = Literal["default", "full"]
Candidates = Callable[[LayerTask], Sequence[Schedule]]

_MOST: dict[Mode, int] = {"default": 6, "full": 64}
"""Schedules measured for a layer."""
_FEW, _LONG_SECONDS = 3, 100e-6
"""Unless the mode is "full": what is measured of a layer that runs shorter than this."""
_WORTH_SECONDS = 20e-6
"""A layer that runs shorter than this is not worth measuring."""
_FLOPS_A_SECOND, _BYTES_A_SECOND = 50e9, 30e9
"""Rates of a core and of memory that decide what is worth measuring; nothing else."""
TIE = 1.02
"""Times whose ratio is below this are the same."""
_BUILDERS = 2
"""C compilers run at once."""


def model_seconds(task: LayerTask) -> float:
    """A rough estimate of the time of one call: the larger of arithmetic and traffic."""
    points = sum(prod(stage.extents) for stage in task.stages)
    traffic = 0
    for value in (*task.layer.inputs, *task.layer.outs):
        # Of a table, only the rows that are looked up are read.
        elements = min(prod(shape_of(value)), points)
        traffic += elements * dtype_of_element(element_of(value)).itemsize
    arithmetic = task.layer.flops() / (_FLOPS_A_SECOND * task.threads)
    return max(arithmetic, traffic / _BYTES_A_SECOND)


@dataclass(frozen=True)
class _Built:
    """A schedule with its library and the hash of that."""

    schedule: Schedule
    entry: Entry
    binary: str


class Tuner:
    """Measures the schedules of layers and remembers the winners.

    `candidates` gives the schedules that a layer may have, the likeliest
    first; only the first few are measured unless `mode` is "full".
    """

    def __init__(
        self,
        compiler: Compiler,
        target: Target,
        cache: Cache,
        mode: Mode = "default",
        progress: Callable[[str], None] | None = None,
        *,
        candidates: Candidates = variants,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self.compiler = compiler
        self.target = target
        self.cache = cache
        self.mode: Mode = mode
        self.database = Database(cache)
        self.seconds = 0.0
        """Time that tuning took."""
        self.measured = 0
        """Schedules measured, those of earlier runs not counted."""
        self._progress = progress or (lambda text: None)
        self.candidates = candidates
        self._time_limit = time_limit
        self._process = ContestProcess(cache)

    def close(self) -> None:
        """Release the database and end the process that measures."""
        self._process.close()
        self.database.close()

    def environment(self, threads: int) -> TuningKey:
        """What measurements on this machine hold for, without the layer."""
        flags = " ".join((*self.compiler.command, *self.compiler.flags(self.target)))
        return TuningKey(
            layer="",
            triple=self.target.triple,
            # Code for a narrower processor is measured on this one.
            cpu=Target.host().cpu,
            features=" ".join(self.target.features),
            threads=threads,
            dtype="float32",
            toolchain=f"{self.compiler.version} ({flags})",
            lowering=lowering_digest(),
        )

    def chooser(self, task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        """The fastest known schedule of a layer, measured now if none is known."""
        if model_seconds(task) < _WORTH_SECONDS:
            return choose_by_model(task)
        start = time.perf_counter()
        try:
            return self._choose(task)
        finally:
            self.seconds += time.perf_counter() - start

    def _choose(self, task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        key = replace(self.environment(task.threads), layer=digest(task.key))
        candidates = {schedule.to_json(): schedule for schedule in self.candidates(task)}
        # Whoever tunes the same layer at the same time waits and finds the winner.
        with self.cache.lock(digest("tune", repr(key))):
            record = self.database.find(key)
            if record is None or not self._settled(record, candidates):
                self._search(task, key, candidates)
                record = self.database.find(key)
        if record is None or record.winner not in candidates:
            return choose_by_model(task)
        return candidates[record.winner], tuple(m.name for m in record.measurements)

    def _settled(self, record: Record, candidates: dict[str, Schedule]) -> bool:
        """Whether the search of a record went as far as this one would.

        A winner that is none of the candidates came with a foreign file.
        """
        return record.winner in candidates and record.searched in (self.mode, "full")

    # ---------------------------------------------------------------- searching

    def _search(self, task: LayerTask, key: TuningKey, candidates: dict[str, Schedule]) -> None:
        """Measure what is not measured yet and note the winner."""
        ops = _ops(task)
        self.database.add_layer(key, ops, str(standalone_module(task)))
        known = self._known(key)
        short = self.mode == "default" and model_seconds(task) < _LONG_SECONDS
        wanted = list(candidates)[: _FEW if short else _MOST[self.mode]]
        rest = [candidates[text] for text in wanted if text not in known]
        if rest:
            self._progress(f"tuning {ops}: {len(rest)} of {len(wanted)} schedules to measure")
            legal = [m for text, m in known.items() if text in candidates]
            self.race(task, rest, lambda m: self.database.put(key, m), legal)
        finished = {text: m for text, m in self._known(key).items() if text in candidates}
        winner = _winner(finished, wanted[0])
        if winner is not None:
            self.database.finish(key, winner.schedule, self.mode)

    def _known(self, key: TuningKey) -> dict[str, Measurement]:
        record = self.database.find(key)
        return {m.schedule: m for m in record.measurements} if record else {}

    def race(
        self,
        task: LayerTask,
        schedules: Sequence[Schedule],
        on_measured: Callable[[Measurement], None],
        known: Sequence[Measurement] = (),
    ) -> None:
        """Build schedules of a layer and measure each binary once, beside the best known one.

        What computes something else than the cost model's choice is not measured.

        `on_measured` is called as soon as anything is known of a schedule.
        """

        def tell(measurement: Measurement) -> None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            on_measured(replace(measurement, measured_at=now))

        twins: dict[str, list[Measurement]] = {}
        by_binary = {m.binary: m for m in known if m.binary}
        entries: dict[str, _Built] = {}
        usual, reference = choose_by_model(task)[0], None
        for built in self._build(task, schedules, tell):
            if built.schedule == usual:
                reference = built.entry
            noted = _measurement(built)
            if built.binary in by_binary:
                tell(_duplicate(noted, by_binary[built.binary]))
            elif built.binary in entries:
                twins.setdefault(built.binary, []).append(noted)
            else:
                entries[built.binary] = built

        def on_result(result: Result) -> None:
            made = replace(
                _measurement(entries[result.name]),
                outcome=result.outcome,
                ms=result.ms,
                runs=result.runs,
                reason=result.reason,
            )
            self.measured += 1
            tell(made)
            for twin in twins.get(result.name, ()):
                tell(_duplicate(twin, made))

        if not entries:
            return
        self._progress(f"measuring {len(entries)} schedules of {_ops(task)}")
        best = _fastest(known)
        champion = self._again(task, parse_schedule(best.schedule)) if best else None
        hold_contest(
            [built.entry for built in entries.values()],
            self._process,
            on_result,
            best=(champion, best.ms) if champion and best and best.ms else None,
            reference=reference or self._again(task, usual),
            time_limit=self._time_limit,
        )

    def _again(self, task: LayerTask, schedule: Schedule) -> Entry | None:
        """A schedule built beside others, to run along; None if it cannot be."""
        built = next(iter(self._build(task, [schedule], lambda m: None)), None)
        return built.entry if built else None

    # ----------------------------------------------------------------- building

    def _build(
        self,
        task: LayerTask,
        schedules: Sequence[Schedule],
        on_refused: Callable[[Measurement], None],
    ) -> Iterator[_Built]:
        """Builds schedules; C is compiled while the next one is lowered.

        The name of an entry is the hash of its library: compilers note nothing
        in it that differs between two texts with the same code.
        """
        with ThreadPoolExecutor(_BUILDERS) as pool:
            pending: list[tuple[Schedule, Program, Future[Library]]] = []
            for n, schedule in enumerate(schedules, start=1):
                self._progress(f"building schedule {n} of {len(schedules)} of {_ops(task)}")
                try:
                    program = standalone_program(task, schedule)
                except VerificationError as error:
                    on_refused(_refusal(schedule, error))
                    continue
                job = pool.submit(
                    build_library, program.source, self.compiler, self.target, self.cache
                )
                pending.append((schedule, program, job))
            for schedule, program, job in pending:
                try:
                    library = job.result()
                except ToolchainError as error:
                    on_refused(_refusal(schedule, error))
                    continue
                binary = hash_of_file(library.path)
                yield _Built(schedule, Entry(binary, program, library.path), binary)


def _measurement(built: _Built) -> Measurement:
    """What is known of a built schedule before it runs."""
    text = built.schedule.to_json()
    return Measurement(text, built.schedule.name, Outcome.ok, binary=built.binary)


def _refusal(schedule: Schedule, error: Exception) -> Measurement:
    return Measurement(schedule.to_json(), schedule.name, Outcome.illegal, reason=str(error))


def _duplicate(one: Measurement, other: Measurement) -> Measurement:
    """A measurement that is that of a schedule with the same machine code."""
    if other.ms is None:
        return replace(one, outcome=other.outcome, reason=other.reason)
    return replace(one, outcome=Outcome.duplicate, ms=other.ms, reason=f"same as {other.name}")


def _fastest(measurements: Iterable[Measurement]) -> Measurement | None:
    finished = [(m.ms, m) for m in measurements if m.outcome is Outcome.ok and m.ms is not None]
    return min(finished, key=lambda pair: pair[0])[1] if finished else None


def _winner(measurements: Mapping[str, Measurement], default: str) -> Measurement | None:
    """The fastest schedule, or the cost model's choice where that is as fast but for noise."""
    fastest = _fastest(measurements.values())
    usual = measurements.get(default)
    if fastest is None or usual is None or usual.outcome is not Outcome.ok:
        return fastest
    return usual if (usual.ms or 0.0) <= TIE * (fastest.ms or 0.0) else fastest


def _ops(task: LayerTask) -> str:
    """The operations of a layer, the shape of what it makes and its parts, for people."""
    shape = "x".join(map(str, shape_of(task.layer.outs[0])))
    folds = [stage.anchor.name for stage in task.stages if stage.anchor is not None]
    anchors = folds or [op.name for op in task.layer.body.block.ops if isinstance(op, CanaoOp)]
    names = " ".join(name.removeprefix("canao.") for name in dict.fromkeys(anchors))
    return f"{names} -> {shape}"
