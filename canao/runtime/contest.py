"""Programs that compute the same measured against each other in a child process.

The child loads the libraries and runs them in turn, round after round, so that
a neighbour's noise falls on all alike. It says on its standard output what it
is about to run: when a program crashes or hangs, the child ends, that program
is marked, and another child measures the rest. A timer of the system ends a
child that hangs, whatever the code does.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from canao.errors import CanaoError, ExecutionError
from canao.lowering.program import Program, TensorSpec
from canao.runtime.cache import Cache
from canao.runtime.database import Outcome
from canao.runtime.guard import child_environment
from canao.runtime.memory import lasting_empty
from canao.runtime.module import Array, NativeModule, pointers

HOPELESS = 1.5
"""A program this many times slower than the best one is stopped early."""
_TRIAL_ROUNDS = 3
"""Rounds after which hopeless programs are told."""
_ROUNDS = 9
_HEAT = 4
"""Programs that are loaded and run in turn at once, besides the best so far."""
_SAMPLE_SECONDS = 1e-3
"""A sample repeats the call for about this long."""
_MOST_CALLS = 64
_WEIGHT_BYTES = 4 << 20
"""Weights are copied up to this size and used in turn: in a model, too, other
layers' weights push them out of the nearest caches between two calls."""
_MOST_COPIES = 8
_START_SECONDS = 120.0
"""Time that a child may take to start."""
TIME_LIMIT = 30.0
"""Seconds that one sample may take, the making of its inputs included."""


@dataclass(frozen=True)
class Entry:
    """A built program that takes part, under a name of its own."""

    name: str
    program: Program
    library: Path


@dataclass(frozen=True)
class Result:
    """How an entry did; `ms` is None unless it was measured."""

    name: str
    outcome: Outcome
    ms: float | None = None
    runs: int = 0
    reason: str = ""


OnResult = Callable[[Result], None]


def hold_contest(
    entries: Sequence[Entry],
    cache: Cache,
    on_result: OnResult,
    *,
    best: tuple[Entry, float] | None = None,
    time_limit: float = TIME_LIMIT,
) -> None:
    """Measure `entries` and tell `on_result` of each as soon as it is known.

    `best` is the fastest entry of an earlier contest with its milliseconds. It
    runs along, and all times are scaled by how it runs now: a machine that is
    busier today does not favour what was measured yesterday.
    """
    left = {entry.name: entry for entry in entries}
    reigning = best
    # One contest at a time: two would measure each other.
    with cache.lock("measuring"):
        while left:

            def took(result: Result) -> None:
                nonlocal reigning
                entry = left.pop(result.name)
                if result.outcome is Outcome.ok:
                    rivals = [reigning, (entry, result.ms or 0.0)]
                    reigning = min(filter(None, rivals), key=lambda rival: rival[1])
                on_result(result)

            culprit = _run_child(list(left.values()), reigning, cache, time_limit, took)
            if culprit is None:
                return
            if culprit.name in left:
                took(culprit)
            elif reigning is not None and culprit.name == reigning[0].name:
                reigning = None
            else:
                raise ExecutionError(
                    f"the process that measures schedules ended early ({culprit.reason}); "
                    "compile with tune='off', or report the model"
                )


def _run_child(
    entries: Sequence[Entry],
    best: tuple[Entry, float] | None,
    cache: Cache,
    time_limit: float,
    on_result: OnResult,
) -> Result | None:
    """Run a child to its end; the result of the entry that ended it early, if one did."""
    runners = [best[0], *entries] if best else list(entries)
    job = {
        "entries": [_job_entry(entry) for entry in runners],
        "best_ms": best[1] if best else None,
        "time_limit": time_limit,
    }
    running, finished = "", False
    with cache.scratch() as room:
        path, said = room / "job.json", room / "said"
        try:
            path.write_text(json.dumps(job), encoding="utf-8")
            with said.open("w", encoding="utf-8") as errors:
                child = subprocess.Popen(
                    [sys.executable, "-P", "-m", "canao.runtime.contest", str(path)],
                    env=child_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                )
        except OSError as error:
            raise cache.error(error) from error
        with child:
            try:
                assert child.stdout is not None
                for message in filter(None, map(_message, child.stdout)):
                    running = message.get("running", running)
                    finished = finished or "finished" in message
                    if "outcome" in message:
                        message["outcome"] = Outcome(message["outcome"])
                        on_result(Result(**message))
            except BaseException:
                child.kill()
                raise
        # Emitted code could end the process with status 0 too.
        if finished and not child.returncode:
            return None
        return _blame(running, child.returncode, said.read_text(encoding="utf-8", errors="replace"))


