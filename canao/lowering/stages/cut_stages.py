"""Cuts a layer into stages, in one of two forms.

Layers with a product of rows with rows, such as the scores of attention, can be
cut for *row lanes*: with the rows of the product in vectors, so that what follows
along its columns, a softmax, needs no vector to be reduced across its lanes.
The left operand is then copied, transposed by the schedule, instead of the
right one, and the result of the layer's last product is moved in a stage of its
own, for the same reason.
"""

from __future__ import annotations

from collections.abc import Collection

from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from canao.dialects.canao import ConcatOp, GatherOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed, Reorganising
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.stage import Stage, column_stride, is_plain, is_reduction
from canao.polyhedral.index import Index, Variable, apply_map, linearise

# Arithmetic that must be recomputed at every use weighs this much; above the
# limit a value with several uses is stored instead.
_STORE_ABOVE = 2
_GATHER_WEIGHT = 3


def cut_stages(block: Block, *, row_lanes: bool = False, copied: bool = False) -> tuple[Stage, ...]:
    """The stages of a layer's body, in an order that respects dependences.

    The body must hold no composite operations; its terminator names the outputs.
    Where products have their operands `copied`, it does not matter how these lie.
    """
    terminator = block.last_op
    assert terminator is not None
    position = {op: n for n, op in enumerate(block.ops)}
    stages, claimed = _reduction_stages(block, position, row_lanes)
    placed = {stage.value for stage in stages}
    stored = placed & {stage.target for stage in stages}

    def store(value: SSAValue) -> None:
        if value not in stored:
            stored.add(value)
            moved = _moved_stage(value, stored) if row_lanes else None
            stages.extend(_map_stages(value, placed) if moved is None else (moved,))

    def store_operands(left: SSAValue, right: SSAValue) -> None:
        """Makes both operands of a product plain, and one of them contiguous in vectors."""
        for operand in (left, right):
            if not is_plain(operand, stored):
                store(operand)
        if copied or column_stride(right, stored) == 1:
            return
        if row_lanes and isinstance(left.owner, Operation) and left not in stored:
            stored.add(left)
            stages.append(_stage(left, left, AffineMap.identity(len(shape_of(left)))))
            return
        store(right)

    for op in block.ops:
        if isinstance(op, ConcatOp) and not _is_piece(op.result):
            store(op.result)
        if isinstance(op, GatherOp) and isinstance(op.table.owner, Operation):
            store(op.table)
        if isinstance(op, CanaoOp) and op.access_pattern() is AccessPattern.CONTRACT:
            store_operands(op.operands[0], op.operands[1])
        if op in claimed:
            continue
        for result in op.results:
            if result.has_more_than_one_use() and _weight(result, stored) > _STORE_ABOVE:
                store(result)
    for value in terminator.operands:
        store(value)

    def order(stage: Stage) -> int:
        owner = (stage.target if stage.anchor is None else stage.value).owner
        return position[owner] if isinstance(owner, Operation) else -1

    return tuple(sorted(stages, key=order))


def _reduction_stages(
    block: Block, position: dict[Operation, int], row_lanes: bool
) -> tuple[list[Stage], set[Operation]]:
    """One stage a reduction, with the operations in its epilogue; later reductions claim first."""
    claimed: set[Operation] = set()
    stages: list[Stage] = []
    for op in reversed(list(block.ops)):
        if not (isinstance(op, Indexed) and is_reduction(op)):
            continue
        space = op.iteration_space()
        value, index = op.results[0], space.result
        while (step := _extend(value, index, claimed, position)) is not None:
            if row_lanes and any(_reorders(moved) for moved in step[2]):
                break
            value, index, region = step
            claimed |= region
        target, target_map = _place(value, index)
        stages.append(Stage(value, target, op, space.extents, space.parallel, index, target_map))
    return stages, claimed


def _place(value: SSAValue, index: AffineMap) -> tuple[SSAValue, AffineMap]:
    """Where a value is stored: in the concatenation that alone needs it, or by itself."""
    while _is_piece(value):
        use = next(iter(value.uses))
        assert isinstance(use.operation, ConcatOp)
        index = _shift(use.operation, use.index).compose(index)
        value = use.operation.result
    return value, index


