"""Cuts a layer into stages: loop nests that each fill one buffer.

A stage computes one value of the layer, element by element or as a fold (a
product or a reduction, its *anchor*). Everything between the buffers it reads
and the value it stores is evaluated in registers: producers are inlined into
its loops, and the elementwise chain after an anchor becomes its epilogue.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from canao.dialects.canao import ConcatOp, GatherOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed, Reorganising
from canao.polyhedral.index import Index, Variable, apply_map, linearise

_FOLDS = (AccessPattern.REDUCE, AccessPattern.CONTRACT)
_MOVES = (AccessPattern.REORGANISE, AccessPattern.BROADCAST)

# Arithmetic that must be recomputed at every use weighs this much; above the
# limit a value with several uses is stored instead.
_STORE_ABOVE = 2
_GATHER_WEIGHT = 3


@dataclass(frozen=True, eq=False)
class Stage:
    """A loop nest over `extents` that stores `value` into the buffer of `target`.

    The first `parallel` dimensions are independent, the others folded.
    `value_map` and `target_map` take a point of the nest to an index of
    `value` and of `target`; they differ where `value` is one piece of a
    concatenation.
    """

    value: SSAValue
    target: SSAValue
    anchor: Indexed | None
    extents: tuple[int, ...]
    parallel: int
    value_map: AffineMap
    target_map: AffineMap


def is_fold(op: Operation | None) -> bool:
    """Whether an operation folds over dimensions (a product or a reduction)."""
    return isinstance(op, Indexed) and op.access_pattern() in _FOLDS


def form_stages(block: Block) -> tuple[Stage, ...]:
    """The stages of a layer's body, in an order that respects dependences.

    The body must hold no composite operations; its terminator names the outputs.
    """
    terminator = block.last_op
    assert terminator is not None
    position = {op: n for n, op in enumerate(block.ops)}
    stages, claimed = _fold_stages(block, position)
    stored = {stage.target for stage in stages}

    def store(value: SSAValue) -> None:
        if value not in stored:
            stored.add(value)
            stages.extend(_map_stages(value))

    for op in block.ops:
        if isinstance(op, ConcatOp):
            store(op.result)
        if isinstance(op, GatherOp) and isinstance(op.table.owner, Operation):
            store(op.table)
        if isinstance(op, CanaoOp) and op.access_pattern() is AccessPattern.CONTRACT:
            for operand in op.operands:
                if not is_plain(operand, stored):
                    store(operand)
            if _column_stride(op.operands[1], stored) != 1:
                store(op.operands[1])
        if op in claimed:
            continue
        for result in op.results:
            if result.has_more_than_one_use() and _weight(result, stored) > _STORE_ABOVE:
                store(result)
    for value in terminator.operands:
        store(value)

    def order(stage: Stage) -> int:
        owner = stage.target.owner
        return position[owner] if isinstance(owner, Operation) else -1

    return tuple(sorted(stages, key=order))


def _fold_stages(
    block: Block, position: dict[Operation, int]
) -> tuple[list[Stage], set[Operation]]:
    """One stage a fold, and the operations in their epilogues; later folds claim first."""
    claimed: set[Operation] = set()
    stages: list[Stage] = []
    for op in reversed(list(block.ops)):
        if not (isinstance(op, Indexed) and is_fold(op)):
            continue
        space = op.iteration_space()
        value, index = op.results[0], space.result
        while (step := _extend(value, index, claimed, position)) is not None:
            value, index, region = step
            claimed |= region
        stages.append(Stage(value, value, op, space.extents, space.parallel, index, index))
    return stages, claimed


def _extend(
    value: SSAValue, index: AffineMap, claimed: set[Operation], position: dict[Operation, int]
) -> tuple[SSAValue, AffineMap, set[Operation]] | None:
    """The next value that an epilogue can end in, or None where it must end here.

    Every path from `value` must lead there, through elementwise operations of
    one shape or a single move.
    """
    users = {use.operation for use in value.uses}
    if len(users) == 1:
        (user,) = users
        forward = user.forward_map() if isinstance(user, Reorganising) else None
        if forward is not None and user not in claimed:
            return user.results[0], forward.compose(index), {user}
    region: set[Operation] = set()
    while users:
        user = min(users, key=position.__getitem__)
        if user in claimed or not isinstance(user, ElementwiseOp):
            return None
        if shape_of(user.result) != shape_of(value):
            return None
        region.add(user)
        users.discard(user)
        if not users:
            return user.result, index, region
        users |= {use.operation for use in user.result.uses} - region
    return None


def _map_stages(value: SSAValue) -> list[Stage]:
    """The stages that store a value without an anchor."""
    if not isinstance(value.owner, ConcatOp):
        source, target_map = _before_reshapes(value)
        shape = shape_of(source)
        identity = AffineMap.identity(len(shape))
        return [Stage(source, value, None, shape, len(shape), identity, target_map)]
    shape = shape_of(value)
    rank = len(shape)
    op = value.owner
    axis = op.axis.value.data
    stages: list[Stage] = []
    for piece, offset in zip(op.inputs, op.offsets(), strict=True):
        results = tuple(
            AffineDimExpr(d) + offset if d == axis and offset else AffineDimExpr(d)
            for d in range(rank)
        )
        stages.append(
            Stage(
                piece,
                value,
                None,
                shape_of(piece),
                rank,
                AffineMap.identity(rank),
                AffineMap(rank, 0, results),
            )
        )
    return stages


def _before_reshapes(value: SSAValue) -> tuple[SSAValue, AffineMap]:
    """What reaches `value` by moves that keep the row-major order, and the map between them.

    Looping over the shape before such moves keeps the dimensions that the
    other stages of a layer have.
    """
    index = AffineMap.identity(len(shape_of(value)))
    while isinstance(owner := value.owner, Reorganising):
        operand = owner.operands[0]
        shape = shape_of(operand)
        forward = owner.forward_map()
        dims = [Index.of(Variable(f"d{n}", extent)) for n, extent in enumerate(shape)]
        if forward is None:
            break
        moved = linearise(apply_map(forward, dims), shape_of(value))
        if moved != linearise(dims, shape):
            break
        value, index = operand, index.compose(forward)
    return value, index


def is_plain(value: SSAValue, stored: set[SSAValue]) -> bool:
    """Whether reading a value is one load: a stored value seen through moves."""
    owner = value.owner
    if value in stored or not isinstance(owner, CanaoOp):
        return True
    if owner.access_pattern() in _MOVES and isinstance(owner, Reorganising):
        return is_plain(owner.operands[0], stored)
    return owner.access_pattern() is AccessPattern.SOURCE


def _column_stride(value: SSAValue, stored: set[SSAValue]) -> int | None:
    """Elements between neighbours of the last dimension in the buffer a plain value reads."""
    column = Variable("column", shape_of(value)[-1])
    if column.extent == 1:
        return 1
    index = [Index.of(Variable(f"d{n}", e)) for n, e in enumerate(shape_of(value)[:-1])]
    index.append(Index.of(column))
    while value not in stored and isinstance(value.owner, Reorganising):
        (access,) = value.owner.iteration_space().operands
        index = list(apply_map(access, index))
        value = value.owner.operands[0]
    return linearise(index, shape_of(value)).coefficient(column)


def _weight(value: SSAValue, stored: set[SSAValue]) -> int:
    """Arithmetic needed to evaluate one element of a value from stored ones."""
    owner = value.owner
    if value in stored or not isinstance(owner, CanaoOp):
        return 0
    if is_fold(owner):
        return 0
    own = _GATHER_WEIGHT if owner.access_pattern() is AccessPattern.GATHER else owner.cost()
    return own + sum(_weight(operand, stored) for operand in owner.operands)
