"""Tuning by devices: what is measured, remembered and left out. What is faster decides no test."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from run_command import run_command
from torch import nn
from unit.devices.adb_server import Phone, adb_server
from unit.devices.conftest import cut_when, ssh_server
from unit.runtime.tuning.tuning_support import (
    CRASH,
    ELEMENTWISE,
    HANG,
    VARYING,
    WRONG,
    new_tuner,
    only_record,
    spoil,
    tune,
)

import canao
from canao.building.cache import Cache
from canao.building.toolchain import all_compilers
from canao.devices.device import Limits
from canao.devices.shell_device import ShellDevice
from canao.devices.specs import open_device
from canao.devices.ssh import SshShell
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.schedule import Schedule
from canao.machine.target import Target
from canao.program import Counts, Program, TensorSpec
from canao.tuning import tuner as tuner_module
from canao.tuning.database import Database, Outcome
from canao.tuning.places.candidate import main_text
from canao.tuning.places.on_device import OnDevice
from canao.tuning.question import candidates_of
from canao.tuning.validate import Standing, validate

NATIVE = Target.host().architecture
SMALL = """
func.func @main(%x: tensor<32x48xf32>) -> tensor<32x48xf32> {
  %w = canao.weight "w" : tensor<48x48xf32>
  %p = canao.matmul %x, %w : (tensor<32x48xf32>, tensor<48x48xf32>) -> tensor<32x48xf32>
  func.return %p : tensor<32x48xf32>
}
"""
X = torch.linspace(-1, 1, 16 * 32).reshape(16, 32)


@pytest.fixture
def _small_layers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have layers measured that run too short to be worth it."""
    monkeypatch.setattr(tuner_module, "_WORTH_SECONDS", 0.0)


def _two_products() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 48), nn.GELU(), nn.Linear(48, 32)).eval()


def _distinct(task: LayerTask) -> list[Schedule]:
    """Three schedules with code of their own."""
    base = variants(task, 1)[0]
    return [replace(base, band=(n, *base.band[1:])) for n in (4, 8, 16)]


@pytest.mark.usefixtures("_small_layers_count")
def test_a_model_is_tuned_on_an_emulated_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _two_products()

    def compiled(tune: canao.api.Tune) -> canao.CompiledModel:
        return canao.compile(model, (X,), device="qemu:aarch64", tune=tune, cache_dir=tmp_path)

    usual, tuned = compiled("off"), compiled("default")
    assert tuned.build.target == Target("aarch64-linux-musl")
    assert str(tuned.thread_choice) == "1, what the device measures"
    with closing(Database(Cache(tmp_path))) as database:
        records = database.records()
    assert len(records) == len(tuned.program.kernels) == 2
    for record, kernel in zip(records, tuned.program.kernels, strict=True):
        assert (record.key.device, record.key.unit) == ("qemu:aarch64", "instructions")
        assert "qemu-aarch64" in record.key.cpu
        assert record.key.triple == "aarch64-linux-musl"
        assert record.best is not None
        assert record.best.name == kernel.variant
        costs = [m.cost for m in record.measurements if m.outcome is Outcome.ok]
        assert len(costs) > 1
        assert record.best.cost == pytest.approx(min(filter(None, costs)), abs=500)
    found, before = (one.measure(device="qemu:aarch64") for one in (tuned, usual))
    assert found.figure.cost <= before.figure.cost + 500
    assert (found.results - model(X)).abs().max() < 1e-5

    def refuse(self: OnDevice, *args: object, **options: object) -> None:
        raise AssertionError("something was measured again")

    monkeypatch.setattr(OnDevice, "measure", refuse)
    assert compiled("default").source == tuned.source


@pytest.mark.usefixtures("_small_layers_count")
def test_a_device_is_asked_what_this_machine_is_asked(cache: Cache) -> None:
    """Another tuner of the same device measures nothing; one for this machine has its own."""
    device = open_device("local", cache)
    with closing(new_tuner(cache, device=device)) as there:
        program = tune(there, SMALL)
        (mine,) = there.database.records()
        assert there.measured > 1
    with closing(new_tuner(cache, device=device)) as again:
        assert tune(again, SMALL).source == program.source
        assert again.measured == 0
        (verdict,) = validate(again)
        assert verdict.standing in (Standing.sound, Standing.drifted)
    with closing(new_tuner(cache)) as here:
        tune(here, SMALL)
        _, other = here.database.records()
        assert next(iter(validate(here))).standing is Standing.elsewhere
    assert (mine.key.device, other.key.device) == ("local", "")
    assert mine.key.unit == other.key.unit == "ms"
    assert (mine.key.layer, mine.module) == (other.key.layer, other.module)
    names = [{m.schedule for m in record.measurements} for record in (mine, other)]
    assert names[0] == names[1]


