"""Which input of a layer holds the right operand of a product, so that it can be packed."""

from __future__ import annotations

from xdsl.ir import BlockArgument, SSAValue

from canao.dialects.canao import SliceOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp
from canao.lowering.stages.stage import Stage


def packed_source(stage: Stage) -> BlockArgument | None:
    """The matrix among a layer's inputs that a stage's product reads as its right operand.

    Nothing but products may read it, each for itself, or each some rows of its own.
    """
    anchor = stage.anchor
    if anchor is None or anchor.access_pattern() is not AccessPattern.CONTRACT:
        return None
    operand = anchor.operands[1]
    source = operand.owner.operand if isinstance(operand.owner, SliceOp) else operand
    if not isinstance(source, BlockArgument) or len(shape_of(source)) != 2:
        return None
    if source is operand:
        return source if operand.has_one_use() else None
    users = [use.operation for use in source.uses]
    return source if all(_is_operand(user, source) for user in users) else None


def _is_operand(user: object, source: SSAValue) -> bool:
    """Whether an operation takes rows of a matrix for the right operand of one product."""
    if not isinstance(user, SliceOp) or any(step != 1 for step in user.steps.get_values()):
        return False
    if shape_of(user.result)[1] != shape_of(source)[1] or not user.result.has_one_use():
        return False
    use = next(iter(user.result.uses))
    product = use.operation
    if not isinstance(product, CanaoOp) or use.index != 1:
        return False
    return product.access_pattern() is AccessPattern.CONTRACT
