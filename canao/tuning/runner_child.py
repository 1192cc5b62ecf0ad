"""The child process that measures programs: loads them, compares what they compute, times them.

It reads a job a line from its standard input and answers with lines of JSON
on its standard output; see `canao.tuning.runner`.
"""

from __future__ import annotations

import json
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from canao.dialects.canao import WeightOp
from canao.errors import CanaoError, FailedCheckError
from canao.lowering.specs import tensor_specs
from canao.measuring.quiet import QuietProbe
from canao.program import TensorSpec
from canao.runtime.memory import lasting_empty
from canao.runtime.module import Array, NativeModule, pointers
from canao.runtime.opencl.job import Job
from canao.runtime.parse import parse_module
from canao.runtime.weights import prepare_arrays
from canao.tuning.agreement import disagreement
from canao.tuning.database import Outcome

EARLY_STOP = 1.5
"""A program this many times slower than the best one is stopped early."""
_TRIAL_ROUNDS = 3
"""Rounds after which programs that cannot win are stopped."""
_FEW_QUIET = 5
"""Quiet samples of each program that suffice; with fewer there are up to twice as many rounds."""
_BATCH = 4
"""Programs that are loaded and run in turn at once, besides the best so far."""
_SAMPLE_SECONDS = 1e-3
"""A sample repeats the call for about this long."""
_MOST_CALLS = 64
_WEIGHT_BYTES = 24 << 20
"""Weights are copied up to this size and used in turn: in a model, too, other
layers' weights push them out of the caches between two calls."""
_MOST_COPIES = 16
_START_SECONDS = 120.0
"""Time that the process may take to start."""
_NORMAL = 1.4826 * 1.2533
"""Standard deviation over median deviation, times error of a median over that of a mean."""
_UNWRITTEN = 0xFF
"""Outputs are filled with this byte before a program's first run: NaN, -1, no bool."""


