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
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from canao.errors import CanaoError, FailedCheckError
from canao.measuring.quiet import QuietProbe
from canao.program import TensorSpec
from canao.runtime.memory import lasting_empty
from canao.runtime.module import Array, NativeModule, addresses
from canao.runtime.opencl.job import Job
from canao.tuning.arguments import Arguments, copies_of
from canao.tuning.database import Outcome
from canao.tuning.race import Contestant, Failure, Race, Result, Sample

_BATCH = 4
"""Programs that are loaded and run in turn at once, besides the best so far."""
_SAMPLE_SECONDS = 1e-3
"""A sample repeats the call for about this long."""
_MOST_CALLS = 64
_START_SECONDS = 120.0
"""Time that the process may take to start."""


class Module(Protocol):
    """What is run and then closed."""

    def run(self, inputs: Any, outputs: Any) -> None:
        """Compute the outputs."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


@dataclass(eq=False)
class _Loaded(Contestant):
    """A loaded program with its arguments."""

    threads: int
    module: Module
    bound: list[Callable[[], int]]
    """A call for each copy of the weights."""
    clock: Callable[[], int]
    """Nanoseconds that passed, or in which a device ran kernels."""
    kept: list[list[Array]]
    """The arrays that the calls read and write."""
    announce: Callable[[str], None]
    """Called with its name before it runs."""
    is_quiet: Callable[[int], bool]
    """Whether nothing else runs where so many threads do."""
    repeats: int = 1

    @property
    def calls(self) -> int:
        return self.repeats * len(self.bound)

    def sample(self) -> Sample:
        self.announce(self.name)
        quiet = self.is_quiet(self.threads)
        ms = self.milliseconds()
        return Sample(ms, self.is_quiet(self.threads) and quiet)

    def milliseconds(self) -> float:
        """The time of one call, without copies between host and device."""
        start = self.clock()
        for _ in range(self.repeats):
            for call in self.bound:
                call()
        return (self.clock() - start) / 1e6 / self.calls

    def close(self) -> None:
        self.module.close()


class _Runner:
    """Measures the programs of one job, batch after batch."""

    def __init__(self, job: dict[str, Any], out: TextIO) -> None:
        self.job = job
        self.out = out
        self.arguments = Arguments()
        self.sets: dict[str, list[list[Array]]] = {}
        """Copies of the weights, by the text that makes them."""
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
                reference.close()
        race = Race(self.job["rounds"], self.tell, each_round=self.measure_pace)
        if self.job["best_ms"] is not None:
            race.best = self.load(self.job["best"])
            race.best_cost = self.job["best_ms"]
        entries: list[dict[str, Any]] = self.job["entries"]
        for start in range(0, len(entries), _BATCH):
            loaded = [self.load(entry) for entry in entries[start : start + _BATCH]]
            batch = [program for program in loaded if program is not None]
            if batch:
                race.run(batch)
        if race.best is not None:
            race.best.close()
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        self.say(finished=True)

    def measure_pace(self, live: Sequence[_Loaded]) -> None:
        """Note the rate of multiply-adds alone, in GFLOP/s, if it was asked for."""
        if self.job["pace"]:
            threads = live[0].threads
            self.paces.append(0.0 if self.probe is None else self.probe.gflops(threads))

    def is_quiet(self, threads: int) -> bool:
        """Whether nothing else runs where a program does; taken for granted without a probe."""
        return self.probe is None or self.probe.is_quiet(threads)

    def tell(self, result: Result) -> None:
        pace = statistics.median(self.paces) if self.paces else 0.0
        self.say(**asdict(replace(result, pace_gflops=pace)))

    def load(self, entry: dict[str, Any]) -> _Loaded | None:
        """Load a program, run it once, and find how many calls make a sample.

        None for a program that does not compute what the first one did.
        """
        self.announce(entry["name"])
        sets = self.weights(entry)
        inputs = self.arguments.inputs(_specs(entry["inputs"]), entry["sizes"])
        outputs = self.arguments.outputs(_specs(entry["outputs"]))
        inputs_at, outputs_at = addresses(inputs), addresses(outputs)
        module, calls, clock = _open(entry, sets, inputs_at, outputs_at)
        # the numbers here are no inputs of the model: a check may fail, and all is computed
        with suppress(FailedCheckError):
            module.run(inputs_at, outputs_at)
        wrong = self.arguments.wrong(outputs, entry["shapes"])
        if wrong:
            module.close()
            self.tell(Failure(Outcome.wrong, wrong).of(entry["name"]))
            return None
        kept = [inputs, outputs, *sets]
        program = _Loaded(
            entry["name"],
            entry["threads"],
            module,
            calls,
            clock,
            kept,
            self.announce,
            self.is_quiet,
        )
        seconds = min(program.milliseconds(), program.milliseconds()) / 1e3 * len(sets)
        wanted = ceil(_SAMPLE_SECONDS / max(seconds, 1e-9))
        program.repeats = max(1, min(wanted, _MOST_CALLS // len(sets)))
        return program

    def weights(self, entry: dict[str, Any]) -> list[list[Array]]:
        """Copies of the weights, the same numbers for every program, each in its layout."""
        text: str = entry["prepare"]
        if text not in self.sets:
            first = self.arguments.weights(_specs(entry["weights"]), text)
            copies = copies_of(sum(array.nbytes for array in first))
            others = ([_copy(array) for array in first] for _ in range(copies - 1))
            self.sets[text] = [first, *others]
        return self.sets[text]


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
    calls = [module.bind(inputs, outputs, weights=addresses(arrays)) for arrays in sets]
    return module, calls, time.perf_counter_ns


def _copy(array: Array) -> Array:
    copy = lasting_empty(array.shape, array.dtype)
    np.copyto(copy, array)
    return copy


def _specs(rows: Sequence[dict[str, Any]]) -> list[TensorSpec]:
    return [TensorSpec(row["name"], row["dtype"], tuple(row["shape"])) for row in rows]


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
