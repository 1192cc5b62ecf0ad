"""Choosing the number of threads, with times that are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from canao.building.cache import Cache
from canao.building.library import Library, build_library
from canao.building.toolchain import Compiler
from canao.errors import ExecutionError
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.memory import aligned
from canao.runtime.module import Array
from canao.tuning.choose_threads import Candidate, best_times, choose_threads, thread_counts

MakeProgram = Callable[..., Program]


@dataclass
class World:
    """Times by what code was made for and how many threads run it."""

    times: Mapping[int, Mapping[int, float]]
    program: MakeProgram
    made: list[int] = field(default_factory=list[int])
    timed: list[tuple[int, tuple[int, ...]]] = field(
        default_factory=list[tuple[int, tuple[int, ...]]]
    )

    def make(self, threads: int) -> Candidate:
        self.made.append(threads)
        library = Library(Path("unit.so"), f"key{threads}", 0.0)
        return Candidate(self.program(threads=threads), library, ())

    def timer(self, candidate: Candidate, counts: Sequence[int]) -> Mapping[int, float]:
        made_for = candidate.program.threads
        self.timed.append((made_for, tuple(counts)))
        return {count: self.times[made_for][count] for count in counts}


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])]
)
def test_counts(cores: int, counts: list[int]) -> None:
    assert thread_counts(cores) == counts


@pytest.mark.parametrize(
    ("times", "chosen", "made_for", "made"),
    [
        pytest.param({4: {1: 4.0, 2: 2.0, 4: 1.0}}, 4, 4, [4], id="all cores"),
        pytest.param(
            {4: {1: 4.0, 2: 2.0, 4: 2.5}, 2: {2: 1.9}}, 2, 2, [4, 2], id="fewer, made for fewer"
        ),
        pytest.param(
            {4: {1: 4.0, 2: 2.0, 4: 1.99}, 2: {2: 2.5}}, 2, 4, [4, 2], id="fewer where equal"
        ),
        pytest.param(
            {4: {1: 1.0, 2: 1.1, 4: 0.9}, 1: {1: 0.8}}, 1, 1, [4, 1], id="one, made for one"
        ),
        pytest.param(
            {4: {1: 1.0, 2: 1.1, 4: 0.9}, 1: {1: 0.99}}, 4, 4, [4, 1], id="all cores after all"
        ),
    ],
)
def test_choice(
    times: Mapping[int, Mapping[int, float]],
    chosen: int,
    made_for: int,
    made: list[int],
    cache: Cache,
    make_program: MakeProgram,
) -> None:
    world = World(times, make_program)
    candidate, choice = choose_threads(world.make, 4, cache, world.timer)
    assert (choice.threads, choice.reason) == (chosen, "measured")
    assert candidate.program.threads == made_for
    assert world.made == made
    assert choice.ms["1"] == times[4][1]
    assert len(choice.ms) == sum(len(row) for row in times.values())

    again = World({}, make_program)
    candidate, remembered = choose_threads(again.make, 4, cache, again.timer)
    assert (remembered.threads, remembered.reason) == (chosen, "measured before")
    assert remembered.ms == choice.ms
    assert candidate.program.threads == made_for
    assert not again.timed


def test_one_core_needs_no_measuring(cache: Cache, make_program: MakeProgram) -> None:
    world = World({}, make_program)
    _, choice = choose_threads(world.make, 1, cache, world.timer)
    assert (choice.threads, choice.reason, world.timed) == (1, "physical cores", [])


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"made_for": 9, "threads": 2, "ms": {}}', '{"made_for": 2}']
)
def test_a_bad_note_is_measured_again(note: str, cache: Cache, make_program: MakeProgram) -> None:
    world = World({2: {1: 2.0, 2: 1.0}}, make_program)
    choose_threads(world.make, 2, cache, world.timer)
    (path,) = (cache.root / "notes").iterdir()
    path.write_text(note)
    choose_threads(world.make, 2, cache, world.timer)
    assert len(world.timed) == 2


def test_the_real_timer(
    cache: Cache, compiler: Compiler, host: Target, make_program: MakeProgram
) -> None:
    def candidate(hook: str) -> Candidate:
        program = make_program(hook)
        library = build_library(program.source, compiler, host, cache)
        weights = [aligned(np.ones(spec.shape, spec.dtype)) for spec in program.weights]
        return Candidate(program, library, weights)

    inputs: list[Array] = [np.ones((33, 16), np.float32), np.ones(4, np.int64)]
    times = best_times(inputs)(candidate(""), [1, 2])
    assert set(times) == {1, 2}
    assert all(time > 0 for time in times.values())
    with pytest.raises(ExecutionError, match="x must not be empty"):
        best_times(inputs)(candidate("if (inputs) return 1;"), [1, 2])
