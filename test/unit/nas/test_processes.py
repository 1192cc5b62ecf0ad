"""Searches that are killed, and several workers on one study: real processes, real databases."""

from __future__ import annotations

import getpass
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from unit.training.training_support import save_teacher

from canao.nas.study.attributes import INTERRUPTED, KEY, RETRY, RUNGS, TWIN, WORKER, counts
from canao.nas.study.study import open_storage, open_study

TEST = Path(__file__).resolve().parents[2]
SEARCH = "unit.nas.children.search_process"
ROOT = TEST.parent


@dataclass(frozen=True)
class Plan:
    """A search to run in processes."""

    directory: Path
    storage: str
    trials: int
    seconds: float = 0.05
    sampler: str = "canao"
    worker: bool = False
    seed: int = 0
    teacher: Path | None = None
    """With it candidates are trained."""

    @property
    def log(self) -> Path:
        return self.directory / "trained.log"

    def start(self) -> subprocess.Popen[str]:
        values = {
            "storage": self.storage,
            "out": str(self.directory / "out"),
            "log": str(self.log),
            "trials": self.trials,
            "seconds": self.seconds,
            "sampler": self.sampler,
            "worker": self.worker,
            "seed": self.seed,
            "teacher": None if self.teacher is None else str(self.teacher),
        }
        path = os.pathsep.join([str(ROOT), str(TEST)])
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", SEARCH, json.dumps(values)],
            env={
                **os.environ,
                "PYTHONPATH": path,
                "OMP_NUM_THREADS": "1",
                "CANAO_CACHE_DIR": str(self.directory / "cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def study(self) -> optuna.Study:
        return open_study(open_storage(self.storage), "canao", None)[0]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "out").mkdir()
    return Plan(tmp_path, f"sqlite:///{tmp_path / 'study.sqlite'}", trials=10)


def _finished(trials: list[FrozenTrial]) -> dict[int, object]:
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    return {t.number: (t.params, t.values, t.datetime_complete) for t in done}


def _check(plan: Plan, *, interruptions: int) -> list[FrozenTrial]:
    """What holds for a study at its end, whatever happened to its workers."""
    trials = plan.study().get_trials()
    counted = [t for t in trials if counts(t)]
    assert len(counted) == plan.trials
    assert not [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    assert all(t.state is not TrialState.FAIL for t in counted)
    own = Counter(t.user_attrs[KEY] for t in counted if TWIN not in t.user_attrs)
    assert set(own.values()) == {1}
    # A candidate is trained once, and once more for each time that its worker was killed.
    lost = Counter(t.user_attrs.get(KEY) for t in trials if t.user_attrs.get(INTERRUPTED))
    assert sum(lost.values()) <= interruptions
    if plan.teacher is None:
        trained = Counter(line.split()[0] for line in plan.log.read_text().splitlines())
        assert all(trained[key] <= 1 + lost[key] for key in trained)
        assert set(own) <= set(trained)
    assert (plan.directory / "out" / "best" / "found.json").is_file()
    assert (plan.directory / "out" / "report.html").is_file()
    assert not list((plan.directory / "out").glob(".*"))
    return trials


def _end(process: subprocess.Popen[str]) -> None:
    """Wait for a search to end well; the test's own time limit is the only one."""
    try:
        said, _ = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0, said


def _kill_at_random(plan: Plan, times: int, generator: random.Random) -> None:
    """Start the search, kill it somewhere, and see that what had ended stays."""
    known: dict[int, object] = {}
    for _ in range(times):
        process = plan.start()
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(generator.uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert said
        now = _finished(plan.study().get_trials())
        assert known.items() <= now.items()
        known = now


@pytest.mark.parametrize("sampler", ["canao"])
def test_a_killed_search_goes_on(plan: Plan, sampler: str) -> None:
    plan = replace(plan, sampler=sampler)
    _kill_at_random(plan, 1, random.Random(1))
    _end(plan.start())
    _check(plan, interruptions=1)


def test_a_search_stopped_by_hand_goes_on(plan: Plan) -> None:
    plan = replace(plan, trials=4, seconds=0.5)
    process = plan.start()
    assert process.stdout is not None
    while "training" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode
    assert said.strip().endswith("KeyboardInterrupt")
    (lost,) = [t for t in plan.study().get_trials() if t.user_attrs.get(INTERRUPTED)]
    assert lost.state is TrialState.FAIL
    _end(plan.start())
    trials = _check(plan, interruptions=1)
    assert [t.params for t in trials if t.user_attrs.get(RETRY) == lost.number] == [lost.params]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_search_killed_twenty_times(plan: Plan) -> None:
    """Real trainings with a checkpoint every other step: it ends as one that nobody killed."""
    teacher = save_teacher(plan.directory / "teacher")
    plan = replace(plan, trials=30, teacher=teacher)
    _kill_at_random(plan, 20, random.Random(2))
    _end(plan.start())
    trials = _check(plan, interruptions=20)
    assert sum(bool(t.user_attrs.get(INTERRUPTED)) for t in trials) >= 10
    place = plan.directory / "unbroken"
    (place / "out").mkdir(parents=True)
    unbroken = replace(plan, directory=place, storage=f"sqlite:///{place / 'study.sqlite'}")
    _end(unbroken.start())
    assert _outcomes(trials) == _outcomes(unbroken.study().get_trials())
    assert _best_weights(plan) == _best_weights(unbroken)


def _outcomes(trials: list[FrozenTrial]) -> list[tuple[str, TrialState, object]]:
    """What came of each candidate: how far it was trained, and all its accuracies."""
    rows = [t for t in trials if counts(t)]
    return sorted((t.user_attrs[KEY], t.state, t.user_attrs.get(RUNGS)) for t in rows)


def _best_weights(plan: Plan) -> bytes:
    return (plan.directory / "out" / "best" / "model.safetensors").read_bytes()


_PARENT = """
import sys
from canao.nas.isolate import run_in_child
run_in_child("unit.nas.children.sleeping_child", {"mark": sys.argv[1]}, what="it", time_limit=None)
"""


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    path = os.pathsep.join([str(ROOT), str(TEST)])
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(mark)], env={**os.environ, "PYTHONPATH": path}
    )
    while not mark.exists():
        assert parent.poll() is None
        time.sleep(0.05)
    child = psutil.Process(int(mark.read_text()))
    parent.kill()
    parent.wait()
    child.wait(120)


def _run_two(plan: Plan) -> None:
    first = plan.start()
    second = replace(plan, worker=True).start()
    _end(first)
    _end(second)
    trials = _check(plan, interruptions=0)
    workers = Counter(t.user_attrs[WORKER]["pid"] for t in trials if counts(t))
    assert len(workers) == 2, workers


def test_two_workers_share_a_study(plan: Plan) -> None:
    _run_two(replace(plan, trials=16, seconds=0.3, sampler="random"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_share_the_controller(plan: Plan) -> None:
    _run_two(replace(plan, trials=30, seconds=0.3))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_on_postgresql(plan: Plan, postgresql: str) -> None:
    _run_two(replace(plan, trials=30, seconds=0.3, storage=postgresql))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_survivor_takes_over_from_a_killed_worker(plan: Plan) -> None:
    plan = replace(plan, trials=30, seconds=0.5)
    first = plan.start()
    second = replace(plan, worker=True).start()
    assert second.stdout is not None
    while "training" not in second.stdout.readline():
        pass
    second.kill()
    second.communicate()
    _end(first)
    trials = _check(plan, interruptions=1)
    assert sum(bool(t.user_attrs.get(INTERRUPTED)) for t in trials) == 1


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a PostgreSQL database of one's own, on the loopback interface."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    place = str(found[-1]) if found else None
    initdb, server = (shutil.which(name, path=place) for name in ("initdb", "postgres"))
    assert initdb, "this test needs PostgreSQL: apt-get install postgresql"
    assert server
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    home = tmp_path_factory.mktemp("postgresql")
    for path in (home, *home.parents[:3]):
        path.chmod(0o755)
    data = home / "data"
    data.mkdir()
    if user:
        shutil.chown(data, user)
    options = ["-D", str(data), "-U", "canao", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([initdb, *options], check=True, user=user, cwd="/", capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    arguments += ["-c", "unix_socket_directories="]
    process = subprocess.Popen([server, *arguments], user=user, cwd="/", stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"postgresql://canao@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(300):
        assert process.poll() is None, f"PostgreSQL ended at once, run by {getpass.getuser()}"
        try:
            psycopg.connect(f"postgresql://canao@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("PostgreSQL did not start")
