"""The protocol between the benchmark and a peer's process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from unit.peers.peers_support import fake_case, fake_peer

from canao.errors import PeerError
from canao.peers.catalogue import find_peers
from canao.peers.session import Session


def session(tmp_path: Path, act: str) -> Session:
    peer = fake_peer(tmp_path, act)
    return Session(peer, tmp_path, fake_case(tmp_path), tmp_path / "converted", threads=1)


def test_a_runner_serves(tmp_path: Path) -> None:
    with session(tmp_path, "good") as runner:
        versions = runner.load(60)
        assert versions == {"numpy": np.__version__, "no-such-package": "unknown"}
        seconds = runner.run(3, 60)
        assert len(seconds) == 3
        assert all(s >= 0 for s in seconds)
        (output,) = runner.outputs(60)
        assert output.tolist() == [0, 2, 4, 6]


def test_a_runner_takes_other_inputs(tmp_path: Path) -> None:
    with session(tmp_path, "good") as runner:
        runner.load(60)
        runner.take(fake_case(tmp_path, 6), 60)
        (output,) = runner.outputs(60)
        assert output.tolist() == [0, 2, 4, 6, 8, 10]


def test_a_runner_of_one_shape_refuses_others(tmp_path: Path) -> None:
    with session(tmp_path, "one shape") as runner:
        runner.load(60)
        with pytest.raises(PeerError, match="this model serves one shape"):
            runner.take(fake_case(tmp_path, 6), 60)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("error", "RuntimeError: no such device"),
        ("exit", r"its process ended with status 7 \(the last words\)"),
        ("hang", "no answer within 2 s"),
    ],
)
def test_failures_are_told(tmp_path: Path, act: str, reason: str) -> None:
    with session(tmp_path, act) as runner, pytest.raises(PeerError, match=reason):
        runner.load(2 if act == "hang" else 60)


def test_a_crash_between_requests_is_told(tmp_path: Path) -> None:
    with session(tmp_path, "crash later") as runner:
        runner.load(60)
        with pytest.raises(PeerError, match=r"Crash Later: its process crashed \(SIGABRT\)"):
            runner.run(20, 60)


def test_a_conversion_that_fails_gives_its_first_line(tmp_path: Path) -> None:
    with (
        session(tmp_path, "cannot convert") as runner,
        pytest.raises(PeerError, match=r"ValueError: no such operator$"),
    ):
        runner.convert(60)


def test_no_process_is_left(tmp_path: Path) -> None:
    runner = session(tmp_path, "good")
    runner.load(60)
    number = runner._process.pid if runner._process else 0  # pyright: ignore[reportPrivateUsage]
    assert Path(f"/proc/{number}").exists() or os.name != "posix"
    runner.close()
    runner.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_an_idle_runner_takes_no_processor_time(tmp_path: Path) -> None:
    with session(tmp_path, "good") as runner:
        runner.load(60)
        runner.run(1, 60)
        number = runner._process.pid if runner._process else 0  # pyright: ignore[reportPrivateUsage]
        path = Path(f"/proc/{number}/stat")
        if not path.exists():
            return
        before = _ticks(path)
        time.sleep(0.5)
        assert _ticks(path) - before <= 10


def _ticks(path: Path) -> int:
    fields = path.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_missing_environment_names_the_command(tmp_path: Path) -> None:
    (peer,) = find_peers(["litert"])
    runner = Session(peer, tmp_path, fake_case(tmp_path), tmp_path, threads=1)
    with pytest.raises(PeerError, match="run: canao bench setup litert"):
        runner.load(10)
