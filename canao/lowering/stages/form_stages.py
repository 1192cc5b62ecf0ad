"""The stages of a layer, in the form that its schedules are made for."""

from __future__ import annotations

from xdsl.ir import Block

from canao.lowering.stages.cut_stages import cut_stages
from canao.lowering.stages.reads import shared_band
from canao.lowering.stages.row_lanes import RowLanes
from canao.lowering.stages.stage import Stage


def form_stages(block: Block, *, grouped: bool = False) -> tuple[Stage, ...]:
    """The stages of a layer's body, in an order that respects dependences.

    The body must hold no composite operations; its terminator names the outputs.
    A layer is cut for row lanes where all its stages can share the rows of its
    products as an outer loop, and every access along them is regular. Where
    tasks are `grouped`, products copy their operands as they lie.
    """
    if grouped:
        return cut_stages(block, copied=True)
    stages = cut_stages(block, row_lanes=True)
    row_lanes = RowLanes.of(stages)
    if row_lanes is not None and shared_band(stages) > row_lanes.lane and row_lanes.is_regular:
        return stages
    return cut_stages(block)
