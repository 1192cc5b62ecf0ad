"""Choosing schedules by measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from math import hypot, prod
from typing import Literal

from canao.building.cache import Cache, digest
from canao.building.toolchain import Compiler
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import CanaoOp
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.standalone import standalone_module
from canao.machine.target import Target
from canao.measuring.quiet import QuietProbe
from canao.transforms.narrow_storage import storage_of
from canao.tuning.database import (
    Database,
    Measurement,
    Outcome,
    Record,
    TuningKey,
    lowering_digest,
)
from canao.tuning.runner import TIME_LIMIT, Entry, Result, RunnerProcess, run_entries
from canao.tuning.schedule_builder import Built, Refused, ScheduleBuilder
from canao.tuning.transfer import Relatives, nearest
from canao.tuning.tuning_file import parse_schedule

Mode = Literal["default", "full"]
Candidates = Callable[[LayerTask], Sequence[Schedule]]

_MOST: dict[Mode, int] = {"default": 6, "full": 64}
"""Schedules measured for a layer."""
_FEW, _LONG_SECONDS = 3, 100e-6
"""Unless the mode is "full": what is measured of a layer that runs shorter than this.

A layer of which less was measured says nothing about layers of other sizes."""
_WORTH_SECONDS = 20e-6
"""A layer that runs shorter than this is not worth measuring."""
TIE = 1.02
"""Times whose ratio is below this are the same."""
_ERRORS = 2.0
"""Times that differ by fewer standard errors than this, beside that, are the same too."""


def model_seconds(task: LayerTask) -> float:
    """A rough estimate of the time of one call: the larger of arithmetic and traffic."""
    points = sum(prod(stage.extents) for stage in task.stages)
    traffic = 0
    values = (*task.layer.inputs, *task.layer.outs)
    for value, stored in zip(values, storage_of(task.layer), strict=True):
        # Of a table, only the rows that are looked up are read.
        elements = min(prod(shape_of(value)), points)
        traffic += elements * dtype_of_element(stored).itemsize
    arithmetic = task.layer.flops() / (task.unit.flops_a_second * task.threads)
    return max(arithmetic, traffic / task.unit.bytes_a_second)


class Tuner:
    """Measures the schedules of layers and remembers the winners.

    `candidates` gives the schedules that a layer may have, the likeliest
    first; only the first few are measured unless `mode` is "full". `dtype` is
    that of the weights and of what lies between layers.
    """

    def __init__(
        self,
        compiler: Compiler,
        target: Target,
        cache: Cache,
        mode: Mode = "default",
        progress: Callable[[str], None] | None = None,
        *,
        dtype: str = "float32",
        candidates: Candidates = variants,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self.compiler = compiler
        self.target = target
        self.cache = cache
        self.mode: Mode = mode
        self.dtype = dtype
        self.database = Database(cache)
        self.seconds = 0.0
        """Time that tuning took."""
        self.measured = 0
        """Schedules measured, those of earlier runs not counted."""
        self._progress = progress or (lambda text: None)
        self.candidates = candidates
        self._time_limit = time_limit
        self._process = RunnerProcess(cache)
        self._found: dict[LayerTask, dict[str, Schedule]] = {}
        self._plans: dict[LayerTask, list[Schedule]] = {}
        self._related: dict[int, Relatives] = {}
        self._builder = ScheduleBuilder(compiler, target, cache, self._progress)

    @cached_property
    def _probe(self) -> QuietProbe | None:
        """What tells when the processor runs something else too; a device has none."""
        if self.target.device is not None:
            return None
        return QuietProbe.of(self.compiler, self.target, self.cache)

    def close(self) -> None:
        """Release the database and end what runs in the background."""
        self._builder.close()
        self._process.close()
        self.database.close()

    def environment(self, threads: int) -> TuningKey:
        """What measurements on this machine hold for, without the layer."""
        device = self.target.device
        flags = " ".join((*self.compiler.command, *self.compiler.flags(self.target)))
        return TuningKey(
            layer="",
            triple=self.target.triple if device is None else f"opencl {device.platform}",
            # Code for a narrower processor is measured on this one.
            cpu=Target.host().cpu if device is None else device.name,
            features=" ".join(self.target.features),
            threads=threads,
            dtype=self.dtype,
            toolchain=f"{self.compiler.version} ({flags})",
            lowering=lowering_digest(),
        )

    def prepare_tasks(self, tasks: Sequence[LayerTask]) -> None:
        """Build all that will have to be measured for these layers, so that none waits."""
        start = time.perf_counter()
        for task in tasks:
            if not self._is_worth_measuring(task):
                continue
            key = self._key(task)
            candidates = self._candidates(task)
            record = self.database.find(key)
            if record is None or not self._settled(record, candidates):
                self._process.start()
                known = self._known(key)
                missing = [s for s in self._wanted(task, candidates) if s.to_json() not in known]
                self._builder.begin(task, missing, _ops(task))
        self._builder.wait()
        self.seconds += time.perf_counter() - start

    def chooser(self, task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        """The fastest known schedule of a layer, measured now if none is known."""
        if not self._is_worth_measuring(task):
            return choose_by_model(task)
        start = time.perf_counter()
        try:
            return self._choose(task)
        finally:
            self.seconds += time.perf_counter() - start

    def _is_worth_measuring(self, task: LayerTask) -> bool:
        """Whether the layer runs long enough, and more than the cost model's choice is likely.

        Where what won in other sizes is just that choice, nothing is left to decide.
        """
        if task.varies or model_seconds(task) < _WORTH_SECONDS:
            return False
        candidates = self._candidates(task)
        if self.mode == "full" or len(candidates) == 1 or self.database.find(self._key(task)):
            return True
        return len(self._wanted(task, candidates)) > 1

    def _choose(self, task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        key = self._key(task)
        candidates = self._candidates(task)
        # Whoever tunes the same layer at the same time waits and finds the winner.
        with self.cache.lock(digest("tune", repr(key))):
            record = self.database.find(key)
            if record is None or not self._settled(record, candidates):
                self._search(task, key, candidates)
                record = self.database.find(key)
        if record is None or record.winner not in candidates:
            return choose_by_model(task)
        return candidates[record.winner], tuple(m.name for m in record.measurements)

    def _key(self, task: LayerTask) -> TuningKey:
        return replace(self.environment(task.threads), layer=digest(task.key))

    def _candidates(self, task: LayerTask) -> dict[str, Schedule]:
        """The schedules that a layer may have, by their text."""
        if task not in self._found:
            self._found[task] = {s.to_json(): s for s in self.candidates(task)}
        return self._found[task]

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
        rest = [s for s in self._wanted(task, candidates) if s.to_json() not in known]
        if rest:
            self._progress(f"tuning {ops}: {len(rest)} schedules to measure")
            legal = [m for text, m in known.items() if text in candidates]
            self.race(task, rest, lambda m: self.database.put(key, m), legal)
        finished = {text: m for text, m in self._known(key).items() if text in candidates}
        winner = _winner(finished, next(iter(candidates)))
        if winner is not None:
            self.database.finish(key, winner.schedule, self.mode)

    def _wanted(self, task: LayerTask, candidates: Mapping[str, Schedule]) -> list[Schedule]:
        """The schedules to measure: the likeliest, or what won in other sizes."""
        if task not in self._plans:
            self._plans[task] = self._plan(task, list(candidates.values()))
        return self._plans[task]

    def _plan(self, task: LayerTask, schedules: Sequence[Schedule]) -> list[Schedule]:
        if self.mode == "full":
            return list(schedules[: _MOST["full"]])
        winner = self._relatives(task.threads).winner_like(str(standalone_module(task)))
        if winner is not None:
            return list(dict.fromkeys((schedules[0], nearest(schedules, winner))))
        return list(schedules[: _FEW if model_seconds(task) < _LONG_SECONDS else _MOST["default"]])

    def _relatives(self, threads: int) -> Relatives:
        """What was known when this tuner began: its own results do not change its plans."""
        if threads not in self._related:
            records = self.database.records()
            self._related[threads] = Relatives(records, self.environment(threads), _FEW)
        return self._related[threads]

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
        entries: dict[str, Built] = {}
        for built in self._builder.finish(task, schedules, _ops(task)):
            if isinstance(built, Refused):
                tell(_refusal(built))
                continue
            noted = _measurement(built)
            if noted.binary in by_binary:
                tell(_duplicate(noted, by_binary[noted.binary]))
            elif noted.binary in entries:
                twins.setdefault(noted.binary, []).append(noted)
            else:
                entries[noted.binary] = built

        def on_result(result: Result) -> None:
            made = replace(
                _measurement(entries[result.name]),
                outcome=result.outcome,
                ms=result.ms,
                error_ms=result.error_ms,
                runs=result.runs,
                reason=result.reason,
            )
            self.measured += 1
            tell(made)
            for twin in twins.get(result.name, ()):
                tell(_duplicate(twin, made))

        if not entries:
            return
        best = _fastest(known)
        champion = self._again(task, parse_schedule(best.schedule)) if best else None
        reference = self._again(task, choose_by_model(task)[0])
        self._progress(f"measuring {len(entries)} schedules of {_ops(task)}")
        run_entries(
            [built.entry for built in entries.values()],
            self._process,
            on_result,
            best=(champion, best.ms) if champion and best and best.ms else None,
            reference=reference,
            probe=self._probe,
            time_limit=self._time_limit,
        )

    def _again(self, task: LayerTask, schedule: Schedule) -> Entry | None:
        """A schedule that runs along with others; None if it cannot be built."""
        (built,) = self._builder.finish(task, [schedule], _ops(task))
        return built.entry if isinstance(built, Built) else None


def _measurement(built: Built) -> Measurement:
    """What is known of a built schedule before it runs."""
    schedule = built.schedule
    return Measurement(schedule.to_json(), schedule.name, Outcome.ok, binary=built.entry.name)


def _refusal(refused: Refused) -> Measurement:
    schedule = refused.schedule
    return Measurement(schedule.to_json(), schedule.name, Outcome.illegal, reason=refused.reason)


def _duplicate(one: Measurement, other: Measurement) -> Measurement:
    """A measurement that is that of a schedule with the same machine code."""
    if other.ms is None:
        return replace(one, outcome=other.outcome, reason=other.reason)
    return replace(
        one,
        outcome=Outcome.duplicate,
        ms=other.ms,
        error_ms=other.error_ms,
        reason=f"same as {other.name}",
    )


def _fastest(measurements: Iterable[Measurement]) -> Measurement | None:
    finished = [(m.ms, m) for m in measurements if m.outcome is Outcome.ok and m.ms is not None]
    return min(finished, key=lambda pair: pair[0])[1] if finished else None


def _winner(measurements: Mapping[str, Measurement], default: str) -> Measurement | None:
    """The fastest schedule, or the cost model's choice where that is as fast but for noise.

    Else every run would choose another one of those that are alike.
    """
    fastest = _fastest(measurements.values())
    usual = measurements.get(default)
    if fastest is None or usual is None or usual.outcome is not Outcome.ok:
        return fastest
    return usual if are_alike(usual, fastest) else fastest


def are_alike(usual: Measurement, fastest: Measurement) -> bool:
    """Whether the cost model's choice is as fast as the fastest schedule, but for noise."""
    noise = _ERRORS * hypot(usual.error_ms, fastest.error_ms)
    return (usual.ms or 0.0) <= TIE * (fastest.ms or 0.0) + noise


def _ops(task: LayerTask) -> str:
    """The name of a layer, its folds and the shape of what it makes, for people."""
    shape = "x".join(map(str, shape_of(task.layer.outs[0])))
    folds = [stage.anchor.name for stage in task.stages if stage.anchor is not None]
    anchors = folds or [op.name for op in task.layer.body.block.ops if isinstance(op, CanaoOp)]
    names = " ".join(name.removeprefix("canao.") for name in dict.fromkeys(anchors))
    return f"{task.name}: {names} -> {shape}"