def _is_piece(value: SSAValue) -> bool:
    """Whether a value is only needed as a piece of a concatenation."""
    return value.has_one_use() and isinstance(next(iter(value.uses)).operation, ConcatOp)


def _shift(op: ConcatOp, piece: int) -> AffineMap:
    """Maps an index of a piece to its index in the concatenation."""
    axis, offset = op.axis.value.data, op.offsets()[piece]
    rank = len(shape_of(op.result))
    results = tuple(
        AffineDimExpr(d) + offset if d == axis and offset else AffineDimExpr(d) for d in range(rank)
    )
    return AffineMap(rank, 0, results)


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


def _map_stages(value: SSAValue, placed: Collection[SSAValue]) -> list[Stage]:
    """The stages that store a value without an anchor, but for pieces that are `placed`."""
    if not isinstance(value.owner, ConcatOp):
        source, target_map = _before_reshapes(value)
        return [_stage(source, value, target_map)]
    pieces = _pieces(value.owner, AffineMap.identity(len(shape_of(value))))
    return [_stage(piece, value, index) for piece, index in pieces if piece not in placed]


def _pieces(op: ConcatOp, index: AffineMap) -> list[tuple[SSAValue, AffineMap]]:
    """What a concatenation is made of, through concatenations that it alone needs.

    Each piece comes with the map from its index to one of the whole.
    """
    found: list[tuple[SSAValue, AffineMap]] = []
    for n, piece in enumerate(op.inputs):
        at = index.compose(_shift(op, n))
        if isinstance(piece.owner, ConcatOp) and _is_piece(piece):
            found += _pieces(piece.owner, at)
        else:
            found.append((piece, at))
    return found


def _before_reshapes(value: SSAValue) -> tuple[SSAValue, AffineMap]:
    """What reaches `value` by moves that keep the row-major order, and the map between them.

    Looping over the shape before such moves keeps the dimensions that the
    other stages of a layer have.
    """
    index = AffineMap.identity(len(shape_of(value)))
    while isinstance(owner := value.owner, Reorganising) and not _reorders(owner):
        forward = owner.forward_map()
        assert forward is not None
        value, index = owner.operands[0], index.compose(forward)
    return value, index


def _moved_stage(value: SSAValue, stored: Collection[SSAValue]) -> Stage | None:
    """The stage that moves a stored value to `value`, over the dimensions of the stored one."""
    source, index = value, AffineMap.identity(len(shape_of(value)))
    while isinstance(owner := source.owner, Reorganising):
        forward = owner.forward_map()
        if forward is None:
            return None
        source, index = owner.operands[0], index.compose(forward)
        if source in stored:
            return _stage(source, value, index)
    return None


def _stage(source: SSAValue, target: SSAValue, target_map: AffineMap) -> Stage:
    """Stores a value, element by element."""
    shape = shape_of(source)
    rank = len(shape)
    return Stage(source, target, None, shape, rank, AffineMap.identity(rank), target_map)


def _reorders(op: Operation) -> bool:
    """Whether an operation moves data so that the row-major order is another one."""
    if not isinstance(op, Reorganising):
        return False
    forward = op.forward_map()
    if forward is None:
        return True
    shape = stored_shape(op.operands[0])
    dims = [Index.of(Variable(f"d{n}", extent)) for n, extent in enumerate(shape)]
    moved = linearise(apply_map(forward, dims), stored_shape(op.results[0]))
    return moved != linearise(dims, shape)


def _weight(value: SSAValue, stored: set[SSAValue]) -> int:
    """Arithmetic needed to evaluate one element of a value from stored ones."""
    owner = value.owner
    if value in stored or not isinstance(owner, CanaoOp):
        return 0
    if is_reduction(owner):
        return 0
    own = _GATHER_WEIGHT if owner.access_pattern() is AccessPattern.GATHER else owner.cost()
    return own + sum(_weight(operand, stored) for operand in owner.operands)
