"""Proofs for every length that dimensions may have, which are known when the code runs.

Where a length is a number, a plan says which points are in which tile and task. Where it is not,
that is decided when the code runs, so the proof must hold for every length and every cut:

1. Instances, and pairs of them that touch one element, are at every length some of those at the
   largest. What holds of all pairs at the largest holds of them.
2. A read finds what it needs at every length: for all values of the lengths, which are isl's
   parameters, the instance that wrote the value runs whenever the one that reads it does. An
   index that is loaded is checked against the length of that very run before it is used.
3. The plan is legal with the finest tasks and tiles there are. Larger ones are unions of these.
4. No two instances of one statement depend on each other along such a dimension, so that points
   of one tile may be computed in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import islpy as isl

from canao.errors import IllegalScheduleError
from canao.extent import bounds_of, is_symbolic, terms_of
from canao.polyhedral.dependence import Dependence, Kind, dependences
from canao.polyhedral.domain import sample, tuple_text
from canao.polyhedral.legality import Proof, prove
from canao.polyhedral.statement import Program, Statement
from canao.polyhedral.timing import Hoist, Nest, Plan

Lengths = Sequence[Sequence[int]]
"""For each statement the length of each dimension; some are extents that depend on symbols."""


def prove_every_length(program: Program, plan: Plan, lengths: Lengths, name: str) -> Proof:
    """Proves a plan legal for all lengths; `program` has the largest ones.

    `IllegalScheduleError` names the first violation, with an example in numbers.
    """
    proof = prove(program, _finest(program, plan, lengths), name)
    parameters = _Parameters.of(lengths)
    for pair in _with_known_reads(program, proof.dependences):
        if pair.kind is Kind.FLOW:
            _check_source_runs(program, pair, lengths, parameters, name)
    for pair in proof.dependences:
        if pair.source == pair.sink:
            _check_independent(program, pair, lengths, name)
    return proof


def _with_known_reads(program: Program, found: Sequence[Dependence]) -> Sequence[Dependence]:
    """The dependences of a program, those through indices that are loaded left aside."""
    known = tuple(
        replace(s, reads=tuple(read for read in s.reads if None not in read.index))
        for s in program.statements
    )
    if known == program.statements:
        return found
    return dependences(replace(program, statements=known))[0]


# ------------------------------------------------------------------ finest plan


def _finest(program: Program, plan: Plan, lengths: Lengths) -> Plan:
    """The plan with tasks and tiles of one point, or one vector, along dimensions that vary."""
    nests = tuple(_finest_nest(plan, n, lengths[n]) for n in range(len(plan.nests)))
    whole = [n for n, nest in enumerate(plan.nests) if isinstance(nest, Nest)]
    vectors = {
        d
        for n in whole
        if isinstance(nest := plan.nests[n], Nest)
        for d in (nest.vector, nest.across)
    }
    band = tuple(
        (plan.lanes if b in vectors else 1) if is_symbolic(lengths[whole[0]][b]) else points
        for b, points in enumerate(plan.band)
    )
    return replace(plan, band=band, nests=nests)


def _finest_nest(plan: Plan, n: int, lengths: Sequence[int]) -> Nest | Hoist:
    nest = plan.nests[n]
    if isinstance(nest, Hoist):
        return nest
    vectors = (nest.vector, nest.across)
    tile = tuple(
        (plan.lanes if d in vectors else 1) if is_symbolic(length) else points
        for d, (points, length) in enumerate(zip(nest.tile, lengths, strict=True))
    )
    return replace(nest, tile=tile)


# -------------------------------------------------------------- all parameters


@dataclass(frozen=True)
class _Parameters:
    """Lengths as text of isl, over parameters that stand for what they depend on."""

    texts: dict[int, str]
    """Each length that varies, as an affine function of parameters."""
    bounds: dict[str, tuple[int, int]]
    """The least and the largest value of each parameter."""

    @staticmethod
    def of(lengths: Lengths) -> _Parameters:
        texts: dict[int, str] = {}
        bounds: dict[str, tuple[int, int]] = {}
        names: dict[object, str] = {}

        def parameter(key: object, limits: tuple[int, int]) -> str:
            found = names.setdefault(key, f"p{len(names)}")
            bounds[found] = limits
            return found

        for length in {length for each in lengths for length in each if is_symbolic(length)}:
            terms = terms_of(length)
            if any(len(monomial) > 1 for monomial, _ in terms):
                # A product is no affine function: it has a parameter of its own.
                texts[length] = parameter(length, bounds_of(length))
                continue
            texts[length] = " + ".join(
                f"{factor}*{parameter(m[0], (m[0].low, m[0].high))}" if m else str(factor)
                for m, factor in terms
            )
        return _Parameters(texts, bounds)

    def instances(self, statement: Statement, lengths: Sequence[int]) -> isl.Set:
        """The instances of a statement for all values of the parameters."""
        conditions = [f"{low} <= {name} <= {high}" for name, (low, high) in self.bounds.items()]
        conditions += [
            f"0 <= {v.name} < {self.texts.get(length, length)}"
            for v, length in zip(statement.dims, lengths, strict=True)
        ]
        instance = tuple_text(statement.name, statement.dims)
        text = f"{{ {instance} : {' and '.join(conditions) or 'true'} }}"
        return isl.Set(f"[{', '.join(self.bounds)}] -> {text}")


def _check_source_runs(
    program: Program, pair: Dependence, lengths: Lengths, parameters: _Parameters, name: str
) -> None:
    """Whatever reads a value, its source runs too, for all values of the parameters.

    Of a reduction that means the point whose total it is: the total of fewer terms is one as well,
    and that of none is the neutral value.
    """
    source, sink = (
        parameters.instances(program.statements[n], lengths[n]) for n in (pair.source, pair.sink)
    )
    needed = pair.relation.intersect_range(sink)
    made = program.statements[pair.source]
    if made.reduction:
        reduced = isl.dim_type.in_, made.parallel, len(made.dims) - made.parallel
        needed = needed.project_out(*reduced)
        source = source.project_out(isl.dim_type.set, *reduced[1:])
    missing = needed.subtract_domain(source)
    if missing.is_empty():
        return
    first, second = sample(missing.project_out_all_params())
    raise _illegal(
        name,
        f"{pair.describe(program)}: {list(second)} reads what {list(first)} writes, which does not "
        "run for all lengths for which the other does",
    )


def _check_independent(program: Program, pair: Dependence, lengths: Lengths, name: str) -> None:
    """No instance depends on one that differs along a dimension that is cut when the code runs."""
    statement = program.statements[pair.source]
    varying = [d for d in range(statement.parallel) if is_symbolic(lengths[pair.source][d])]
    for d in varying:
        equal = pair.relation.copy().equate(isl.dim_type.in_, d, isl.dim_type.out, d)
        ordered = pair.relation.subtract(equal)
        if ordered.is_empty():
            continue
        first, second = sample(ordered)
        raise _illegal(
            name,
            f"{pair.describe(program)}: {list(second)} must run after {list(first)}, and tiles "
            f"along '{statement.dims[d].name}' are cut when the code runs",
        )


def _illegal(name: str, why: str) -> IllegalScheduleError:
    return IllegalScheduleError(
        f"schedule {name} is illegal for some lengths: {why}; choose another, or compile for "
        "fixed shapes"
    )
