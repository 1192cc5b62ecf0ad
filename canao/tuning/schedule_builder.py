"""Schedules of layers made into programs of their own, compiled while others are lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from canao.building.cache import hash_of_file
from canao.errors import ToolchainError, VerificationError
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.standalone import standalone_program
from canao.machine.target import Target
from canao.program import Program
from canao.tuning.places.place import Place
from canao.tuning.runner import Entry

_BUILDERS = 2
"""C compilers run at once."""


@dataclass(frozen=True)
class Built:
    """A schedule with what runs it, ready to be measured.

    The name of the entry is the hash of that: compilers note nothing
    in it that differs between two texts with the same code.
    """

    schedule: Schedule
    entry: Entry


@dataclass(frozen=True)
class Refused:
    """A schedule that was refused by the proof of legality, the emitter or the C compiler."""

    schedule: Schedule
    reason: str


@dataclass(frozen=True)
class _Job:
    program: Program
    file: Future[Path]


class ScheduleBuilder:
    """Builds schedules in the background; `progress` is told of each that is begun."""

    def __init__(self, place: Place, target: Target, progress: Callable[[str], None]) -> None:
        self.place = place
        self.target = target
        self._progress = progress
        self._pool = ThreadPoolExecutor(_BUILDERS)
        self._jobs: dict[tuple[str, Schedule], _Job | Refused] = {}

    def close(self) -> None:
        """Give up what is not begun and wait for the rest."""
        self._pool.shutdown(cancel_futures=True)

    def begin(self, task: LayerTask, schedules: Sequence[Schedule], name: str) -> None:
        """Lower schedules and have them compiled; `name` is that of the layer, for people."""
        for n, schedule in enumerate(schedules, start=1):
            if (task.key, schedule) in self._jobs:
                continue
            self._progress(f"building schedule {n} of {len(schedules)} of {name}")
            self._jobs[task.key, schedule] = self._job(task, schedule)

    def _job(self, task: LayerTask, schedule: Schedule) -> _Job | Refused:
        try:
            program = standalone_program(task, schedule)
        except VerificationError as error:
            return Refused(schedule, str(error))
        return _Job(program, self._pool.submit(self.place.build, program))

    def wait(self) -> None:
        """Return when nothing is being compiled: measuring needs a quiet machine."""
        for job in self._jobs.values():
            if isinstance(job, _Job):
                job.file.exception()

    def finish(
        self, task: LayerTask, schedules: Sequence[Schedule], name: str
    ) -> Iterator[Built | Refused]:
        """What became of each schedule, in order; what was not begun is begun now."""
        self.begin(task, schedules, name)
        for schedule in schedules:
            job = self._jobs[task.key, schedule]
            yield job if isinstance(job, Refused) else self._built(schedule, job)

    def _built(self, schedule: Schedule, job: _Job) -> Built | Refused:
        try:
            path = job.file.result()
        except ToolchainError as error:
            return Refused(schedule, str(error))
        return Built(schedule, Entry(hash_of_file(path), job.program, path, self.target.device))
