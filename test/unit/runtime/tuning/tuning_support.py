"""Small layers to tune, and ways to spoil their programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from canao.building.cache import Cache
from canao.building.toolchain import compiler_for
from canao.devices.device import Device
from canao.devices.fit import target_for
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.pipeline import lower
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.standalone import standalone_program
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.parse import parse_module
from canao.tuning import schedule_builder
from canao.tuning.database import Record
from canao.tuning.question import candidates_of
from canao.tuning.tuner import Mode, Tuner

PRODUCT = """
func.func @main(%x: tensor<96x128xf32>) -> tensor<96x256xf32> {
  %w = canao.weight "w" : tensor<128x256xf32>
  %b = canao.weight "b" : tensor<256xf32>
  %p = canao.matmul %x, %w : (tensor<96x128xf32>, tensor<128x256xf32>) -> tensor<96x256xf32>
  %y = canao.add %p, %b : (tensor<96x256xf32>, tensor<256xf32>) -> tensor<96x256xf32>
  func.return %y : tensor<96x256xf32>
}
"""
ELEMENTWISE = """
func.func @main(%x: tensor<512x384xf32>, %r: tensor<1x384xf32>) -> tensor<512x384xf32> {
  %p = canao.mul %r, %r : (tensor<1x384xf32>, tensor<1x384xf32>) -> tensor<1x384xf32>
  %y = canao.add %x, %p : (tensor<512x384xf32>, tensor<1x384xf32>) -> tensor<512x384xf32>
  func.return %y : tensor<512x384xf32>
}
"""
TINY = """
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = canao.add %x, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
"""
VARYING = """
func.func @main(%x: tensor<?x64xf32, #canao.extents<[rows, 64], rows in 1 to 300>>)
    -> tensor<?x256xf32, #canao.extents<[rows, 256], rows in 1 to 300>> {
  %w = canao.weight "w" : tensor<64x256xf32>
  %p = canao.matmul %x, %w : (tensor<?x64xf32, #canao.extents<[rows, 64], rows in 1 to 300>>,
      tensor<64x256xf32>) -> tensor<?x256xf32, #canao.extents<[rows, 256], rows in 1 to 300>>
  %y = canao.tanh %p : (tensor<?x256xf32, #canao.extents<[rows, 256], rows in 1 to 300>>)
      -> tensor<?x256xf32, #canao.extents<[rows, 256], rows in 1 to 300>>
  func.return %y : tensor<?x256xf32, #canao.extents<[rows, 256], rows in 1 to 300>>
}
"""
_ENTRY = re.compile(r"^int canao_run\([^)]*\) \{$", re.MULTILINE)

CRASH = "*(volatile int *)0 = 1;"
HANG = "for (volatile int n = 0;;) n = 1;"
WRONG = """
  static int inside;
  if (!inside) {
    inside = 1;
    const int status = canao_run(handle, inputs, weights, outputs, arena);
    inside = 0;
    ((float *)outputs[0])[777] *= 1.25f;
    return status;
  }
"""


def new_tuner(
    cache: Cache,
    mode: Mode = "default",
    candidates: Callable[[LayerTask], Sequence[Schedule]] | None = None,
    time_limit: float = 60.0,
    device: Device | None = None,
) -> Tuner:
    """A tuner of code for this machine, or for a device that measures."""
    given = candidates or candidates_of
    target = Target.host() if device is None else target_for(device)
    return Tuner(
        compiler_for(target),
        target,
        cache,
        mode,
        candidates=given,
        time_limit=time_limit,
        device=device,
    )


def tune(tuner: Tuner, text: str) -> Program:
    """Lower a module with a tuner."""
    unit = tuner.target.vector_unit
    return lower(
        parse_module(text),
        target_unit=unit,
        threads=1,
        chooser=tuner.chooser,
        prepare_tasks=tuner.prepare_tasks,
    )


def only_record(tuner: Tuner) -> Record:
    """The one record of a database."""
    (record,) = tuner.database.records()
    return record


def spoil(monkeypatch: pytest.MonkeyPatch, hooks: dict[str, str]) -> None:
    """Put C text at the start of the programs of the schedules with these names."""

    def spoiled(task: LayerTask, schedule: Schedule) -> Program:
        program = standalone_program(task, schedule)
        hook = hooks.get(schedule.name)
        if hook is None:
            return program
        source, count = _ENTRY.subn(lambda found: f"{found[0]}\n{hook}", program.source)
        assert count == 1
        return replace(program, source=source)

    monkeypatch.setattr(schedule_builder, "standalone_program", spoiled)
