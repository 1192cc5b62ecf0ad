"""What tuning asks: which schedule of a layer is fastest, with certain sizes if lengths vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from canao.building.cache import digest
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import CanaoOp
from canao.extent import at
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.lengths import Probe, varying_variants
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.standalone import standalone_module
from canao.transforms.narrow_storage import storage_of


@dataclass(frozen=True)
class Question:
    """A layer whose schedule is looked for, with certain sizes if its lengths vary."""

    task: LayerTask
    probe: Probe | None = None

    @property
    def sizes(self) -> Mapping[str, int]:
        """The values of the layer's symbols."""
        return dict(self.probe.sizes) if self.probe else {}

    @cached_property
    def module(self) -> str:
        """The layer as a module of its own, to build it again."""
        return str(standalone_module(self.task, self.sizes))

    @cached_property
    def digest(self) -> str:
        """What the layer is known by."""
        return layer_digest(self.task, self.sizes)

    @cached_property
    def seconds(self) -> float:
        """A rough estimate of the time of one call: the larger of arithmetic and traffic."""
        task, sizes = self.task, self.sizes
        points = sum(prod(at(n, sizes) for n in stage.lengths) for stage in task.stages)
        traffic = 0
        values = (*task.layer.inputs, *task.layer.outs)
        for value, stored in zip(values, storage_of(task.layer), strict=True):
            # Of a table, only the rows that are looked up are read.
            elements = min(prod(at(extent, sizes) for extent in shape_of(value)), points)
            traffic += elements * dtype_of_element(stored).itemsize
        flops = at(task.layer.flops(), sizes)
        arithmetic = flops / (task.unit.flops_a_second * task.threads)
        return max(arithmetic, traffic / task.unit.bytes_a_second)


def layer_digest(task: LayerTask, sizes: Mapping[str, int]) -> str:
    """What a layer is known by in the database, with certain sizes if its lengths vary."""
    return digest(task.key, *(f"{name}={size}" for name, size in sorted(sizes.items())))


def candidates_of(task: LayerTask) -> Sequence[Schedule]:
    """The schedules that a layer may have, the likeliest first."""
    return varying_variants(task) if task.varies else variants(task)


def name_of(question: Question) -> str:
    """The name of a layer, its folds and the shape of what it makes, for people."""
    task, sizes = question.task, question.sizes
    shape = "x".join(str(at(extent, sizes)) for extent in shape_of(task.layer.outs[0]))
    folds = [stage.anchor.name for stage in task.stages if stage.anchor is not None]
    anchors = folds or [op.name for op in task.layer.body.block.ops if isinstance(op, CanaoOp)]
    names = " ".join(name.removeprefix("canao.") for name in dict.fromkeys(anchors))
    return f"{task.name}: {names} -> {shape}"
