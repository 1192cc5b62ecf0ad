"""A device: programs of a layer are copied there together, compared, and run in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, prod
from pathlib import Path

import numpy as np

from canao.building.cache import Cache
from canao.building.toolchain import Compiler
from canao.devices.device import INSTRUCTIONS, Device, Workspace
from canao.devices.fit import is_static
from canao.errors import ExecutionError, HungError
from canao.machine.target import Target
from canao.program import Program, TensorSpec
from canao.runtime.module import Array
from canao.tuning.arguments import Arguments
from canao.tuning.database import Outcome
from canao.tuning.places.candidate import build_candidate
from canao.tuning.places.place import Identity
from canao.tuning.race import Contestant, Failure, OnResult, Race, Sample
from canao.tuning.runner import Entry

_FOLDER = "layer"
_ROUNDS = 5
"""Samples of each program where costs are times; each is the median of some runs."""
_SAMPLE_MS = 20.0
"""A sample repeats the call for about this long: that a program starts takes time too."""
_FEWEST, _MOST = 3, 200
"""Runs in a sample of times; counts are the same in each run."""


@dataclass(frozen=True)
class OnDevice:
    """See `canao.tuning.places.place.Place`."""

    device: Device
    compiler: Compiler
    target: Target
    cache: Cache

    def identity(self) -> Identity:
        """See `Place`."""
        device = self.device
        return Identity(self.target.triple, device.processor(), device.spec, device.unit)

    def build(self, program: Program) -> Path:
        """See `Place`: a program of its own."""
        static = is_static(self.target, self.device)
        return build_candidate(program, self.compiler, self.target, self.cache, static=static)

    def get_ready(self) -> None:
        """See `Place`: nothing waits for a device."""

    def close(self) -> None:
        """See `Place`: nothing is left there between measurements."""

    def measure(
        self,
        entries: Sequence[Entry],
        on_result: OnResult,
        *,
        best: tuple[Entry, float] | None = None,
        reference: Entry | None = None,
    ) -> None:
        """See `Place`.

        What crashes or hangs is left out with what the device says of it. `ExecutionError` if
        that is all of them: then nothing is known of the schedules. `DeviceError` if the device
        cannot be reached or was lost.
        """
        known = [entry for entry in (reference, best and best[0]) if entry is not None]
        by_name = {entry.name: entry for entry in (*known, *entries)}
        arguments = Arguments()
        with self.device.opened() as space:
            counted = self.device.unit == INSTRUCTIONS
            runners = _installed(space, by_name, arguments, runs=1 if counted else 0)
            failures = _failures(runners, arguments)
            if len(failures) == len(runners):
                raise ExecutionError(
                    f"no schedule of a layer runs on {self.device.title}: "
                    f"{next(iter(failures.values())).reason}"
                )
            names = [entry.name for entry in entries]
            for name in filter(failures.__contains__, names):
                on_result(failures[name].of(name))
            race = Race[_Installed](1 if counted else _ROUNDS, on_result)
            if best is not None and best[0].name not in failures:
                race.best, race.best_cost = runners[best[0].name], best[1]
            batch = [runners[name] for name in names if name not in failures]
            if batch:
                race.run(batch)


@dataclass(eq=False)
class _Installed(Contestant):
    """A program in the directory of a device."""

    space: Workspace
    program: str
    """Its file there."""
    files: tuple[str, str, str]
    """Its inputs, its weights, and where it writes outputs."""
    outputs: Sequence[TensorSpec]
    shapes: Sequence[Sequence[int]]
    runs: int
    """Runs in a sample; 0 until it is known how long one takes."""

    @property
    def calls(self) -> int:
        return self.runs

    @property
    def words(self) -> tuple[str, ...]:
        return f"./{self.program}", *self.files

    def sample(self) -> Sample | Failure:
        try:
            if not self.runs:
                trial = self.space.sample(_FOLDER, self.words, runs=_FEWEST)
                self.runs = min(max(_FEWEST, ceil(_SAMPLE_MS / trial.cost)), _MOST)
            found = self.space.sample(_FOLDER, self.words, runs=self.runs)
        except ExecutionError as error:
            return _failure(error)
        return Sample(found.cost)

    def results(self) -> list[Array]:
        """What it computes, with the room behind it; `ExecutionError` if it fails."""
        self.space.run(_FOLDER, self.words)
        with tempfile.TemporaryDirectory(prefix="canao-results-") as room:
            path = Path(room) / self.files[2]
            self.space.pull(f"{_FOLDER}/{self.files[2]}", path)
            data = path.read_bytes()
        if len(data) != sum(spec.bytes for spec in self.outputs):
            raise ExecutionError(
                f"{self.program} wrote {len(data)} bytes of outputs, which is wrong"
            )
        arrays: list[Array] = []
        start = 0
        for spec in self.outputs:
            flat = np.frombuffer(data, np.dtype(spec.dtype), prod(spec.shape), start)
            arrays.append(flat.reshape(spec.shape))
            start += spec.bytes
        return arrays

    def close(self) -> None:
        """Nothing is held: the directory goes when the device is left."""


def _failure(error: ExecutionError) -> Failure:
    outcome = Outcome.timeout if isinstance(error, HungError) else Outcome.crashed
    return Failure(outcome, str(error))


def _failures(runners: Mapping[str, _Installed], arguments: Arguments) -> dict[str, Failure]:
    """Run each program once: what fails, and what does not compute what the first one does."""
    failures: dict[str, Failure] = {}
    for name, runner in runners.items():
        try:
            wrong = arguments.wrong(runner.results(), runner.shapes)
        except ExecutionError as error:
            failures[name] = _failure(error)
            continue
        if wrong:
            failures[name] = Failure(Outcome.wrong, wrong)
    return failures


def _installed(
    space: Workspace, entries: Mapping[str, Entry], arguments: Arguments, *, runs: int
) -> dict[str, _Installed]:
    """Copy programs to a device, all at once, with files of arrays that they share."""
    runners: dict[str, _Installed] = {}
    with tempfile.TemporaryDirectory(prefix="canao-layer-") as room:
        arrays = _ArrayFiles(Path(room))
        pushed: dict[str, Path] = {}
        for number, (name, entry) in enumerate(entries.items()):
            program, file = entry.program, f"p{number}"
            inputs = arguments.inputs(program.inputs, entry.sizes)
            weights = arguments.weights(program.weights, program.prepare)
            files = arrays.file_of(inputs), arrays.file_of(weights), f"out{number}.bin"
            pushed[file] = entry.library
            runners[name] = _Installed(
                name, space, file, files, program.outputs, entry.shapes, runs
            )
        space.push({f"{_FOLDER}/{name}": path for name, path in (pushed | arrays.files).items()})
    return runners


@dataclass
class _ArrayFiles:
    """Files of arrays, one for all programs that take the same ones."""

    room: Path
    files: dict[str, Path] = field(default_factory=dict[str, Path])
    _names: dict[tuple[int, ...], str] = field(default_factory=dict[tuple[int, ...], str])

    def file_of(self, arrays: Sequence[Array]) -> str:
        """The name of the file with these arrays, which are kept by whoever made them."""
        key = tuple(map(id, arrays))
        if key not in self._names:
            name = self._names[key] = f"arrays{len(self._names)}.bin"
            self.files[name] = self.room / name
            self.files[name].write_bytes(b"".join(array.tobytes() for array in arrays))
        return self._names[key]
