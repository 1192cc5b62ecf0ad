"""What exported programs cost on a device, in turns, and what they compute there."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice, permutations
from pathlib import Path

import numpy as np

from canao.devices.build_here import PROGRAM, data_files, source_files
from canao.devices.device import INSTRUCTIONS, Device, Sample, Workspace
from canao.devices.fit import check_threads
from canao.devices.state import ALL, State, choose_cores
from canao.errors import DeviceError, ExecutionError
from canao.program import TensorSpec
from canao.runtime.module import Array


@dataclass(frozen=True)
class DeviceProgram:
    """An exported program, with what it is called with."""

    directory: Path
    """What `export` wrote."""
    inputs: Sequence[Array]
    """The arrays of its input files, in order."""
    outputs: Sequence[TensorSpec]
    """What its output files hold."""
    threads: int = 1
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    """The values of its dimensions that vary."""
    binary: Path | None = None
    """The program, made here; the device makes it itself if None."""


@dataclass(frozen=True)
class Request:
    """How programs are measured."""

    runs: int = 20
    """Timed runs of a program in a round."""
    rounds: int = 5
    warmup: int = 5
    """Runs of each program before the first round."""
    cores: str = ALL
    """"all", or those that programs are kept on: "big", "little", numbers such as "0,4-7"."""


@dataclass(frozen=True)
class Figure:
    """What one run of a program costs on a device, with what it depends on."""

    cost: float
    """The median over the rounds."""
    unit: str
    """What is counted: "ms" or "instructions"."""
    least: float
    most: float
    """The least and the most of a single run."""
    samples: tuple[float, ...]
    """The cost in each round."""
    runs: int
    """Runs in a round."""
    warmup: int
    threads: int
    device: str
    cores: tuple[int, ...]
    """The cores that it was kept on; none if it had all."""
    before: State
    after: State

    def to_json(self) -> str:
        """All fields as JSON text."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        cost = f"{self.cost:.3f} ms" if self.unit != INSTRUCTIONS else f"{self.cost:,.0f}"
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        where = f"cores {','.join(map(str, self.cores))}" if self.cores else "all cores"
        return f"{cost}{'' if self.unit != INSTRUCTIONS else ' instructions'}, {threads}, {where}"


def measure_programs(
    device: Device, programs: Mapping[str, DeviceProgram], request: Request
) -> dict[str, Figure]:
    """Measure programs round after round, each round in another order.

    Counted instructions are the same in each run: then one run and one round are enough.
    """
    with device.opened() as space:
        return measure_in(space, device, programs, request)


def measure_in(
    space: Workspace, device: Device, programs: Mapping[str, DeviceProgram], request: Request
) -> dict[str, Figure]:
    """As `measure_programs`, on a device that is open."""
    if min(request.runs, request.rounds) < 1 or request.warmup < 0:
        raise DeviceError(f"measuring takes at least one run and one round, not {request}")
    check_threads(device, max((program.threads for program in programs.values()), default=1))
    if device.unit == INSTRUCTIONS:
        request = Request(runs=1, rounds=1, warmup=0, cores=request.cores)
    before = space.state()
    cores = choose_cores(before.cores, request.cores, device.title)
    installed = {name: install(space, f"p{n}", p) for n, (name, p) in enumerate(programs.items())}
    for program in installed.values():
        if request.warmup:
            program.sample(space, request.warmup, cores)
    before = space.state()
    samples: dict[str, list[Sample]] = {name: [] for name in installed}
    for order in islice(cycle(permutations(installed.items())), request.rounds):
        for name, program in order:
            samples[name].append(program.sample(space, request.runs, cores))
    after = space.state()
    return {
        name: Figure(
            cost=statistics.median(sample.cost for sample in found),
            unit=device.unit,
            least=min(sample.least for sample in found),
            most=max(sample.most for sample in found),
            samples=tuple(sample.cost for sample in found),
            runs=request.runs,
            warmup=request.warmup,
            threads=programs[name].threads,
            device=device.title,
            cores=cores,
            before=before,
            after=after,
        )
        for name, found in samples.items()
    }


@dataclass(frozen=True)
class Installed:
    """A program with its inputs in a folder of a device."""

    folder: str
    words: tuple[str, ...]
    """The program and its arguments."""
    outputs: Sequence[TensorSpec]
    sizes: Mapping[str, int]

    def sample(self, space: Workspace, runs: int, cores: Sequence[int] = ()) -> Sample:
        """What a run costs."""
        return space.sample(self.folder, self.words, runs=runs, cores=cores)

    def results(self, space: Workspace) -> list[Array]:
        """What it computes, run once and copied here."""
        space.run(self.folder, self.words)
        with tempfile.TemporaryDirectory(prefix="canao-results-") as room:
            return [self._result(space, n, Path(room)) for n in range(len(self.outputs))]

    def _result(self, space: Workspace, number: int, room: Path) -> Array:
        name, spec = _output(number), self.outputs[number]
        space.pull(f"{self.folder}/{name}", room / name)
        found = np.fromfile(room / name, np.dtype(spec.dtype).newbyteorder("<"))
        shape = spec.shape_at(self.sizes)
        if found.size != int(np.prod(shape)):
            raise ExecutionError(
                f"{name} has {found.size} numbers and should have {shape}; export the program again"
            )
        return found.reshape(shape)


def install(space: Workspace, folder: str, program: DeviceProgram) -> Installed:
    """Copy a program with its inputs into a folder of a device, and make it there if need be."""
    directory, binary = program.directory, program.binary
    files = {path.name: path for path in data_files(directory)}
    if binary is None:
        files |= {path.name: path for path in source_files(directory)}
    else:
        files[PROGRAM] = binary
    with tempfile.TemporaryDirectory(prefix="canao-inputs-") as room:
        for n, array in enumerate(program.inputs):
            path = Path(room) / _input(n)
            array.astype(array.dtype.newbyteorder("<"), copy=False).tofile(path)
            files[path.name] = path
        space.push({f"{folder}/{name}": path for name, path in files.items()})
    name = space.build(folder) if binary is None else PROGRAM
    sizes = [word for pair in program.sizes.items() for word in ("--size", "{}={}".format(*pair))]
    words = (
        f"./{name}",
        "--threads",
        str(program.threads),
        *sizes,
        *(_input(n) for n in range(len(program.inputs))),
        *(_output(n) for n in range(len(program.outputs))),
    )
    return Installed(folder, words, program.outputs, program.sizes)


def _input(number: int) -> str:
    return f"in{number}.bin"


def _output(number: int) -> str:
    return f"out{number}.bin"
