"""Interleaved rounds and the rows that come of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.peers.peers_support import fake_case, fake_peer

from canao.errors import PeerError
from canao.peers.catalogue import Peer, find_peers
from canao.peers.compare import (
    Plan,
    Watch,
    check_installed,
    compare_case,
    converted_directory,
    largest_difference,
)
from canao.peers.comparison import Row, Workload, with_peak_fractions


def rows(
    tmp_path: Path, peers: list[Peer], quiet: bool = True, **settings: float
) -> dict[str, Row]:
    plan = Plan([], peers, [1], rounds=3, burst=2, warmup=1, rest=0.0, **settings)  # pyright: ignore[reportArgumentType]
    watch = Watch(lambda: 50.0, lambda: quiet)
    found = compare_case(plan, fake_case(tmp_path), 1, tmp_path, lambda stage: None, watch)
    return {row.peer: row for row in found}


def test_good_peers_have_times(tmp_path: Path) -> None:
    found = rows(tmp_path, [fake_peer(tmp_path, "good", "canao"), fake_peer(tmp_path, "good")])
    canao, other = found["canao"], found["good"]
    assert canao.runs == other.runs == 6
    assert canao.over_canao == 1.0
    assert other.median_ms
    assert other.min_ms
    assert canao.median_ms
    assert other.over_canao == other.median_ms / canao.median_ms
    assert other.min_ms <= other.median_ms
    assert other.max_difference == 0.0
    (told,) = with_peak_fractions([other], [Workload("double", 2_000_000, "none")], {1: 100.0})
    assert told.peak_fraction == pytest.approx(2.0 / other.median_ms / 100)
    assert told.pace_gflops == 50.0
    assert told.pace_fraction == pytest.approx(2.0 / other.median_ms / 50)
    assert other.versions["numpy"] == np.__version__
    assert (other.quiet_ms, other.quiet_runs) == (other.median_ms, 6)
    assert told.quiet_pace_fraction == told.pace_fraction
    assert other.quiet_over_canao == other.over_canao


def test_runs_on_shared_cores_are_told_apart(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, [fake_peer(tmp_path, "good", "canao")], quiet=False).values()
    assert row.median_ms
    assert (row.quiet_ms, row.quiet_runs, row.quiet_over_canao) == (None, 0, None)
    (told,) = with_peak_fractions([row], [Workload("double", 2_000_000, "none")], {1: 100.0})
    assert told.quiet_pace_fraction is None


def test_the_others_go_on_when_one_fails(tmp_path: Path) -> None:
    acts = ("good", "wrong", "nan", "no outputs", "error", "cannot convert", "crash later")
    found = rows(tmp_path, [fake_peer(tmp_path, act) for act in acts])
    assert found["good"].median_ms
    failed = {name: row.failure for name, row in found.items() if row.failure}
    assert set(failed) == set(acts) - {"good"}
    assert all(found[name].median_ms is None for name in failed)
    assert "wrong outputs" in failed["wrong"]
    assert "5.0e-01" in failed["wrong"]
    assert "wrong outputs" in failed["nan"]
    assert "wrong outputs" in failed["no outputs"]
    assert "no such device" in failed["error"]
    assert "SIGABRT" in failed["crash later"]


def test_slow_peers_run_less_often(tmp_path: Path) -> None:
    plan = Plan([], [], [1], rounds=20, burst=4, turn_seconds=2.0)
    assert plan.share(0.1) == (4, 20)
    assert plan.share(0.9) == (2, 20)
    assert plan.share(1.5) == (1, 20)
    assert plan.share(3.0) == (1, 3)
    assert replace(plan, rounds=2).share(3.0) == (1, 2)
    found = rows(tmp_path, [fake_peer(tmp_path, "good")], turn_seconds=0.0)
    assert found["good"].runs == 3


def test_a_peer_that_hangs_has_a_time_limit(tmp_path: Path) -> None:
    found = rows(tmp_path, [fake_peer(tmp_path, "hang")], load_limit=2.0)
    assert "no answer within 2 s" in found["hang"].failure


def test_conversions_are_kept(tmp_path: Path) -> None:
    peer, case = fake_peer(tmp_path, "not converted"), fake_case(tmp_path / "a")
    where = converted_directory(peer, case, 1, tmp_path)
    plan = Plan([], [peer], [1], rounds=1, rest=0.0)
    compare_case(plan, case, 1, tmp_path, lambda stage: None)
    (where / "kept").touch()
    compare_case(plan, case, 1, tmp_path, lambda stage: None)
    assert (where / "kept").exists()
    fresh = replace(plan, peers=[replace(peer, cached=False)])
    compare_case(fresh, case, 1, tmp_path, lambda stage: None)
    assert not (where / "kept").exists()
    assert (where / "made").exists()


def test_conversions_are_told_apart(tmp_path: Path) -> None:
    peer, case = fake_peer(tmp_path, "good"), fake_case(tmp_path)
    paths = {
        converted_directory(peer, case, 1, tmp_path),
        converted_directory(peer, case, 2, tmp_path),
        converted_directory(replace(peer, options={"act": "x"}), case, 1, tmp_path),
        converted_directory(replace(peer, for_threads=True), case, 1, tmp_path),
        converted_directory(replace(peer, for_threads=True), case, 2, tmp_path),
        converted_directory(replace(peer, any_shape=True), case, 1, tmp_path),
    }
    assert len(paths) == 5


def test_all_missing_environments_are_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="canao bench setup onnxruntime"):
        check_installed(find_peers(["canao", "onnxruntime"]), tmp_path)
    check_installed(find_peers(["canao", "canao-unfused"]), tmp_path)


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        ([np.ones((2, 2))], (0.0, 0.0)),
        ([np.ones((2, 2)) + 0.25], (0.25, 0.25)),
        ([np.ones((2, 2)) * np.nan], (np.inf, np.inf)),
        ([np.ones((2, 3))], (np.inf, np.inf)),
        ([], (np.inf, np.inf)),
    ],
)
def test_differences(found: list[np.ndarray], difference: tuple[float, float]) -> None:  # pyright: ignore[reportMissingTypeArgument]
    assert largest_difference([np.ones((2, 2))], found) == difference
