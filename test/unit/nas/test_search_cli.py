"""`canao search` and `canao.search` from end to end, on recorded accuracies."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from run_command import run_command
from unit.nas.search_support import SPACE, TableEvaluator, TableMeter, accuracy_of, latency_of

import canao
from canao.errors import DeviceError, SearchError
from canao.nas import search as search_module
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, Sizes
from canao.nas.study.progress import Progress
from canao.nas.study.sampler import SAMPLERS

TINY = SearchSpace(Sizes(1, 2), Sizes(32, 64, 32), Sizes(64, 128, 64))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A recorded task whose name would do harm if it were not escaped."""
    directory = tmp_path / "<script>alert(1)<"
    directory.mkdir()
    table: dict[str, float] = {}
    for blocks, hidden in itertools.product(TINY.blocks.values, TINY.hidden.values):
        for sizes in itertools.product(TINY.intermediate.values, repeat=blocks):
            architecture = Architecture(hidden, hidden // 32, sizes)
            table[architecture.key] = accuracy_of(architecture)
    (directory / "accuracies.json").write_text(json.dumps(table))
    (directory / "space.json").write_text(json.dumps(TINY.to_mapping()))
    return directory


def _meter(*_: object, **__: object) -> TableMeter:
    return TableMeter()


@pytest.mark.slow
def test_a_search_on_the_real_device(
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = ("--task", task, "--trials", 2, "--out", out, "--cache-dir", tmp_path / "cache")
    more = ("--seq", 16, "--finalists", 1, "--budget-ms", 10000, "--json")
    assert run_command(monkeypatch, "search", *arguments, *more) == 0
    found = json.loads(capsys.readouterr().out)
    best = found["best"]
    assert best["values"]["latency_ms"] > 0
    assert best["values"]["peak_bytes"] > 0
    assert best["values"]["flops"] > 0
    kept = json.loads((out / "best" / "found.json").read_text())
    assert kept["architecture"] == best["architecture"]
    assert kept["kernels"][0]["ms"] > 0
    assert Architecture.from_json((out / "best" / "architecture.json").read_text())
    assert "found by canao" in (out / "best" / "README.md").read_text()


def test_the_page_is_whole_and_escaped(
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(search_module, "DeviceLatency", _meter)
    out = tmp_path / "out"
    arguments = ("--task", task, "--trials", 8, "--out", out, "--cache-dir", tmp_path / "cache")
    assert run_command(monkeypatch, "search", *arguments) == 0
    told = capsys.readouterr()
    assert "best: " in told.out
    page = (out / "report.html").read_text()
    assert "<script>alert(1)<" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "&lt;tile&gt; 8x48" in page
    body = page[page.index("<body>") :]
    assert 'src="http' not in body
    for heading in ("Accuracy and latency", "What the controller believes", "Layer by layer"):
        assert heading in body
    before = len(json.loads((out / "best" / "found.json").read_text()))
    # Once more with more trials: the study goes on.
    assert run_command(monkeypatch, "search", *arguments[:3], 10, *arguments[4:], "--json") == 0
    assert json.loads(capsys.readouterr().out)["study"] == "canao"
    assert len(json.loads((out / "best" / "found.json").read_text())) == before
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--task", "nowhere"), 1, "'nowhere' is no known task and no folder"),
        (("--task", "nowhere", "--trials", 0), 2, "--trials"),
        (("--task", "nowhere", "--sampler", "best"), 2, "--sampler"),
        ((), 2, "--task"),
    ],
)
def test_wrong_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[Any, ...],
    status: int,
    message: str,
) -> None:
    assert run_command(monkeypatch, "search", *arguments, "--out", tmp_path / "out") == status
    assert message in capsys.readouterr().err


def test_a_budget_that_nothing_meets(
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(search_module, "DeviceLatency", _meter)
    arguments = ("--task", task, "--trials", 3, "--out", tmp_path / "out", "--budget-ms", 0.01)
    assert run_command(monkeypatch, "search", *arguments, "--cache-dir", tmp_path / "cache") == 1
    assert "no candidate fits the budgets" in capsys.readouterr().err
    assert "No candidate fits" in (tmp_path / "out" / "report.html").read_text()


def _search(out: Path, **values: Any) -> Any:
    given: dict[str, Any] = {"trials": 6, "meter": TableMeter(), "cache_dir": out / "cache"}
    return canao.search(TableEvaluator(), out=out, **given | values)


def test_a_study_belongs_to_what_it_was_started_with(tmp_path: Path) -> None:
    _search(tmp_path, trials=2)
    for values, part in (
        ({"budget_ms": 5.0}, "goal"),
        ({"seed": 7}, "settings"),
        ({"sampler": "random"}, "sampler"),
        ({"space": TINY}, "space"),
        ({"threads": 2}, "device"),
    ):
        with pytest.raises(SearchError, match=f"was started with another {part}"):
            _search(tmp_path, **values)
    assert len(_search(tmp_path, trials=3).study.get_trials()) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trials": 0}, "makes no search"),
        ({"sampler": "best"}, "choose one of canao, tpe, nsgaii, random"),
        ({"storage": "nonsense://x"}, "cannot be opened"),
        ({"storage": "postgresql://me:secret@127.0.0.1:1/x"}, "me:\\*\\*\\*@127.0.0.1"),
    ],
)
def test_bad_arguments(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message) as caught:
        _search(tmp_path, **values)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_searches(tmp_path: Path, sampler: str) -> None:
    result = _search(tmp_path, sampler=sampler)
    assert len(result.study.get_trials()) == 6
    assert result.best is not None
    assert result.pareto
    times = [candidate.execution.latency_ms for candidate in result.pareto]
    values = [candidate.values["accuracy"] for candidate in result.pareto]
    assert times == sorted(times)
    assert values == sorted(values)