@pytest.mark.usefixtures("_small_layers_count")
@pytest.mark.parametrize("spec", ["local", f"qemu:{NATIVE}"])
def test_the_same_code_is_measured_once(cache: Cache, spec: str) -> None:
    """A layer without a packed weight has none to fetch: both schedules are the same loops."""

    def twins(task: LayerTask) -> list[Schedule]:
        base = variants(task, 1)[0]
        return [base, replace(base, stages=(replace(base.stages[0], prefetch=192),))]

    with closing(new_tuner(cache, candidates=twins, device=open_device(spec, cache))) as tuner:
        tune(tuner, ELEMENTWISE)
        outcomes = {m.outcome for m in only_record(tuner).measurements}
        assert outcomes == {Outcome.ok, Outcome.duplicate}
        assert tuner.measured == 1


@pytest.mark.parametrize(
    ("hook", "outcome", "reason"),
    [
        (CRASH, Outcome.crashed, "crashed (SIGSEGV)"),
        (HANG, Outcome.timeout, "did not end within 2 s and was stopped"),
        (WRONG, Outcome.wrong, "1 of 196608 elements of output 0 are wrong: [2, 9] is"),
        ("return 99;", Outcome.crashed, "the layer ended with error 99"),
    ],
    ids=["crash", "hang", "wrong", "error"],
)
def test_a_bad_program_is_left_out(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, hook: str, outcome: Outcome, reason: str
) -> None:
    device = open_device("local", cache, Limits(seconds=2))
    bad: list[str] = []
    with closing(
        new_tuner(cache, candidates=_second_has(hook, bad, monkeypatch), device=device)
    ) as tuner:
        program = tune(tuner, ELEMENTWISE)
        measured = {m.name: m for m in only_record(tuner).measurements}
    found = measured.pop(bad[0])
    assert found.outcome is outcome
    assert reason in found.reason
    assert "\n" not in found.reason
    assert program.kernels[0].variant in measured
    assert all(m.outcome in (Outcome.ok, Outcome.slow) for m in measured.values())


def _second_has(
    hook: str, bad: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[LayerTask], list[Schedule]]:
    """Candidates of which the second has C text at the start of its program."""

    def candidates(task: LayerTask) -> list[Schedule]:
        found = _distinct(task)
        bad.append(found[1].name)
        spoil(monkeypatch, {found[1].name: hook})
        return found

    return candidates


