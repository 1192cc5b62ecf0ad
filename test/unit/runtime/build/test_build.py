"""Building, guarding, loading and calling a unit written by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from canao.errors import CacheError, ExecutionError, ToolchainError, VerificationError
from canao.program import Program
from canao.building import library as building
from canao.building.library import Library, build_library
from canao.building.cache import Cache
from canao.building.first_run import try_first_run
from canao.runtime.memory import aligned, is_aligned
from canao.runtime.module import Array, NativeModule, pointers
from canao.measuring.peak import peak_gflops, read_bandwidth
from canao.measuring.quiet import QuietProbe, best_issue_rate
from canao.machine.target import Target
from canao.building.toolchain import Compiler
from canao.runtime.weights import prepare_weights

MakeProgram = Callable[..., Program]

ROWS, COLUMNS = 33, 16
WEIGHTS = {
    "w": np.linspace(-1, 1, COLUMNS, dtype=np.float32),
    "b": np.arange(COLUMNS, dtype=np.float32),
}
X = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
IDS = np.array([1, 2, 3, 40], np.int64)
EXPECTED = (X * WEIGHTS["w"])[::-1] + 2 * WEIGHTS["b"]


def addresses(arrays: Sequence[Array]):
    return pointers([array.ctypes.data for array in arrays])


def load(library: Library, program: Program, threads: int = 2) -> NativeModule:
    weights = prepare_weights(program, WEIGHTS)
    calls = len(program.calls)
    return NativeModule(library.path, weights, program.arena_bytes, threads, calls)


def check(module: NativeModule) -> None:
    outputs = [np.zeros((ROWS, COLUMNS), np.float32), np.zeros(1, np.int64)]
    module.run(addresses([X, IDS]), addresses(outputs))
    np.testing.assert_allclose(outputs[0], EXPECTED, rtol=1e-6)
    assert outputs[1][0] == 46


@pytest.fixture
def library(cache: Cache, compiler: Compiler, host: Target, make_program: MakeProgram) -> Library:
    return build_library(make_program().source, compiler, host, cache)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_run_and_profile(library: Library, threads: int, make_program: MakeProgram) -> None:
    module = load(library, make_program(), threads)
    check(module)
    outputs = [np.zeros((ROWS, COLUMNS), np.float32), np.zeros(1, np.int64)]
    seconds = module.profile(addresses([X, IDS]), addresses(outputs))
    assert seconds.shape == (2,)
    assert (seconds > 0).all()
    module.close()


def test_threads_share_a_module(library: Library, make_program: MakeProgram) -> None:
    module = load(library, make_program())
    failures: list[AssertionError] = []

    def call() -> None:
        try:
            for _ in range(30):
                check(module)
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_forked_child_can_call(library: Library, make_program: MakeProgram) -> None:
    module = load(library, make_program())
    check(module)
    child = os.fork()
    if child == 0:
        try:
            check(module)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    check(module)


def test_equal_source_is_compiled_once(
    cache: Cache,
    compiler: Compiler,
    host: Target,
    monkeypatch: pytest.MonkeyPatch,
    make_program: MakeProgram,
) -> None:
    source = make_program().source
    first: list[Library] = []
    run, runs = building.run_compiler, 0

    def counted(command: list[str], room: Path):
        nonlocal runs
        runs += 1
        return run(command, room)

    monkeypatch.setattr(building, "run_compiler", counted)
    threads = [
        threading.Thread(target=lambda: first.append(build_library(source, compiler, host, cache)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == 1
    assert len({library.path for library in first}) == 1
    other = Target(host.triple, host.features, "another processor")
    assert building.library_key(source, compiler, other) != first[0].key


def test_a_corrupted_library_is_rebuilt(
    cache: Cache, compiler: Compiler, host: Target, library: Library, make_program: MakeProgram
) -> None:
    content = library.path.read_bytes()
    library.path.unlink()  # it may be loaded: its pages must stay as they are
    library.path.write_bytes(b"not a library" + content[13:])
    again = build_library(make_program().source, compiler, host, cache)
    assert again.seconds > 0
    check(load(again, make_program()))


def test_refused_code_shows_what_the_compiler_said(
    cache: Cache, compiler: Compiler, host: Target
) -> None:
    with pytest.raises(ToolchainError, match=r"unit\.c:1:.*error") as caught:
        build_library("int f(void) { return undeclared; }\n", compiler, host, cache)
    assert str(cache.root) not in str(caught.value).partition("it said")[2]


def test_a_full_disk(cache: Cache, host: Target, compiler: Compiler, tmp_path: Path) -> None:
    fake = tmp_path / "cc"
    fake.write_text("#!/bin/sh\necho 'unit.o: No space left on device' >&2\nexit 1\n")
    fake.chmod(0o755)
    full = Compiler((str(fake),), compiler.kind, compiler.version)
    with pytest.raises(CacheError, match="no space is left for the cache directory"):
        build_library("int x;\n", full, host, cache)


def test_a_library_without_the_functions(
    cache: Cache, compiler: Compiler, host: Target, make_program: MakeProgram
) -> None:
    library = build_library("int x;\n", compiler, host, cache)
    with pytest.raises(ToolchainError, match="canao_open"):
        load(library, make_program())


def test_an_error_status(
    cache: Cache, compiler: Compiler, host: Target, make_program: MakeProgram
) -> None:
    program = make_program(hook="return ENOMEM;")
    library = build_library(program.source, compiler, host, cache)
    with pytest.raises(ExecutionError, match="Cannot allocate memory"):
        check(load(library, program))
    with pytest.raises(ExecutionError, match="Cannot allocate memory"):
        try_first_run(library, program, cache)


def test_too_many_threads(
    cache: Cache, compiler: Compiler, host: Target, make_program: MakeProgram
) -> None:
    source = make_program().source.replace(
        "int canao_open(int threads, void **handle) {",
        "int canao_open(int threads, void **handle) {\n  if (threads == 7) return EAGAIN;",
    )
    library = build_library(source, compiler, host, cache)
    with pytest.raises(ExecutionError, match="7 threads"):
        load(library, make_program(), threads=7)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("*(volatile int *)8 = 1;", "crashed in its first run .SIGSEGV"),
        ("abort();", "SIGABRT"),
        ("exit(5);", "status 5"),
    ],
)
def test_the_guard_catches_crashes(
    cache: Cache,
    compiler: Compiler,
    host: Target,
    hook: str,
    message: str,
    make_program: MakeProgram,
) -> None:
    program = make_program(hook)
    library = build_library(program.source, compiler, host, cache)
    with pytest.raises(ExecutionError, match=message):
        try_first_run(library, program, cache)


def test_the_guard_stops_a_hang(
    cache: Cache, compiler: Compiler, host: Target, make_program: MakeProgram
) -> None:
    program = make_program("for (volatile int on = 1; on;) {}")
    library = build_library(program.source, compiler, host, cache)
    with pytest.raises(ExecutionError, match="within 1 s"):
        try_first_run(library, program, cache, time_limit=1.0)


def test_the_guard_runs_new_code_once(
    cache: Cache, library: Library, make_program: MakeProgram
) -> None:
    assert try_first_run(library, make_program(), cache)
    assert not try_first_run(library, make_program(), cache)


def test_the_peak_never_falls(cache: Cache, compiler: Compiler, host: Target) -> None:
    peak = peak_gflops(compiler, host, cache, 1)
    assert peak > 0.1
    assert peak_gflops(compiler, host, cache, 1) >= peak
    bandwidth = read_bandwidth(compiler, host, cache, 1)
    assert bandwidth > 0.1
    assert read_bandwidth(compiler, host, cache, 1) >= bandwidth


def test_cores_are_quiet_or_not(compiler: Compiler, host: Target, cache: Cache) -> None:
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    probe = QuietProbe.of(compiler, host, cache)
    assert probe.best >= best_issue_rate(compiler, host, cache) * 0.5 > 0.05
    assert not QuietProbe(probe.library, 1e9, probe.lanes).are_quiet()
    assert not QuietProbe(probe.library, 1e9, probe.lanes).is_quiet(2)
    assert allowed is None or os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("writable", [True, False])
def test_prepared_weights_share_memory_that_nobody_writes_to(
    make_program: MakeProgram, writable: bool
) -> None:
    table = aligned(WEIGHTS["w"].copy())
    table.flags.writeable = writable
    prepared = prepare_weights(make_program(), {**WEIGHTS, "w": table})
    assert np.shares_memory(prepared[0], table) is not writable
    np.testing.assert_array_equal(prepared[0], table)
    np.testing.assert_array_equal(prepared[1], 2 * WEIGHTS["b"])
    assert all(is_aligned(array) for array in prepared)


def test_weights_of_another_shape_are_refused(make_program: MakeProgram) -> None:
    with pytest.raises(VerificationError, match="'w'"):
        prepare_weights(make_program(), {**WEIGHTS, "w": np.ones(3, np.float32)})
