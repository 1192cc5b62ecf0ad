"""The stages of a layer, in the form that its schedules are made for."""

from __future__ import annotations

from xdsl.ir import Block

from canao.lowering.stages.cut_stages import cut_stages
from canao.lowering.stages.reads import shared_band
from canao.lowering.stages.row_lanes import Upright
from canao.lowering.stages.stage import Stage


def form_stages(block: Block, *, grouped: bool = False) -> tuple[Stage, ...]:
    """The stages of a layer's body, in an order that respects dependences.

    The body must hold no composite operations; its terminator names the outputs.
    A layer is cut upright where all its stages can share the rows of its
    products as an outer loop, and every access along them is regular. Where
    tasks are `grouped`, products copy their operands as they lie.
    """
    if grouped:
        return cut_stages(block, copied=True)
    stages = cut_stages(block, upright=True)
    upright = Upright.of(stages)
    if upright is not None and shared_band(stages) > upright.lane and upright.is_regular:
        return stages
    return cut_stages(block)
