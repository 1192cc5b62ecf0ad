from __future__ import annotations

from collections.abc import Callable

import pytest

from canao.building.cache import Cache
from canao.building.library import build_library
from canao.building.toolchain import Compiler
from canao.errors import ExecutionError
from canao.machine.target import Target
from canao.measuring.peak import find_probe
from canao.measuring.quiet import QuietProbe
from canao.program import Program
from canao.tuning.database import Outcome
from canao.tuning.race import Result
from canao.tuning.runner import Entry, RunnerProcess, run_entries

_SLEEP = "for (long long t = canao_nanoseconds(); canao_nanoseconds() - t < 20000000;);"

MakeEntry = Callable[..., Entry]


@pytest.fixture
def entry(
    cache: Cache, compiler: Compiler, host: Target, make_program: Callable[..., Program]
) -> MakeEntry:
    def make(name: str, hook: str = "") -> Entry:
        program = make_program(hook, threads=1)
        return Entry(name, program, build_library(program.source, compiler, host, cache).path)

    return make


def _hold(
    cache: Cache, entries: list[Entry], best: tuple[Entry, float] | None = None
) -> dict[str, Result]:
    results: list[Result] = []
    with RunnerProcess(cache) as process:
        run_entries(entries, process, results.append, best=best, time_limit=10.0)
    assert len({r.name for r in results}) == len(results)
    return {r.name: r for r in results}


def test_all_ends(cache: Cache, entry: MakeEntry) -> None:
    entries = [
        entry("crash", "abort();"),
        entry("one"),
        entry("hang", "for (volatile int n = 0;;) n = 1;"),
        entry("two"),
        entry("slow", _SLEEP),
        entry("exit", "exit(0);"),
        entry("three"),
    ]
    results = _hold(cache, entries)
    assert set(results) == {e.name for e in entries}
    assert results["crash"].reason == "SIGABRT"
    assert results["hang"].outcome is Outcome.timeout
    assert results["slow"].outcome is Outcome.slow
    assert results["exit"].outcome is Outcome.crashed
    measured = [r for r in results.values() if r.cost is not None]
    assert {r.name for r in measured} >= {"one", "two", "three", "slow"}
    assert all(r.runs > 0 for r in measured)


@pytest.mark.parametrize(("best", "quiet"), [(1e-9, 1.0), (1e9, 0.0)])
def test_samples_on_quiet_cores_are_told_apart(
    cache: Cache, entry: MakeEntry, compiler: Compiler, host: Target, best: float, quiet: float
) -> None:
    # Every core is quiet if it issues no more than next to nothing, none if it is to issue more.
    probe = QuietProbe(find_probe(compiler, host, cache).path, best, host.vector_unit.lanes_f32)
    results: list[Result] = []
    with RunnerProcess(cache) as process:
        run_entries([entry("one")], process, results.append, probe=probe, rounds=4, pace=True)
    (result,) = results
    # The best known rate rises with what is seen, so that a quiet core need not stay so.
    assert result.quiet <= quiet
    assert result.cost
    assert result.least
    assert result.median
    assert result.least <= result.median
    assert result.pace_gflops > 0.1


def test_a_failing_call_is_a_crash(cache: Cache, entry: MakeEntry) -> None:
    results = _hold(cache, [entry("refuses", "return 99;"), entry("works")])
    assert results["refuses"].outcome is Outcome.crashed
    assert "error 99" in results["refuses"].reason
    assert results["works"].outcome is Outcome.ok


def test_times_are_relative_to_the_best_so_far(cache: Cache, entry: MakeEntry) -> None:
    # The champion was measured at a thousand seconds: the newcomer's time is told on that scale.
    results = _hold(cache, [entry("new")], (entry("old"), 1e6))
    assert set(results) == {"new"}
    assert (results["new"].cost or 0.0) > 1e4


def test_a_champion_that_crashes_is_left_out(cache: Cache, entry: MakeEntry) -> None:
    results = _hold(cache, [entry("new")], (entry("old", "abort();"), 1.0))
    assert results["new"].outcome is Outcome.ok


def test_what_programs_print_is_ignored(cache: Cache, entry: MakeEntry) -> None:
    noisy = entry("noisy", 'extern int puts(const char *); puts("{}\\n[1]\\n7\\nnothing");')
    assert _hold(cache, [noisy])["noisy"].outcome is Outcome.ok


def test_a_child_that_cannot_start(
    cache: Cache, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with RunnerProcess(cache) as process, pytest.raises(ExecutionError, match="ended early"):
        run_entries([entry("one")], process, lambda result: None)
