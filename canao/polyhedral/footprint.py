"""Footprints: how much memory a task touches, and how often a nest computes one element.

isl counts points only with the barvinok library, which islpy lacks. A count
here is exact where the elements fill their bounding box or the box is small
enough to enumerate; elsewhere it is the size of the box, an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import islpy as isl

from canao.polyhedral.access_relation import touched
from canao.polyhedral.domain import domain, elements
from canao.polyhedral.index import Index, Variable
from canao.polyhedral.statement import Program
from canao.polyhedral.timing import Hoist, Plan, band_segments

_ENUMERATED = 4096
"""Largest bounding box whose points are counted one by one."""


@dataclass(frozen=True)
class Footprint:
    """What one task touches of an array; an upper bound unless `exact`."""

    array: str
    elements: int
    bytes: int
    exact: bool


def footprints(program: Program, plan: Plan) -> tuple[Footprint, ...]:
    """What the first task, which is a largest one, touches of every array."""
    sizes = [band_segments(program, plan, b)[0].size for b in range(len(plan.band))]
    out: list[Footprint] = []
    for array in program.arrays:
        image: isl.Set | None = None
        known = True
        for n, statement in enumerate(program.statements):
            accesses = (*statement.read(array.name), *statement.written(array.name))
            if not accesses:
                continue
            known = known and all(None not in access.index for access in accesses)
            points = domain(statement)
            nest = plan.nests[n]
            dims = nest.dims if isinstance(nest, Hoist) else range(len(sizes))
            for k, d in enumerate(dims):
                if d < len(sizes):
                    points = points.upper_bound_val(isl.dim_type.set, k, isl.Val(sizes[d] - 1))
            relation = touched(statement, accesses, program.by_name)
            part = points.apply(relation).intersect(elements(array))
            image = part if image is None else image.union(part)
        if image is not None:
            count, exact = count_points(image)
            out.append(Footprint(array.name, count, count * array.element_bytes, exact and known))
    return tuple(out)


def count_points(points: isl.Set) -> tuple[int, bool]:
    """How many points a bounded set has, or at most has: (count, whether it is exact)."""
    if points.is_empty():
        return 0, True
    box = isl.Set.universe(points.get_space())
    size = 1
    for r in range(points.dim(isl.dim_type.set)):
        low, high = (v.to_python() for v in (points.dim_min_val(r), points.dim_max_val(r)))
        size *= high - low + 1
        box = box.lower_bound_val(isl.dim_type.set, r, isl.Val(low))
        box = box.upper_bound_val(isl.dim_type.set, r, isl.Val(high))
    if box.is_subset(points):
        return size, True
    if size > _ENUMERATED:
        return size, False
    found: list[None] = []
    points.foreach_point(lambda _: found.append(None))
    return len(found), True


@dataclass(frozen=True)
class Recomputation:
    """How a nest evaluates a value that is inlined in it.

    `free` are the dimensions that the value does not depend on: each element is
    computed again for every point of them, `times` in all.
    """

    free: tuple[int, ...]
    times: int

    def depth(self, order: Sequence[int]) -> int:
        """How many loops of a nest, from the outermost, the value depends on or lies inside.

        Hoisted to that depth it is computed before the loops that are all free.
        """
        needed = [k for k, d in enumerate(order) if d not in self.free]
        return max(needed, default=-1) + 1

    def repeated(self, order: Sequence[int], extents: Sequence[int], depth: int) -> int:
        """How often each element is still computed after hoisting to a depth."""
        return prod(extents[d] for d in order[:depth] if d in self.free)


def recomputation(index: Sequence[Index], dims: Sequence[Variable]) -> Recomputation:
    """How often the points of `dims` compute the element at `index`."""
    free = tuple(d for d, v in enumerate(dims) if not any(i.uses(v) for i in index))
    return Recomputation(free, prod(dims[d].extent for d in free))