class Module(Protocol):
    """What is run and then closed."""

    def run(self, inputs: Any, outputs: Any) -> None:
        """Compute the outputs."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


@dataclass(frozen=True)
class _Sample:
    """The time of one call."""

    ms: float
    quiet: bool
    """Whether the cores ran nothing else, before and after."""


@dataclass
class _Loaded:
    """A loaded program with its arguments."""

    name: str
    threads: int
    module: Module
    calls: list[Callable[[], int]]
    """One for each copy of the weights."""
    clock: Callable[[], int]
    """Nanoseconds that passed, or in which a device ran kernels."""
    kept: list[list[Array]]
    """The arrays that the calls read and write."""
    repeats: int = 1
    samples: list[_Sample] = field(default_factory=list[_Sample])

    @property
    def quiet(self) -> list[float]:
        """Times of calls while the cores ran nothing else."""
        return [sample.ms for sample in self.samples if sample.quiet]

    @property
    def counted(self) -> list[float]:
        """The times that decide: the quiet ones if there are a few, else all."""
        quiet = self.quiet
        return quiet if len(quiet) >= _TRIAL_ROUNDS else [sample.ms for sample in self.samples]

    @property
    def median(self) -> float:
        return statistics.median(self.counted)

    @property
    def error(self) -> float:
        """The standard error of the median, from the median deviation: of normal noise."""
        middle, times = self.median, self.counted
        deviation = statistics.median(abs(ms - middle) for ms in times)
        return _NORMAL * deviation / len(times) ** 0.5

    @property
    def least(self) -> float:
        return min(sample.ms for sample in self.samples)

    @property
    def runs(self) -> int:
        return len(self.samples) * self.repeats * len(self.calls)

    def sample(self) -> float:
        """Milliseconds of one call, without copies between host and device."""
        start = self.clock()
        for _ in range(self.repeats):
            for call in self.calls:
                call()
        return (self.clock() - start) / 1e6 / (self.repeats * len(self.calls))


class _Runner:
    """Measures the programs of one job, batch after batch."""

    def __init__(self, job: dict[str, Any], out: TextIO) -> None:
        self.job = job
        self.out = out
        self.arrays: dict[tuple[Any, ...], Array] = {}
        self.prepared: dict[str, list[list[Array]]] = {}
        """Weights in the layout of a program, by the text that makes them."""
        self.expected: list[Array] | None = None
        self.random = np.random.default_rng(0)
        self.paces: list[float] = []
        told = job["probe"]
        self.probe = (
            None if told is None else QuietProbe(Path(told["library"]), told["best"], told["lanes"])
        )

    def say(self, **message: object) -> None:
        self.out.write(json.dumps(message) + "\n")
        self.out.flush()

    def announce(self, name: str) -> None:
        """Say what runs next, and let the system end the process if it hangs."""
        self.say(running=name)
        signal.setitimer(signal.ITIMER_REAL, self.job["time_limit"])

    def run(self) -> None:
        if self.job["reference"]:
            reference = self.load(self.job["reference"])
            if reference is not None:
                reference.module.close()
        best_ms: float | None = self.job["best_ms"]
        best = self.load(self.job["best"]) if best_ms is not None else None
        entries: list[dict[str, Any]] = self.job["entries"]
        for start in range(0, len(entries), _BATCH):
            loaded = [self.load(entry) for entry in entries[start : start + _BATCH]]
            batch = [program for program in loaded if program is not None]
            if batch:
                best, best_ms = self.run_batch(batch, best, best_ms)
        if best is not None:
            best.module.close()
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        self.say(finished=True)

    def run_batch(
        self, batch: list[_Loaded], best: _Loaded | None, best_ms: float | None
    ) -> tuple[_Loaded, float]:
        """Measure some programs and the best so far; the best of all of them."""
        live = [best, *batch] if best else list(batch)
        for program in live:
            program.samples.clear()
        rounds: int = self.job["rounds"]
        for number in range(2 * rounds):
            if number >= rounds and all(len(r.quiet) >= _FEW_QUIET for r in live):
                break
            if self.job["pace"]:
                self.paces.append(self.pace(live[0].threads))
            turn = number % len(live)
            for program in (*live[turn:], *live[:turn]):
                self.announce(program.name)
                program.samples.append(self.sample(program))
            if number + 1 == _TRIAL_ROUNDS:
                live = self.stop_early(live, best, best_ms)
        scale = best_ms / best.median if best and best_ms else 1.0
        for program in live:
            if program is not best:
                self.tell(program, Outcome.ok, scale)
        winner = min(live, key=lambda program: program.median)
        for program in {id(r): r for r in live}.values():
            if program is not winner:
                program.module.close()
        return winner, winner.median * scale

    def pace(self, threads: int) -> float:
        """The rate of multiply-adds alone, in GFLOP/s."""
        return 0.0 if self.probe is None else self.probe.gflops(threads)

    def sample(self, program: _Loaded) -> _Sample:
        quiet = self.is_quiet(program.threads)
        ms = program.sample()
        return _Sample(ms, self.is_quiet(program.threads) and quiet)

    def is_quiet(self, threads: int) -> bool:
        """Whether nothing else runs where a program does; taken for granted without a probe."""
        return self.probe is None or self.probe.is_quiet(threads)

    def stop_early(
        self, live: list[_Loaded], best: _Loaded | None, best_ms: float | None
    ) -> list[_Loaded]:
        limit = EARLY_STOP * min(program.least for program in live)
        scale = best_ms / best.median if best and best_ms else 1.0
        kept: list[_Loaded] = []
        for program in live:
            if program is best or program.least <= limit:
                kept.append(program)
                continue
            self.tell(program, Outcome.slow, scale)
            program.module.close()
        return kept

    def tell(self, program: _Loaded, outcome: Outcome, scale: float) -> None:
        ms = max(program.median * scale, 1e-6)
        self.say(
            name=program.name,
            outcome=outcome.value,
            ms=ms,
            error_ms=program.error * scale,
            median_ms=statistics.median(sample.ms for sample in program.samples),
            least_ms=program.least,
            quiet=len(program.quiet) / len(program.samples),
            pace_gflops=statistics.median(self.paces) if self.paces else 0.0,
            runs=program.runs,
        )

    def load(self, entry: dict[str, Any]) -> _Loaded | None:
        """Load a program, run it once, and find how many calls make a sample.

        None for a program that does not compute what the first one did.
        """
        self.announce(entry["name"])
        sets = self.weights(entry)
        inputs = [self.array("input", n, _spec(row)) for n, row in enumerate(entry["inputs"])]
        if entry["sizes"]:
            # All programs of a job are measured with the same sizes.
            inputs[-1][:] = entry["sizes"]
        outputs = [self.array("output", n, _spec(row)) for n, row in enumerate(entry["outputs"])]
        for array in outputs:
            array.view(np.uint8).fill(_UNWRITTEN)
        inputs_at, outputs_at = _addresses(inputs), _addresses(outputs)
        module, calls, clock = _open(entry, sets, inputs_at, outputs_at)
        # the numbers here are no inputs of the model: a check may fail, and all is computed
        with suppress(FailedCheckError):
            module.run(inputs_at, outputs_at)
        # What lies behind the last point means nothing.
        made = [
            array[tuple(map(slice, shape))]
            for array, shape in zip(outputs, entry["shapes"], strict=True)
        ]
        if self.expected is None:
            self.expected = [array.copy() for array in made]
        elif wrong := disagreement(made, self.expected):
            module.close()
            self.say(name=entry["name"], outcome=Outcome.wrong.value, reason=wrong)
            return None
        kept = [inputs, outputs, *sets]
        program = _Loaded(entry["name"], entry["threads"], module, calls, clock, kept)
        seconds = min(program.sample(), program.sample()) / 1e3 * len(sets)
        wanted = ceil(_SAMPLE_SECONDS / max(seconds, 1e-9))
        program.repeats = max(1, min(wanted, _MOST_CALLS // len(sets)))
        return program

    def weights(self, entry: dict[str, Any]) -> list[list[Array]]:
        """Copies of the weights, the same numbers for every program, each in its layout."""
        text: str = entry["prepare"]
        if text in self.prepared:
            return self.prepared[text]
        specs = [_spec(row) for row in entry["weights"]]
        plain: dict[str, Array] = {}
        for op in parse_module(text).walk():
            if isinstance(op, WeightOp):
                (spec,) = tensor_specs("", [op.result.type])
                plain[op.sym.data] = self.array(op.sym.data, 0, spec)
        first = prepare_arrays(specs, text, plain)
        size = sum(array.nbytes for array in first)
        copies = min(_MOST_COPIES, max(1, ceil(_WEIGHT_BYTES / size))) if size else 1
        sets = [first, *([_copy(array) for array in first] for _ in range(copies - 1))]
        self.prepared[text] = sets
        return sets

    def array(self, role: str, number: int, spec: TensorSpec) -> Array:
        """An argument; programs that take the same one share it."""
        key = (role, number, spec.dtype, spec.shape)
        if key not in self.arrays:
            self.arrays[key] = self.made(spec)
        return self.arrays[key]

    def made(self, spec: TensorSpec) -> Array:
        """Random numbers away from zero; zeros for indices, which any table has."""
        array = lasting_empty(spec.shape, spec.dtype)
        if array.dtype.kind == "f":
            array[...] = self.random.random(spec.shape, np.float32) + 0.125
        else:
            array.fill(spec.dtype == "bool")
        return array


def _open(
    entry: dict[str, Any], sets: Sequence[Sequence[Array]], inputs: Any, outputs: Any
) -> tuple[Module, list[Callable[[], int]], Callable[[], int]]:
    """A program, a call of it for each copy of the weights, and the clock that times them."""
    path = Path(entry["library"])
    if entry["opencl"]:
        from canao.tuning.opencl_runner import OpenCLRunner

        text = path.read_text(encoding="utf-8")
        program = OpenCLRunner(Job.from_json(entry["opencl"]), text, sets)
        return program, program.calls(inputs, outputs), program.clock
    module = NativeModule(path, sets[0], entry["arena_bytes"], entry["threads"], entry["calls"])
    calls = [module.bind(inputs, outputs, weights=_addresses(arrays)) for arrays in sets]
    return module, calls, time.perf_counter_ns


def _copy(array: Array) -> Array:
    copy = lasting_empty(array.shape, array.dtype)
    np.copyto(copy, array)
    return copy


def _addresses(arrays: Sequence[Array]) -> Any:
    return pointers([array.ctypes.data for array in arrays])


def _spec(row: dict[str, Any]) -> TensorSpec:
    return TensorSpec(row["name"], row["dtype"], tuple(row["shape"]))


def main() -> int:
    """Does the jobs that come on standard input, until it ends."""
    for line in sys.stdin:
        try:
            _Runner(json.loads(line), sys.stdout).run()
        except CanaoError as error:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            print(error, file=sys.stderr)
            return 3
    return 0


if __name__ == "__main__":
    signal.setitimer(signal.ITIMER_REAL, _START_SECONDS)
    sys.exit(main())
