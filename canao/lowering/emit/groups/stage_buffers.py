"""The buffers of a stage beside its target: copied operands and partial sums."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue


@dataclass(frozen=True)
class StageBuffers:
    """Buffers of a stage, and into how many parts its terms are cut.

    Each is of the element that is summed up or copied; sizes are those of a work-group
    (`shared`) or of a work-item (the others).
    """

    split_k: int = 1
    """Items that share each reduction."""
    shared: SSAValue | None = None
    """Memory of the group: blocks of operands, then partial results of the reduction."""
    k_tile: int = 0
    """Terms of a product whose operands are copied at once; 0 if they are read where they are."""
    items: int = 1
    """Work-items of the group."""
    sums: SSAValue | None = None
    """Memory of each item for the sums of its tile of a product."""
    fetched: tuple[SSAValue, ...] = ()
    """Memory of each item for what it copies of each operand."""
    partial_sums: SSAValue | None = None
    """Sums between blocks of terms; kept in the target if None."""
