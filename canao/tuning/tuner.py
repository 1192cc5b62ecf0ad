"""Choosing schedules by measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import chain
from math import hypot
from typing import Literal

from canao.building.cache import Cache, digest
from canao.building.toolchain import Compiler
from canao.devices.device import INSTRUCTIONS, MILLISECONDS, Device
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.lengths import joined, probes
from canao.lowering.schedules.schedule import Schedule
from canao.machine.target import Target
from canao.tuning.database import (
    Database,
    Measurement,
    Outcome,
    Record,
    TuningKey,
    lowering_digest,
)
from canao.tuning.places.here import Here
from canao.tuning.places.on_device import OnDevice
from canao.tuning.places.place import Place
from canao.tuning.question import Question, candidates_of, name_of
from canao.tuning.race import Result
from canao.tuning.runner import TIME_LIMIT, Entry
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
TIES = {MILLISECONDS: (1.02, 0.0), INSTRUCTIONS: (1.0, 500.0)}
"""Costs are the same whose ratio and whose difference are below these, by what is counted: times
are never exact, counts of instructions are but for some hundred."""
_ERRORS = 2.0
"""Costs that differ by fewer standard errors than this, beside that, are the same too."""


class Tuner:
    """Measures the schedules of layers and remembers the winners.

    `candidates` gives the schedules that a layer may have, the likeliest
    first; only the first few are measured unless `mode` is "full". `dtype` is
    that of the weights and of what lies between layers. With a `device`, code for
    `target` is measured there; without one, here.
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
        candidates: Candidates = candidates_of,
        time_limit: float = TIME_LIMIT,
        device: Device | None = None,
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
        self._place: Place = (
            Here(compiler, target, cache, time_limit)
            if device is None
            else OnDevice(device, compiler, target, cache)
        )
        self._found: dict[LayerTask, dict[str, Schedule]] = {}
        self._plans: dict[Question, list[Schedule]] = {}
        self._related: dict[int, Relatives] = {}
        self._builder = ScheduleBuilder(self._place, target, self._progress)

    def close(self) -> None:
        """Release the database and end what runs in the background."""
        self._builder.close()
        self._place.close()
        self.database.close()

    def environment(self, threads: int) -> TuningKey:
        """What measurements of this tuner hold for, without the layer."""
        flags = " ".join((*self.compiler.command, *self.compiler.flags(self.target)))
        return TuningKey(
            layer="",
            features=" ".join(self.target.features),
            threads=threads,
            dtype=self.dtype,
            toolchain=f"{self.compiler.version} ({flags})",
            lowering=lowering_digest(),
            **asdict(self._place.identity()),
        )

    def prepare_tasks(self, tasks: Sequence[LayerTask]) -> None:
        """Build all that will have to be measured for these layers, so that none waits."""
        start = time.perf_counter()
        for question in chain.from_iterable(map(self._questions, tasks)):
            if not self._is_worth_measuring(question):
                continue
            key, candidates = self._key(question), self._candidates(question.task)
            record = self.database.find(key)
            if record is None or not self._settled(record, candidates):
                self._place.get_ready()
                known = self._known(key)
                wanted = self._wanted(question, candidates)
                missing = [s for s in wanted if s.to_json() not in known]
                self._builder.begin(question.task, missing, name_of(question))
        self._builder.wait()
        self.seconds += time.perf_counter() - start

    def chooser(self, task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        """The fastest known schedule of a layer, measured now if none is known.

        Where its lengths vary, that is one for few points and others for more.
        """
        start = time.perf_counter()
        usual, names = choose_by_model(task)
        winners: dict[int, Schedule] = {}
        tried: dict[str, None] = {}
        try:
            for question in self._questions(task):
                points = question.probe.points if question.probe else 0
                winners[points] = usual
                if self._is_worth_measuring(question):
                    winners[points], measured = self._choose(question)
                    tried |= dict.fromkeys(measured)
        finally:
            self.seconds += time.perf_counter() - start
        return (joined(winners), tuple(tried)) if tried else (usual, names)

    def _questions(self, task: LayerTask) -> list[Question]:
        """What is to be found out about a layer: a schedule for each of a few lengths."""
        if not task.varies:
            return [Question(task)]
        usual = next(iter(self._candidates(task).values()))
        return [Question(task, probe) for probe in probes(task, usual)]

    def _is_worth_measuring(self, question: Question) -> bool:
        """Whether the layer runs long enough, and more than the cost model's choice is likely.

        Where what won in other sizes is just that choice, nothing is left to decide.
        """
        if question.seconds < _WORTH_SECONDS:
            return False
        candidates = self._candidates(question.task)
        if self.mode == "full" or len(candidates) == 1 or self.database.find(self._key(question)):
            return True
        return len(self._wanted(question, candidates)) > 1

    def _choose(self, question: Question) -> tuple[Schedule, tuple[str, ...]]:
        key = self._key(question)
        candidates = self._candidates(question.task)
        # Whoever tunes the same layer at the same time waits and finds the winner.
        with self.cache.lock(digest("tune", repr(key))):
            record = self.database.find(key)
            if record is None or not self._settled(record, candidates):
                self._search(question, key, candidates)
                record = self.database.find(key)
        if record is None or record.winner not in candidates:
            return choose_by_model(question.task)
        return candidates[record.winner], tuple(m.name for m in record.measurements)

    def _key(self, question: Question) -> TuningKey:
        return replace(self.environment(question.task.threads), layer=question.digest)

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

    def _search(self, question: Question, key: TuningKey, candidates: dict[str, Schedule]) -> None:
        """Measure what is not measured yet and note the winner."""
        ops = name_of(question)
        self.database.add_layer(key, ops, question.module)
        known = self._known(key)
        rest = [s for s in self._wanted(question, candidates) if s.to_json() not in known]
        if rest:
            self._progress(f"tuning {ops}: {len(rest)} schedules to measure")
            legal = [m for text, m in known.items() if text in candidates]
            self.race(question, rest, lambda m: self.database.put(key, m), legal)
        finished = {text: m for text, m in self._known(key).items() if text in candidates}
        winner = _winner(finished, next(iter(candidates)), key.unit)
        if winner is not None:
            self.database.finish(key, winner.schedule, self.mode)

    def _wanted(self, question: Question, candidates: Mapping[str, Schedule]) -> list[Schedule]:
        """The schedules to measure: the likeliest, or what won in other sizes."""
        if question not in self._plans:
            self._plans[question] = self._plan(question, list(candidates.values()))
        return self._plans[question]

    def _plan(self, question: Question, schedules: Sequence[Schedule]) -> list[Schedule]:
        if self.mode == "full":
            return list(schedules[: _MOST["full"]])
        winner = self._relatives(question.task.threads).winner_like(question.module)
        if winner is not None:
            return list(dict.fromkeys((schedules[0], nearest(schedules, winner))))
        # Each schedule of a layer whose lengths vary is measured at several of them.
        few = question.probe is not None or question.seconds < _LONG_SECONDS
        return list(schedules[: _FEW if few else _MOST["default"]])

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
        question: Question,
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
        task, ops = question.task, name_of(question)
        for built in self._builder.finish(task, schedules, ops):
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
                cost=result.cost,
                error=result.error,
                runs=result.runs,
                reason=result.reason,
            )
            self.measured += 1
            tell(made)
            for twin in twins.get(result.name, ()):
                tell(_duplicate(twin, made))

        if not entries:
            return
        best = _cheapest(known)
        champion = self._again(question, parse_schedule(best.schedule)) if best else None
        reference = self._again(question, choose_by_model(task)[0])
        self._progress(f"measuring {len(entries)} schedules of {ops}")
        self._place.measure(
            [_at_sizes(question, built) for built in entries.values()],
            on_result,
            best=(champion, best.cost) if champion and best and best.cost else None,
            reference=reference,
        )

    def _again(self, question: Question, schedule: Schedule) -> Entry | None:
        """A schedule that runs along with others; None if it cannot be built."""
        (built,) = self._builder.finish(question.task, [schedule], name_of(question))
        return _at_sizes(question, built) if isinstance(built, Built) else None


