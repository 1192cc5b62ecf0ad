"""A distinct layer, and what is asked of whoever chooses its schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from xdsl.ir import SSAValue

from canao.dialects.canao import LayerOp
from canao.dialects.canao.types import shape_of
from canao.extent import Symbol, is_symbolic, symbols_in
from canao.lowering.choose.choose_group import choose_group
from canao.lowering.choose.choose_schedule import choose_column_lanes, choose_schedule
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.stage import Stage
from canao.machine.opencl_device import DeviceKind, DeviceModel
from canao.machine.processor import VectorUnit


@dataclass(frozen=True, eq=False)
class LayerTask:
    """A distinct layer to choose a schedule for.

    `constant` tells for each input whether it is a weight, `key` identifies
    the layer: equal for layers that can share a kernel.
    """

    layer: LayerOp
    stages: tuple[Stage, ...]
    constant: tuple[bool, ...]
    key: str
    unit: VectorUnit
    threads: int
    device: DeviceModel | None = None
    """The OpenCL device that it runs on; threads of a processor if None."""
    name: str = "layer_1"
    """The name of its kernel, for people: unlike `key`, layers alike in two models may differ."""

    @property
    def varies(self) -> bool:
        """Whether some length of it is known only when it runs: then the cost model decides.

        Also where it takes a part of fixed size of what varies, as the first row of a sequence.
        """
        lengths = [stage.lengths for stage in self.stages]
        around = [shape_of(value) for value in (*self.layer.inputs, *self.layer.outs)]
        return any(map(is_symbolic, chain.from_iterable((*lengths, *around))))

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """What its shapes depend on, sorted by name."""
        return layer_symbols(self.layer)

    @property
    def weights(self) -> set[SSAValue]:
        """The arguments of the layer's body that are weights."""
        arguments = self.layer.body.block.args
        return {a for a, fixed in zip(arguments, self.constant, strict=True) if fixed}


def layer_symbols(layer: LayerOp) -> tuple[Symbol, ...]:
    """What the shapes in a layer depend on, sorted by name."""
    block = layer.body.block
    values = chain(block.args, (v for op in block.ops for v in op.results))
    return symbols_in(extent for value in values for extent in shape_of(value))


def choose_by_model(task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
    """The schedule that the cost model likes best."""
    given = task.stages, task.weights, task.unit, task.threads
    if task.device is not None and task.device.kind is DeviceKind.gpu:
        schedule = choose_group(task.stages, choose_column_lanes(*given), task.device)
    else:
        schedule = choose_schedule(*given)
    return schedule, (schedule.name,)


Chooser = Callable[[LayerTask], tuple[Schedule, tuple[str, ...]]]
"""Gives the schedule of a layer, and the names of those it was chosen from."""

PrepareTasks = Callable[[Sequence[LayerTask]], None]
"""Told of all distinct layers before the first of them has its schedule chosen."""


def prepare_nothing(tasks: Sequence[LayerTask]) -> None:
    """For choosers that need no time ahead."""