def test_time_ends(tmp_path: Path) -> None:
    """No trial is begun after the time, but one is complete; later the study goes on."""
    result = _search(tmp_path, trials=6, time_budget=1e-3)
    assert len(result.study.get_trials()) == 1
    assert result.best is not None
    # One that waits for a worker is left to the next search.
    result.study.enqueue_trial(SPACE.parameters_of(SPACE.smallest))
    assert len(_search(tmp_path, time_budget=1e-3).study.get_trials()) == 2
    told: list[Progress] = []
    result = _search(tmp_path, time_budget=1e9, progress=told.append)
    trials = result.study.get_trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 6
    assert {row.trial for row in told} == {None, 1, 2, 3, 4, 5}
    assert [row.done for row in told] == sorted(row.done for row in told)
    assert all(row.best for row in told if row.done)
    assert all(row.seconds_left is not None and row.seconds_left > 1e8 for row in told)
    with pytest.raises(SearchError, match="leaves no time"):
        _search(tmp_path, time_budget=0.0)


def test_a_budget_that_follows_from_the_teacher(tmp_path: Path) -> None:
    def search(**values: Any) -> Any:
        evaluator = TableEvaluator(reference=SPACE.largest)
        given: dict[str, Any] = {"trials": 8, "meter": TableMeter(), "speedup": 2.0}
        places: dict[str, Any] = {"out": tmp_path / "out", "cache_dir": tmp_path / "cache"}
        return canao.search(evaluator, **places, **given | values)

    found = search().best
    assert found.execution.latency_ms <= latency_of(SPACE.largest) / 2
    # What was settled when the study began holds, though the teacher seems slower now.
    assert search(meter=TableMeter(factor=3.0)).best.number == found.number
    with pytest.raises(SearchError, match=r"another goal \(objectives 1 budget"):
        search(speedup=3.0)
    with pytest.raises(SearchError, match="give one of them"):
        search(budget_ms=1.0)
    with pytest.raises(SearchError, match="no teacher to be faster than"):
        _search(tmp_path / "other", speedup=2.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "cuda"}, "there is no target 'cuda'; choose one of c, opencl"),
        ({"device": "cpu"}, "ask for the target opencl too"),
        ({"target": "opencl", "threads": 2}, "threads=2 has no meaning for OpenCL"),
    ],
)
def test_devices_that_make_no_sense(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        _search(tmp_path, **values)
    assert not (tmp_path / "study.sqlite").exists()


def test_a_missing_device(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no OpenCL device is called 'no such'"):
        _search(tmp_path, target="opencl", device="no such")


def test_a_search_on_opencl(tmp_path: Path) -> None:
    """One candidate compiled for a device and measured there; another device is another study."""
    tiny = SearchSpace(Sizes(1, 1), Sizes(32, 32), Sizes(64, 64))
    given: dict[str, Any] = {"trials": 1, "sequence": 8, "finalists": 1, "meter": None}
    evaluator = TableEvaluator(sizes=tiny)
    out: dict[str, Any] = {"out": tmp_path / "out", "cache_dir": tmp_path / "cache"}
    result = canao.search(evaluator, target="opencl", device="cpu", **out, **given)
    assert result.best is not None
    execution = result.best.execution
    assert (execution.latency_ms or 0) > 0
    assert execution.target == canao.Target.opencl("cpu").title
    assert execution.gpu_utilization is not None
    kept = json.loads((tmp_path / "out" / "best" / "found.json").read_text())
    device = canao.Target.opencl("cpu").device
    assert device is not None
    assert kept["search"]["device"]["device"] == device.name
    with pytest.raises(SearchError, match=r"another device \(target opencl, now c\)"):
        canao.search(evaluator, **out, **given)
