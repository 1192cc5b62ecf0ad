"""What a stage has room for in a group of work-items beside its target."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue


@dataclass(frozen=True)
class Room:
    """Buffers of a stage, and into how many parts its terms are cut."""

    ways: int = 1
    """Items that share each fold."""
    shared: SSAValue | None = None
    """Memory of the group: partial results of folds, and before them the blocks of operands."""
    staged: int = 0
    """Terms of a product whose operands are copied at once; 0 if they are read where they are."""
    items: int = 1
    """Work-items of the group."""
    sums: SSAValue | None = None
    """Memory of each item for the sums of its tile of a product."""
    fetched: tuple[SSAValue, ...] = ()
    """Memory of each item for what it copies of each operand."""
    waiting: SSAValue | None = None
    """Where sums wait between blocks of terms; in the target if None."""
