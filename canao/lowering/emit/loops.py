"""Building loops: fresh variables, `affine.for`, `affine.parallel`, `scf.if`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from math import prod

from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseIntElementsAttr,
    IndexType,
    IntegerAttr,
    TensorType,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineMap

from canao.polyhedral.index import Index, Variable

Loops = Mapping[Variable, SSAValue]
Body = Callable[[Block, Loops, Index], None]
CarryingBody = Callable[[Block, Loops, Index, Sequence[SSAValue]], Sequence[SSAValue]]


class Names:
    """Fresh loop variables."""

    def __init__(self) -> None:
        self._numbers = count()

    def variable(self, extent: int) -> Variable:
        """A variable that no other loop of the kernel has."""
        return Variable(f"i{next(self._numbers):04d}", extent)


def loop(
    block: Block,
    loops: Loops,
    names: Names,
    trips: int | SSAValue,
    body: Body,
    word: str | None = None,
    most: int = 0,
) -> None:
    """Runs `body` for 0 to `trips` - 1; straight code where there is one trip.

    `word` is what the variable is called, for people; `most` is the largest number of trips
    where they are known only when the kernel runs.
    """

    def carry_nothing(
        inner: Block, inside: Loops, at: Index, _: Sequence[SSAValue]
    ) -> Sequence[SSAValue]:
        body(inner, inside, at)
        return ()

    carrying_loop(block, loops, names, trips, (), carry_nothing, word, most=most)


def carrying_loop(
    block: Block,
    loops: Loops,
    names: Names,
    trips: int | SSAValue,
    carried: Sequence[SSAValue],
    body: CarryingBody,
    word: str | None = None,
    results: Sequence[str] = (),
    most: int = 0,
) -> Sequence[SSAValue]:
    """Runs `body` with values carried from trip to trip; returns the last ones.

    `word` is what the variable is called, `results` are what the values are; `most` is as for
    `loop`.
    """
    if trips == 1:
        return body(block, loops, Index(), carried)
    # A loop of one trip at most is one that may have none: its variable is no constant.
    variable = names.variable(trips if isinstance(trips, int) else max(most, 2))
    types: list[Attribute] = [v.type for v in carried]
    inner = Block(arg_types=[IndexType(), *types])
    inner.args[0].name_hint = word
    inside = {**loops, variable: inner.args[0]}
    inner.add_op(affine.YieldOp.get(*body(inner, inside, Index.of(variable), inner.args[1:])))
    ends = [] if isinstance(trips, int) else [trips]
    end = trips if isinstance(trips, int) else AffineMapAttr(AffineMap.identity(1))
    op = affine.ForOp.from_region([], ends, carried, types, 0, end, Region(inner))
    block.add_op(op)
    for result, name in zip(op.results, results, strict=False):
        result.name_hint = name
    return op.results


def parallel(
    block: Block,
    names: Names,
    trips: Sequence[int | SSAValue],
    body: Callable[[Block, Loops, Sequence[Index]], None],
    words: Sequence[str] = (),
    most: Sequence[int] = (),
) -> None:
    """One `affine.parallel` over 0 to `trips`, with at least one dimension."""
    share(block, {}, names, list(trips) or [1], body, words, most)


def share(
    block: Block,
    loops: Loops,
    names: Names,
    counts: Sequence[int | SSAValue],
    body: Callable[[Block, Loops, Sequence[Index]], None],
    words: Sequence[str] = (),
    most: Sequence[int] = (),
) -> None:
    """One `affine.parallel`: inside another, for the work-items that share a task.

    `words` are what its variables are called, for people; `most` are the largest counts where
    some are known only when the kernel runs.
    """
    inner = Block(arg_types=[IndexType()] * len(counts))
    for variable, word in zip(inner.args, words, strict=False):
        variable.name_hint = word
    largest = most or [n for n in counts if isinstance(n, int)]
    variables = [
        names.variable(n if isinstance(count, int) else max(n, 2))
        for n, count in zip(largest, counts, strict=True)
    ]
    known = [n for n in counts if not isinstance(n, int)]
    inside = {**loops, **dict(zip(variables, inner.args, strict=True))}
    body(inner, inside, [Index.of(v) for v in variables])
    inner.add_op(affine.YieldOp.get())
    groups = DenseIntElementsAttr.from_list(TensorType(i32, [len(counts)]), [1] * len(counts))
    zeros = AffineMap(0, 0, (AffineConstantExpr(0),) * len(counts))
    numbers = iter(range(len(known)))
    ends = AffineMap(
        len(known),
        0,
        tuple(
            AffineConstantExpr(n) if isinstance(n, int) else AffineDimExpr(next(numbers))
            for n in counts
        ),
    )
    block.add_op(
        affine.ParallelOp.create(
            operands=known,
            attributes={"canao.most": IntegerAttr(prod(largest), i64)} if known else {},
            properties={
                "reductions": ArrayAttr([]),
                "lowerBoundsMap": AffineMapAttr(zeros),
                "lowerBoundsGroups": groups,
                "upperBoundsMap": AffineMapAttr(ends),
                "upperBoundsGroups": groups,
                "steps": ArrayAttr([IntegerAttr(1, i64)] * len(counts)),
            },
            regions=[Region(inner)],
        )
    )


def branch(
    block: Block,
    condition: SSAValue,
    then: Callable[[Block], None],
    otherwise: Callable[[Block], None],
) -> None:
    """An `scf.if` without results."""
    blocks = (Block(), Block())
    for body, fill in zip(blocks, (then, otherwise), strict=True):
        fill(body)
        body.add_op(scf.YieldOp())
    block.add_op(scf.IfOp(condition, [], Region(blocks[0]), Region(blocks[1])))


def index_constant(block: Block, value: int) -> SSAValue:
    """A constant of type index."""
    op = arith.ConstantOp.from_int_and_width(value, IndexType())
    block.add_op(op)
    return op.result