def _at_sizes(question: Question, built: Built) -> Entry:
    """A built schedule as it is measured."""
    sizes = question.probe.values if question.probe else ()
    return replace(built.entry, sizes=sizes)


def _measurement(built: Built) -> Measurement:
    """What is known of a built schedule before it runs."""
    schedule = built.schedule
    return Measurement(schedule.to_json(), schedule.name, Outcome.ok, binary=built.entry.name)


def _refusal(refused: Refused) -> Measurement:
    schedule = refused.schedule
    return Measurement(schedule.to_json(), schedule.name, Outcome.illegal, reason=refused.reason)


def _duplicate(one: Measurement, other: Measurement) -> Measurement:
    """A measurement that is that of a schedule with the same machine code."""
    if other.cost is None:
        return replace(one, outcome=other.outcome, reason=other.reason)
    return replace(
        one,
        outcome=Outcome.duplicate,
        cost=other.cost,
        error=other.error,
        reason=f"same as {other.name}",
    )


def _cheapest(measurements: Iterable[Measurement]) -> Measurement | None:
    finished = [(m.cost, m) for m in measurements if m.outcome is Outcome.ok and m.cost is not None]
    return min(finished, key=lambda pair: pair[0])[1] if finished else None


def _winner(measurements: Mapping[str, Measurement], default: str, unit: str) -> Measurement | None:
    """The cheapest schedule, or the cost model's choice where that is as cheap but for noise.

    Else every run would choose another one of those that are alike.
    """
    cheapest = _cheapest(measurements.values())
    usual = measurements.get(default)
    if cheapest is None or usual is None or usual.outcome is not Outcome.ok:
        return cheapest
    return usual if are_alike(usual, cheapest, unit) else cheapest


def are_alike(usual: Measurement, cheapest: Measurement, unit: str) -> bool:
    """Whether the cost model's choice is as cheap as the cheapest schedule, but for noise."""
    ratio, difference = TIES[unit]
    noise = difference + _ERRORS * hypot(usual.error, cheapest.error)
    return (usual.cost or 0.0) <= ratio * (cheapest.cost or 0.0) + noise
