"""Memory of which each work-item of a group has a part of its own."""

from __future__ import annotations

from math import prod

from xdsl.dialects import memref
from xdsl.dialects.builtin import IntegerAttr, MemRefType, i64
from xdsl.ir import Attribute, Block, SSAValue

_OWN = "canao.own"


def allocate_own(block: Block, element: Attribute, items: int, own: int) -> SSAValue:
    """A buffer of `items` equal parts, `own` elements each, which the iterations of a loop have.

    Iteration number `n` of a shared loop uses elements `n * own` to `n * own + own - 1` and no
    others, by subscripts that are constant within the part: each part can be in registers.
    """
    op = memref.AllocaOp.get(element, 64, [items * own])
    op.attributes[_OWN] = IntegerAttr(own, i64)
    block.add_op(op)
    return op.results[0]


def own_elements(op: memref.AllocaOp) -> int | None:
    """The elements of each part; None for a buffer that all share."""
    own = op.attributes.get(_OWN)
    return own.value.data if isinstance(own, IntegerAttr) else None


def own_part(memory: SSAValue) -> int:
    """The elements of each part of a buffer that `allocate_own` made."""
    assert isinstance(memory.owner, memref.AllocaOp)
    own = own_elements(memory.owner)
    assert own is not None
    return own


def buffer_size(memory: SSAValue) -> int:
    """The elements of a buffer."""
    assert isinstance(memory.type, MemRefType)
    return prod(memory.type.get_shape())