def _message(line: str) -> dict[str, Any] | None:
    """What a line says; None for one that emitted code wrote."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _blame(running: str, status: int, said: str) -> Result:
    if status == -signal.SIGALRM:
        return Result(running, Outcome.timeout, reason="it did not end within the time limit")
    lines = said.strip().splitlines()
    last = lines[-1] if lines else f"it ended the process with status {status}"
    if status < 0:
        names = {known.value: known.name for known in signal.Signals}
        last = names.get(-status, f"signal {-status}")
    return Result(running, Outcome.crashed, reason=last)


def _job_entry(entry: Entry) -> dict[str, Any]:
    program = entry.program
    return {
        "name": entry.name,
        "library": str(entry.library),
        "threads": program.threads,
        "arena_bytes": program.arena_bytes,
        "calls": len(program.calls),
        "inputs": [asdict(spec) for spec in program.inputs],
        "outputs": [asdict(spec) for spec in program.outputs],
        "weights": [asdict(spec) for spec in program.weights],
    }


# ------------------------------------------------------------------- the child


@dataclass
class _Runner:
    """A loaded program with its arguments."""

    name: str
    module: NativeModule
    calls: list[Callable[[], int]]
    """One for each copy of the weights."""
    kept: list[list[Array]]
    """The arrays that the calls read and write."""
    repeats: int = 1
    samples: list[float] = field(default_factory=list[float])

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def runs(self) -> int:
        return len(self.samples) * self.repeats * len(self.calls)

    def sample(self) -> float:
        """Milliseconds of one call."""
        start = time.perf_counter_ns()
        for _ in range(self.repeats):
            for call in self.calls:
                call()
        return (time.perf_counter_ns() - start) / 1e6 / (self.repeats * len(self.calls))


class _Contest:
    """What the child does."""

    def __init__(self, job: dict[str, Any], out: TextIO) -> None:
        self.job = job
        self.out = out
        self.arrays: dict[tuple[Any, ...], Array] = {}
        self.random = np.random.default_rng(0)

    def say(self, **message: object) -> None:
        self.out.write(json.dumps(message) + "\n")
        self.out.flush()

    def announce(self, name: str) -> None:
        """Say what runs next, and let the system end the process if it hangs."""
        self.say(running=name)
        signal.setitimer(signal.ITIMER_REAL, self.job["time_limit"])

    def run(self) -> None:
        entries: list[dict[str, Any]] = self.job["entries"]
        best_ms: float | None = self.job["best_ms"]
        best = self.load(entries.pop(0)) if best_ms is not None else None
        for start in range(0, len(entries), _HEAT):
            heat = [self.load(entry) for entry in entries[start : start + _HEAT]]
            best, best_ms = self.hold_heat(heat, best, best_ms)
        self.say(finished=True)

    def hold_heat(
        self, heat: list[_Runner], best: _Runner | None, best_ms: float | None
    ) -> tuple[_Runner, float]:
        """Measure some programs and the best so far; the best of all of them."""
        live = [best, *heat] if best else list(heat)
        for runner in live:
            runner.samples.clear()
        for number in range(_ROUNDS):
            turn = number % len(live)
            for runner in (*live[turn:], *live[:turn]):
                self.announce(runner.name)
                runner.samples.append(runner.sample())
            if number + 1 == _TRIAL_ROUNDS:
                live = self.drop_hopeless(live, best, best_ms)
        scale = best_ms / best.median if best and best_ms else 1.0
        for runner in live:
            if runner is not best:
                self.tell(runner, Outcome.ok, scale)
        winner = min(live, key=lambda runner: runner.median)
        for runner in {id(r): r for r in live}.values():
            if runner is not winner:
                runner.module.close()
        return winner, winner.median * scale

    def drop_hopeless(
        self, live: list[_Runner], best: _Runner | None, best_ms: float | None
    ) -> list[_Runner]:
        limit = HOPELESS * min(min(runner.samples) for runner in live)
        scale = best_ms / best.median if best and best_ms else 1.0
        kept: list[_Runner] = []
        for runner in live:
            if runner is best or min(runner.samples) <= limit:
                kept.append(runner)
                continue
            self.tell(runner, Outcome.slow, scale)
            runner.module.close()
        return kept

    def tell(self, runner: _Runner, outcome: Outcome, scale: float) -> None:
        ms = max(runner.median * scale, 1e-6)
        self.say(name=runner.name, outcome=outcome.value, ms=ms, runs=runner.runs)

    def load(self, entry: dict[str, Any]) -> _Runner:
        """Load a program, run it once, and find how many calls make a sample."""
        self.announce(entry["name"])
        weights = [_spec(row) for row in entry["weights"]]
        size = sum(spec.bytes for spec in weights)
        copies = min(_MOST_COPIES, max(1, ceil(_WEIGHT_BYTES / size))) if size else 1
        sets = [
            [self.array("weight", n, copy, spec) for n, spec in enumerate(weights)]
            for copy in range(copies)
        ]
        module = NativeModule(
            Path(entry["library"]), sets[0], entry["arena_bytes"], entry["threads"], entry["calls"]
        )
        inputs = [self.array("input", n, 0, _spec(row)) for n, row in enumerate(entry["inputs"])]
        outputs = [self.array("output", n, 0, _spec(row)) for n, row in enumerate(entry["outputs"])]
        inputs_at, outputs_at = _addresses(inputs), _addresses(outputs)
        calls = [module.bind(inputs_at, outputs_at, weights=_addresses(arrays)) for arrays in sets]
        module.run(inputs_at, outputs_at)
        runner = _Runner(entry["name"], module, calls, [inputs, outputs, *sets])
        seconds = min(runner.sample(), runner.sample()) / 1e3 * copies
        wanted = ceil(_SAMPLE_SECONDS / max(seconds, 1e-9))
        runner.repeats = max(1, min(wanted, _MOST_CALLS // copies))
        return runner

    def array(self, role: str, number: int, copy: int, spec: TensorSpec) -> Array:
        """An argument; programs that take the same one share it."""
        key = (role, number, copy, spec.dtype, spec.shape)
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


def _addresses(arrays: Sequence[Array]) -> Any:
    return pointers([array.ctypes.data for array in arrays])


def _spec(row: dict[str, Any]) -> TensorSpec:
    return TensorSpec(row["name"], row["dtype"], tuple(row["shape"]))


def main(arguments: Sequence[str]) -> int:
    """Entry of the child process: the path of the job is its only argument."""
    job: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    contest = _Contest(job, sys.stdout)
    try:
        contest.run()
    except CanaoError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    signal.setitimer(signal.ITIMER_REAL, _START_SECONDS)
    sys.exit(main(sys.argv[1:]))