@pytest.mark.usefixtures("_small_layers_count")
def test_a_program_that_crashes_under_an_emulator(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, bad = open_device(f"qemu:{NATIVE}", cache), list[str]()
    with closing(
        new_tuner(cache, candidates=_second_has(CRASH, bad, monkeypatch), device=device)
    ) as tuner:
        tune(tuner, SMALL)
        outcomes = {m.name: (m.outcome, m.reason) for m in only_record(tuner).measurements}
    outcome, reason = outcomes.pop(bad[0])
    assert outcome is Outcome.crashed
    assert "SIGSEGV" in reason
    assert {found for found, _ in outcomes.values()} == {Outcome.ok}


@pytest.mark.parametrize(
    ("hook", "message"),
    [(CRASH, r"crashed \(SIGSEGV\)"), (HANG, "did not end within 1 s and was stopped")],
    ids=["crash", "hang"],
)
def test_where_nothing_runs_there_is_one_error(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, hook: str, message: str
) -> None:
    """The next compilation asks again: nothing is remembered."""

    def candidates(task: LayerTask) -> list[Schedule]:
        usual = candidates_of(task)[0]
        spoil(monkeypatch, {usual.name: hook})
        return [usual]

    device = open_device("local", cache, Limits(seconds=1))
    with closing(new_tuner(cache, candidates=candidates, device=device)) as tuner:
        with pytest.raises(
            canao.ExecutionError, match=f"no schedule .* on this machine: .*{message}"
        ):
            tune(tuner, ELEMENTWISE)
        assert only_record(tuner).measurements == ()


def test_a_connection_that_is_lost(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a candidate's run: one error, and no outcome of that candidate."""
    pid, bad = tmp_path / "running", list[str]()
    note = f'extern int creat(const char *, unsigned); creat("{pid}", 0600);'
    with ssh_server(_made(tmp_path / "sshd")) as server:
        shell = SshShell("phone", base=str(tmp_path), options=("-F", str(server.config)))
        device = ShellDevice("ssh:phone", shell, cache, Limits(seconds=3, answer_seconds=20))
        cutter = threading.Thread(target=cut_when, args=(pid.exists, server.pid))
        cutter.start()
        hanging = _second_has(f"{note} {HANG}", bad, monkeypatch)
        with closing(new_tuner(cache, candidates=hanging, device=device)) as tuner:
            with pytest.raises(canao.DeviceError, match=r"the connection to phone .* was lost"):
                tune(tuner, ELEMENTWISE)
            assert bad[0] not in {m.name for m in only_record(tuner).measurements}
            assert not only_record(tuner).winner
        cutter.join()


@pytest.mark.usefixtures("_small_layers_count")
@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_phone(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs_up: bool
) -> None:
    """Schedules are measured on it, or it is lost: one error."""
    phone = Phone("R58", hangs_up=hangs_up)
    with adb_server(phone) as server:
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{server.port}")
        device = open_device(f"adb:R58{tmp_path}", cache, Limits(seconds=20, answer_seconds=10))
        lost = pytest.raises(canao.DeviceError, match=r"the connection to R58 \(adb\) was lost")
        with closing(new_tuner(cache, candidates=_distinct, device=device)) as tuner:
            with lost if hangs_up else nullcontext():
                tune(tuner, SMALL)
            record = only_record(tuner)
    assert record.key.device == device.spec
    assert record.key.triple == f"{NATIVE}-linux-musl"
    assert bool(record.winner) is not hangs_up
    assert bool(record.measurements) is not hangs_up


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


@pytest.mark.usefixtures("_small_layers_count")
def test_lengths_that_vary(cache: Cache) -> None:
    device = open_device("local", cache)
    with closing(new_tuner(cache, device=device)) as tuner:
        tune(tuner, VARYING)
        records = tuner.database.records()
    assert {record.ops.rpartition(" ")[2] for record in records} == {"16x256", "64x256", "256x256"}
    outcomes = {m.outcome for record in records for m in record.measurements}
    assert outcomes <= {Outcome.ok, Outcome.slow, Outcome.duplicate}


def test_what_runs_a_candidate_is_plain_c(tmp_path: Path) -> None:
    """Without inputs, weights or working memory, too, and with every compiler."""
    some = TensorSpec("some", "float32", (2, 3))
    for number, (inputs, weights) in enumerate([((), ()), ((some,), (some, some))]):
        text = main_text(_program(inputs, weights, (some,)))
        source = tmp_path / f"main{number}.c"
        source.write_text(text)
        for compiler in all_compilers():
            words = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-c"]
            done = subprocess.run(
                [*compiler.command, *words, "-o", "/dev/null", str(source)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr


def _program(
    inputs: tuple[TensorSpec, ...],
    weights: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
) -> Program:
    return Program("", inputs, outputs, weights, "", 0, (), (), Counts(0, 0, 0, 0), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "qemu:aarch64", "threads": 2}, "measures 1 thread, not 2"),
        ({"device": "qemu:aarch64", "target": "riscv64"}, "qemu-aarch64 .* is aarch64; compile"),
        ({"device": "qemu:z80"}, "there is no qemu-z80"),
        ({"device": "phone"}, "'phone' names no device; write local"),
        ({"target": "riscv64", "tune": "full"}, "name the `device`"),
    ],
    ids=str,
)
def test_what_makes_no_sense(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(canao.CanaoError, match=message):
        canao.compile(SMALL, None, cache_dir=tmp_path, **options)


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANAO_CACHE_DIR", str(tmp_path / "cache"))
    model = tmp_path / "model.mlir"
    model.write_text(ELEMENTWISE)
    named = ("--device", "local", "--threads", 1)
    assert run_command(monkeypatch, "tune", model, "--mode", "default", *named, "--json") == 0
    (kernel,) = json.loads(capsys.readouterr().out)["kernels"]
    assert kernel["variant"] in kernel["variants_tried"]
    assert run_command(monkeypatch, "tune", "show", "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)["records"]
    assert (record["key"]["device"], record["key"]["unit"]) == ("local", "ms")
    assert run_command(monkeypatch, "tune", "show") == 0
    assert "local" in capsys.readouterr().out
    status = run_command(monkeypatch, "tune", "validate", "--device", "local", "--json")
    (verdict,) = json.loads(capsys.readouterr().out)
    assert (verdict["standing"], status) in {("sound", 0), ("drifted", 1)}
    assert run_command(monkeypatch, "tune", "validate", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["standing"] == "elsewhere"
    assert run_command(monkeypatch, "export", model, "--out", tmp_path / "out", *named) == 0
    assert "wrote" in capsys.readouterr().out
    assert run_command(monkeypatch, "compile", model, "--device", "gpu") == 1
    assert "give --target opencl too" in capsys.readouterr().err
