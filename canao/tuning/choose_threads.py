"""Choosing the number of threads by measurement: more of them are not always faster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil

import numpy as np

from canao.building.cache import Cache, digest
from canao.building.library import Library
from canao.building.ready import Module, open_program
from canao.machine.target import Target
from canao.measuring.measure import interleave
from canao.program import Program
from canao.runtime.memory import aligned_empty
from canao.runtime.module import Array, addresses

ASKED = "asked for"
CORES = "physical cores"
UNITS = "compute units of the device"
TABLE = "usual for the target"
MOST = "what the device measures"
MEASURED = "measured"
REMEMBERED = "measured before"

_TIE = 0.97
"""A larger number of threads must take less than this part of the time of a smaller one."""
_DOUBTFUL = 0.8
"""If all threads take more than this part of the time of one, code made for one is tried too."""
_SECONDS = 1.0
"""The time of a comparison, roughly."""
_FEWEST, _MOST = 5, 100
"""Rounds of a comparison."""
_PAUSE = 300e-6
"""Seconds until the idle threads of another pool sleep."""


@dataclass(frozen=True)
class ThreadChoice:
    """How many threads run a model, and why."""

    threads: int
    reason: str = ASKED
    """"asked for", "physical cores", "measured", "measured before"; where the driver has the
    threads, "compute units of the device"; for another machine, "usual for the target" or
    "what the device measures"."""
    ms: Mapping[str, float] = field(default_factory=dict[str, float])
    """What was measured: the best time in milliseconds by number of threads, and of
    "1 (made for 1)" where code made for another number was tried too."""

    def __str__(self) -> str:
        times = ", ".join(f"{name}: {ms:.3f} ms" for name, ms in self.ms.items())
        return f"{self.threads}, {self.reason}" + (f" ({times})" if times else "")


@dataclass(frozen=True)
class Candidate:
    """A program made for `program.threads` threads, with its library and weights."""

    program: Program
    library: Library
    weights: Sequence[Array]
    target: Target = field(default_factory=Target.host)

    def module(self, threads: int) -> Module:
        """The program loaded, to run with this many threads."""
        return open_program(self.program, self.library.path, self.weights, self.target, threads)


Timer = Callable[[Candidate, Sequence[int]], Mapping[int, float]]
"""Gives the best time in milliseconds of a candidate for each number of threads."""


def thread_counts(cores: int) -> list[int]:
    """The powers of two below `cores`, and `cores`."""
    return [*(2**n for n in range((cores - 1).bit_length())), cores]


def choose_threads(
    make: Callable[[int], Candidate], cores: int, cache: Cache, timer: Timer
) -> tuple[Candidate, ThreadChoice]:
    """The fastest number of threads up to `cores` and the candidate to run with it.

    `make` compiles for a number of threads. Code made for all cores also runs with
    fewer threads; what is best for few of them is compiled only if it may win. The
    answer is remembered for the library, the processor and the number of cores.
    """
    widest = make(cores)
    if cores == 1:
        return widest, ThreadChoice(1, CORES)
    key = digest("threads", widest.library.key, Target.host().cpu, str(cores))
    known = _parsed(cache.note(key), cores)
    if known:
        made_for, choice = known
        return (widest if made_for == cores else make(made_for)), choice
    best, choice = _measure(make, widest, cores, timer)
    note = {"made_for": best.program.threads, **asdict(choice)}
    cache.set_note(key, json.dumps(note))
    return best, choice


def _measure(
    make: Callable[[int], Candidate], widest: Candidate, cores: int, timer: Timer
) -> tuple[Candidate, ThreadChoice]:
    times = dict(timer(widest, thread_counts(cores)))
    threads = _fastest(times)
    ms = {str(count): time for count, time in times.items()}
    other = threads if threads < cores else 1
    if threads == cores and times[cores] <= _DOUBTFUL * times[1]:
        return widest, ThreadChoice(threads, MEASURED, ms)
    fitted = make(other)
    time = timer(fitted, [other])[other]
    ms[f"{other} (made for {other})"] = time
    if time * _TIE <= times[threads]:
        return fitted, ThreadChoice(other, MEASURED, ms)
    return widest, ThreadChoice(threads, MEASURED, ms)


def _fastest(times: Mapping[int, float]) -> int:
    """The number of threads with the lowest time; fewer ones win where it is as good as equal."""
    best = min(times)
    for count in sorted(times):
        if times[count] < _TIE * times[best]:
            best = count
    return best


def _parsed(note: str | None, cores: int) -> tuple[int, ThreadChoice] | None:
    """What a note says; None if there is none that makes sense."""
    try:
        data = json.loads(note or "")
        made_for, threads = int(data["made_for"]), int(data["threads"])
        ms = {str(name): float(time) for name, time in data["ms"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not 1 <= threads <= made_for <= cores:
        return None
    return made_for, ThreadChoice(threads, REMEMBERED, ms)


def best_times(examples: Sequence[Array]) -> Timer:
    """A timer that runs a candidate on `examples` with each number of threads in turn.

    The best of many rounds says what the machine can do: what else runs on it falls on
    more threads harder, and is not what the choice should remember.
    """

    def timer(candidate: Candidate, counts: Sequence[int]) -> Mapping[int, float]:
        outputs = [aligned_empty(spec.shape, spec.dtype) for spec in candidate.program.outputs]
        places = addresses(examples), addresses(outputs)
        modules = {count: candidate.module(count) for count in counts}
        try:
            modules[counts[0]].run(*places)  # a failed check is an error here, not a time
            calls = {str(count): module.bind(*places) for count, module in modules.items()}
            trial = interleave(calls, rounds=1, warmup=1, pause_seconds=_PAUSE)
            rounds = ceil(_SECONDS * 1e3 / max(sum(times[0] for times in trial.values()), 1e-3))
            rounds = min(max(rounds, _FEWEST), _MOST)
            samples = interleave(calls, rounds=rounds, warmup=1, pause_seconds=_PAUSE)
        finally:
            for module in modules.values():
                module.close()
        return {count: float(np.min(samples[str(count)])) for count in counts}

    return timer
