"""What operations cost: the measure that every law must lower.

Work is computations times elements, so that a factoring which makes a narrow
operation wide does not pay. Between expressions of equal work the one of fewer
computations is better, then the one that moves fewer elements. What depends on
weights and constants only is computed ahead of time and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Operation

from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed
from canao.extent import volume


@dataclass(frozen=True, order=True)
class Cost:
    """Compared in the order of the fields."""

    work: int = 0
    """Computations times the points at which they are evaluated."""
    computations: int = 0
    """Operators."""
    moved: int = 0
    """Elements read and written by operators, each as if it were alone."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.work + other.work,
            self.computations + other.computations,
            self.moved + other.moved,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.work - other.work,
            self.computations - other.computations,
            self.moved - other.moved,
        )


def cost_of_op(op: Operation) -> Cost:
    """The cost of an operation that depends on inputs."""
    if not isinstance(op, CanaoOp):
        return Cost()
    moved = sum(volume(shape_of(v)) for v in (*op.operands, *op.results))
    computations = op.computations()
    if not computations:
        return Cost(0, 0, moved if op.access_pattern() is not AccessPattern.SOURCE else 0)
    points = (
        volume(op.iteration_space().extents)
        if isinstance(op, Indexed)
        else max(volume(shape_of(r)) for r in op.results)
    )
    return Cost(computations * points, computations, moved)
