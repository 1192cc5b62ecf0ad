"""Iteration domains: the set of instances of a statement, as an isl set."""

from __future__ import annotations

from collections.abc import Sequence

import islpy as isl

from canao.polyhedral.index import Variable
from canao.polyhedral.statement import Array, Statement


def tuple_text(name: str, dims: Sequence[Variable]) -> str:
    """A named tuple of dimensions in isl's notation: `S[i, j]`."""
    return f"{name}[{', '.join(v.name for v in dims)}]"


def bounds_text(dims: Sequence[Variable]) -> str:
    """The condition that every dimension lies within its extent."""
    return " and ".join(f"0 <= {v.name} < {v.extent}" for v in dims) or "true"


def domain(statement: Statement) -> isl.Set:
    """All instances of a statement."""
    dims = statement.dims
    return isl.Set(f"{{ {tuple_text(statement.name, dims)} : {bounds_text(dims)} }}")


def elements(array: Array) -> isl.Set:
    """All elements of an array."""
    dims = [Variable(f"a{n}", extent) for n, extent in enumerate(array.shape)]
    return isl.Set(f"{{ {tuple_text(array.name, dims)} : {bounds_text(dims)} }}")


def sample(relation: isl.Map) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """One pair of a relation that is not empty, as numbers; the least in its first tuple."""
    first = relation.domain().lexmin().sample_point().to_set()
    relation = relation.intersect_domain(first)
    second = relation.range().lexmin().sample_point().to_set()
    return coordinates(first), coordinates(second)


def coordinates(points: isl.Set) -> tuple[int, ...]:
    """The numbers of a point of a set that is not empty."""
    point = points.sample_point()
    return tuple(
        point.get_coordinate_val(isl.dim_type.set, n).to_python()
        for n in range(points.dim(isl.dim_type.set))
    )
