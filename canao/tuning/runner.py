"""Programs that compute the same measured against each other in a child process.

The child (`canao.tuning.runner_child`) loads the libraries, compares what
they compute, and runs them in turn, round after round, so that a neighbour's
noise falls on all alike. It says on its standard output what it is about to
run: when a program crashes or hangs, the child ends, that program is marked,
and another child measures the rest. A timer of the system ends a child that
hangs, whatever the code does.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from canao.building.cache import Cache
from canao.building.first_run import child_environment
from canao.errors import ExecutionError
from canao.machine.device_record import OpenCLDevice
from canao.measuring.quiet import QuietProbe
from canao.program import Program
from canao.runtime.opencl.job import Job
from canao.tuning.database import Outcome
from canao.tuning.race import Failure, OnResult, Result

TIME_LIMIT = 30.0
"""Seconds that one sample may take, the making of its inputs included."""
ROUNDS = 9
"""Samples of each entry."""
_END_SECONDS = 10.0
"""Time that a child with nothing to do may take to end."""


@dataclass(frozen=True)
class Entry:
    """A built program that takes part, under a name of its own."""

    name: str
    program: Program
    library: Path
    """The library, or the text if it is for an OpenCL device."""
    device: OpenCLDevice | None = None
    sizes: tuple[int, ...] = ()
    """The values of the program's symbols with which it is measured, if it has some."""

    @property
    def shapes(self) -> list[list[int]]:
        """The shapes of its outputs with these sizes."""
        names = (symbol.name for symbol in self.program.symbols)
        sizes = dict(zip(names, self.sizes, strict=True))
        return [list(spec.shape_at(sizes)) for spec in self.program.outputs]


class RunnerProcess:
    """A child process that measures entries, one job after another.

    It starts with the first job, or before that by `start`, and again
    after a program ended it.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self._child: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    def __enter__(self) -> RunnerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> subprocess.Popen[str]:
        """The running child."""
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        try:
            errors = tempfile.TemporaryFile("w+", dir=self.cache.root / "new", errors="replace")  # noqa: SIM115
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "canao.tuning.runner_child"],
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise self.cache.error(error) from error
        self._child, self._errors = child, errors
        return child

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        errors, self._errors = self._errors, None
        if child is not None:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdout.close()
            try:
                child.stdin.close()
                child.wait(_END_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                child.kill()
                child.wait()
        if errors is not None:
            errors.close()

    def do(self, job: dict[str, Any], on_message: Callable[[dict[str, Any]], None]) -> str | None:
        """Have the child do one job; None, or how it ended before the job was done."""
        child = self.start()
        assert child.stdin is not None
        assert child.stdout is not None
        finished = False
        try:
            child.stdin.write(json.dumps(job) + "\n")
            child.stdin.flush()
            for message in filter(None, map(_message, child.stdout)):
                if "finished" in message:
                    finished = True
                    break
                on_message(message)
        except BrokenPipeError:
            pass
        except BaseException:
            child.kill()
            raise
        return None if finished else self._explain(child)

    def _explain(self, child: subprocess.Popen[str]) -> str:
        """Why a child ended; emitted code could end it with status 0 too."""
        status = child.wait()
        assert self._errors is not None
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        if status == -signal.SIGALRM:
            return _HUNG
        if status < 0:
            names = {known.value: known.name for known in signal.Signals}
            return names.get(-status, f"signal {-status}")
        return lines[-1] if lines else f"it ended the process with status {status}"


_HUNG = "it did not end within the time limit"


def _message(line: str) -> dict[str, Any] | None:
    """What a line says; None for one that emitted code wrote."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def run_entries(
    entries: Sequence[Entry],
    process: RunnerProcess,
    on_result: OnResult,
    *,
    best: tuple[Entry, float] | None = None,
    reference: Entry | None = None,
    probe: QuietProbe | None = None,
    rounds: int = ROUNDS,
    pace: bool = False,
    time_limit: float = TIME_LIMIT,
) -> None:
    """Measure `entries` and tell `on_result` of each as soon as it is known.

    `best` is the fastest entry measured before with its milliseconds. It
    runs along, and all times are scaled by how it runs now: a machine that is
    busier today does not favour what was measured yesterday. An entry that
    computes something else than `reference` (or than the first that runs) is
    not measured: its outcome is `wrong`. With a `probe`, what runs while the cores
    are shared with something else counts only where hardly anything else does, and
    `pace` has the rate of multiply-adds alone measured in each of the `rounds`.
    """
    left = {entry.name: entry for entry in entries}
    incumbent, standard = best, reference
    # One job at a time: two would measure each other.
    with process.cache.lock("measuring"):
        while left:
            running = ""

            def took(result: Result) -> None:
                nonlocal incumbent
                entry = left.pop(result.name, None)
                if entry is None:
                    return
                if result.outcome is Outcome.ok:
                    rivals = [incumbent, (entry, result.cost or 0.0)]
                    incumbent = min(filter(None, rivals), key=lambda rival: rival[1])
                on_result(result)

            def hear(message: dict[str, Any]) -> None:
                nonlocal running
                running = message.get("running", running)
                if "outcome" in message:
                    message["outcome"] = Outcome(message["outcome"])
                    took(Result(**message))

            job = _job(list(left.values()), incumbent, standard, time_limit)
            job |= {"probe": _job_probe(probe), "rounds": rounds, "pace": pace}
            reason = process.do(job, hear)
            if reason is None:
                return
            known = [e for e in (standard, incumbent and incumbent[0]) if e is not None]
            if running in left:
                outcome = Outcome.timeout if reason == _HUNG else Outcome.crashed
                took(Failure(outcome, reason).of(running))
            elif all(running != entry.name for entry in known):
                raise ExecutionError(
                    f"the process that measures schedules ended early ({reason}); "
                    "compile with tune='off', or report the model"
                )
            # What ended the process is not run again.
            standard = None if standard is None or standard.name == running else standard
            incumbent = None if incumbent is None or incumbent[0].name == running else incumbent


def _job(
    entries: Sequence[Entry],
    best: tuple[Entry, float] | None,
    reference: Entry | None,
    time_limit: float,
) -> dict[str, Any]:
    return {
        "entries": [_job_entry(entry) for entry in entries],
        "best": _job_entry(best[0]) if best else None,
        "best_ms": best[1] if best else None,
        "reference": _job_entry(reference) if reference else None,
        "time_limit": time_limit,
    }


def _job_probe(probe: QuietProbe | None) -> dict[str, Any] | None:
    if probe is None:
        return None
    return {"library": str(probe.library), "best": probe.best, "lanes": probe.lanes}


def _job_entry(entry: Entry) -> dict[str, Any]:
    program = entry.program
    return {
        "sizes": list(entry.sizes),
        "shapes": entry.shapes,
        "name": entry.name,
        "library": str(entry.library),
        "threads": program.threads,
        "arena_bytes": program.arena_bytes,
        "calls": len(program.calls),
        "inputs": [spec.in_memory() for spec in program.inputs],
        "outputs": [spec.in_memory() for spec in program.outputs],
        "weights": [spec.in_memory() for spec in program.weights],
        "prepare": program.prepare,
        "opencl": None if entry.device is None else Job.of(program, entry.device).to_json(),
    }
