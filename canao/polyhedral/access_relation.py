"""Access relations: which element an instance of a statement touches."""

from __future__ import annotations

from collections.abc import Mapping

import islpy as isl

from canao.polyhedral.domain import bounds_text, tuple_text
from canao.polyhedral.index import Atom, Index, Variable
from canao.polyhedral.statement import Access, Array, Statement


def index_text(index: Index) -> str:
    """An index in isl's notation; quotients are floors, exactly."""
    parts = [f"{c}*{_atom_text(atom)}" for atom, c in index.terms]
    return " + ".join([*parts, str(index.offset)])


def _atom_text(atom: Atom) -> str:
    if isinstance(atom, Variable):
        return atom.name
    return f"floor(({index_text(atom.numerator)})/{atom.divisor})"


def access_relation(statement: Statement, access: Access, array: Array) -> isl.Map:
    """From every instance to the elements it touches.

    An index that is known only when running relates an instance to every index
    within the array's shape.
    """
    results: list[str] = []
    conditions = [bounds_text(statement.dims)]
    for r, (index, extent) in enumerate(zip(access.index, array.shape, strict=True)):
        results.append(f"a{r}")
        conditions.append(
            f"0 <= a{r} < {extent}" if index is None else f"a{r} = {index_text(index)}"
        )
    named = {v.name for v in statement.dims}
    if any(r in named for r in results):
        raise ValueError(f"the dimensions of {statement.name} must not be named a0, a1, ...")
    instance = tuple_text(statement.name, statement.dims)
    text = f"{{ {instance} -> {array.name}[{', '.join(results)}] : {' and '.join(conditions)} }}"
    return isl.Map(text)


def touched(
    statement: Statement, accesses: tuple[Access, ...], arrays: Mapping[str, Array]
) -> isl.Map:
    """The union of several accesses of one array; there must be one at least."""
    relation: isl.Map | None = None
    for access in accesses:
        one = access_relation(statement, access, arrays[access.array])
        relation = one if relation is None else relation.union(one)
    assert relation is not None, "no access"
    return relation
