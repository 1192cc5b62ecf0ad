"""Evaluates values of a layer at a point: loads, arithmetic, nothing stored.

A point is an index whose expressions are made of loop variables and, where a
vector of neighbours is wanted, of a *lane* variable. What does not depend on
the lane stays scalar until it meets a vector.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from xdsl.dialects import affine, arith, cf, memref, vector
from xdsl.dialects.builtin import (
    AffineMapAttr,
    DenseArrayBase,
    IndexType,
    MemRefType,
    VectorType,
    f32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineMap

from canao.dialects.canao import ConstantOp, GatherOp
from canao.dialects.canao.source import storage_type
from canao.dialects.canao.types import broadcast_map, shape_of
from canao.dialects.canao_memory import Locality, PrefetchOp
from canao.dialects.interfaces import Indexed, Reorganising
from canao.errors import VerificationError
from canao.extent import is_symbolic
from canao.lowering.emit.scalar_ops import ARITHMETIC, add, cast_to, compare, element_type, number
from canao.lowering.emit.sizes import Sizes
from canao.lowering.stages.layout import Layout
from canao.lowering.stages.stage import is_reduction
from canao.polyhedral.index import Index, Variable, apply_map

_LONG = 10
"""Cost of an operation that becomes a chain of others, as `exp` does."""

Point = tuple[Index, ...]
Key = tuple[SSAValue, Point]


@dataclass(frozen=True)
class Buffer:
    """The memory of a stored value."""

    memory: SSAValue
    layout: Layout


@dataclass
class ValueEmitter:
    """Emits into `block`; `loops` gives the SSA value of each loop variable."""

    block: Block
    loops: Mapping[Variable, SSAValue]
    buffers: Mapping[SSAValue, Buffer]
    root: SSAValue | None = None
    """The value being stored now: evaluated, not loaded, although it has a buffer."""
    sizes: Sizes | None = None
    """Extents that depend on symbols, where there are any."""
    known: MutableMapping[Key, SSAValue] = field(default_factory=dict[Key, SSAValue])
    accesses: MutableMapping[SSAValue, tuple[AffineMap, ...]] = field(
        default_factory=dict[SSAValue, tuple[AffineMap, ...]]
    )

    def inside(self, block: Block, loops: Mapping[Variable, SSAValue]) -> ValueEmitter:
        """An emitter for a nested block: sees what is known here, keeps its own to itself."""
        known: ChainMap[Key, SSAValue] = ChainMap({}, cast(dict[Key, SSAValue], self.known))
        return replace(self, block=block, loops=loops, known=known)

    # ------------------------------------------------------------- values

    def evaluate(self, value: SSAValue, point: Point, lane: Variable | None) -> SSAValue:
        """The value at a point: a vector along `lane` where it varies, else a scalar."""
        key = (value, point)
        found = self.known.get(key)
        if found is None:
            found = self._evaluate(value, point, lane)
            self.known[key] = found
        return found

    def evaluate_together(
        self, value: SSAValue, points: Sequence[tuple[Point, Variable | None]]
    ) -> None:
        """Makes a value known at some points, one operation after the other for all of them."""
        owner = value.owner
        if self._is_computed(value) and isinstance(owner, Indexed):
            for operand, access in zip(owner.operands, self._access_maps(owner), strict=True):
                self.evaluate_together(operand, [(apply_map(access, p), n) for p, n in points])
        for point, lane in points:
            self.evaluate(value, point, lane)

    def is_long(self, value: SSAValue) -> bool:
        """Whether evaluating a value takes a long chain of dependent operations."""
        owner = value.owner
        if not self._is_computed(value) or not isinstance(owner, Indexed):
            return False
        return owner.cost() >= _LONG or any(self.is_long(operand) for operand in owner.operands)

    def _is_computed(self, value: SSAValue) -> bool:
        return (value is self.root or value not in self.buffers) and not isinstance(
            value.owner, GatherOp
        )

    def _evaluate(self, value: SSAValue, point: Point, lane: Variable | None) -> SSAValue:
        owner = value.owner
        if value in self.buffers and value is not self.root:
            buffer = self.buffers[value]
            return self.load(buffer.memory, buffer.layout.position(point), lane)
        if isinstance(owner, ConstantOp):
            return self._constant(owner)
        if isinstance(owner, GatherOp):
            return self._gather(owner, point, lane)
        if not isinstance(owner, Indexed) or is_reduction(owner):
            raise VerificationError(f"{value} inside a layer is neither stored nor elementwise")
        args = [
            self.evaluate(operand, apply_map(access, point), lane)
            for operand, access in zip(owner.operands, self._access_maps(owner), strict=True)
        ]
        if isinstance(owner, Reorganising):
            return args[0]
        if type(owner) not in ARITHMETIC:
            raise VerificationError(
                f"op '{owner.name}' has no arithmetic to lower it to; report it as a bug in canao"
            )
        return ARITHMETIC[type(owner)](self.block, owner, self.unify(args))

    def _access_maps(self, op: Indexed) -> tuple[AffineMap, ...]:
        result = op.results[0]
        maps = self.accesses.get(result)
        if maps is None:
            maps = self.accesses[result] = op.iteration_space().operands
        return maps

    def _constant(self, op: ConstantOp) -> SSAValue:
        if not op.value.is_splat():
            raise VerificationError(
                f"{op.result.type} constant inside a layer: pass it as an input"
            )
        return number(self.block, op.array().item(0), op.value.type.element_type)

    def unify(self, args: Sequence[SSAValue]) -> list[SSAValue]:
        """Broadcasts scalars to vectors where any argument is a vector."""
        lanes = next((a.type.get_shape() for a in args if isinstance(a.type, VectorType)), None)
        if lanes is None:
            return list(args)
        return [self.broadcast(a, lanes[0]) for a in args]

    def broadcast(self, value: SSAValue, width: int) -> SSAValue:
        """A vector of `width` copies of a scalar; vectors are left alone."""
        if width == 1 or isinstance(value.type, VectorType):
            return value
        return add(self.block, vector.BroadcastOp(value, VectorType(value.type, [width])))

    # ------------------------------------------------------------- memory

    def subscript(self, position: Index) -> tuple[list[SSAValue], AffineMap]:
        """The operands and the affine map of a position."""
        variables = position.variables()
        expr = position.to_affine(variables)
        return [self.loops[v] for v in variables], AffineMap(len(variables), 0, (expr,))

    def load(self, memory: SSAValue, position: Index, lane: Variable | None) -> SSAValue:
        """The element at a position, or the vector along the lane."""
        if lane is None or not position.uses(lane):
            operands, access = self.subscript(position)
            kind = _memory_element(memory)
            load = _access(affine.LoadOp, [memory, *operands], access, [kind])
            return self._loaded(load)
        if position.coefficient(lane) != 1:
            return self._each_lane(lane, lambda p: self.load(memory, p, None), position)
        operands, access = self.subscript(position.without(lane))
        kind = VectorType(_memory_element(memory), [lane.extent])
        return self._loaded(_access(affine.VectorLoadOp, [memory, *operands], access, [kind]))

    def _loaded(self, load: Operation) -> SSAValue:
        """What a load gives; types of memory become float32 at once, which is computed with."""
        value = add(self.block, load)
        stored = storage_type(element_type(value.type))
        return cast_to(self.block, value, f32) if stored else value

    def _as_stored(self, value: SSAValue, memory: SSAValue) -> SSAValue:
        """A value in the type of the memory it goes to."""
        element = _memory_element(memory)
        stored = storage_type(element)
        if stored is None:
            return value
        limits = [number(self.block, n, value.type) for n in (-stored.largest, stored.largest)]
        above = add(self.block, arith.MaximumfOp(value, limits[0]))
        return cast_to(self.block, add(self.block, arith.MinimumfOp(above, limits[1])), element)

    def _each_lane(
        self, lane: Variable, scalar: Callable[[Index], SSAValue], position: Index
    ) -> SSAValue:
        return self.from_elements(
            [scalar(position.substitute(lane, n)) for n in range(lane.extent)]
        )

    def from_elements(self, elements: Sequence[SSAValue]) -> SSAValue:
        """A vector of scalars."""
        kind = VectorType(elements[0].type, [len(elements)])
        built = number(self.block, 0, kind)
        for n, element in enumerate(elements):
            built = add(self.block, insert(element, built, n))
        return built

    def store(
        self, value: SSAValue, memory: SSAValue, position: Index, lane: Variable | None
    ) -> None:
        """Stores a scalar, or a vector along the lane."""
        if lane is None:
            value = self._as_stored(value, memory)
            operands, access = self.subscript(position)
            self.block.add_op(_access(affine.StoreOp, [value, memory, *operands], access))
            return
        value = self.broadcast(value, lane.extent)
        if position.coefficient(lane) == 1:
            value = self._as_stored(value, memory)
            operands, access = self.subscript(position.without(lane))
            self.block.add_op(_access(affine.VectorStoreOp, [value, memory, *operands], access))
            return
        for n in range(lane.extent):
            element = add(self.block, extract(value, n))
            self.store(element, memory, position.substitute(lane, n), None)

    def prefetch(
        self, memory: SSAValue, position: Index, near: bool, *, is_write: bool = False
    ) -> None:
        """Asks for the cache line of a position, which may lie past the end.

        It comes into the nearest cache, or else into the second; `is_write` if to be written.
        """
        operands, access = self.subscript(position)
        locality = Locality.NEAREST if near else Locality.SECOND
        self.block.add_op(PrefetchOp(memory, operands, access, locality, is_write=is_write))

    # ------------------------------------------------------------- gather

    def _gather(self, op: GatherOp, point: Point, lane: Variable | None) -> SSAValue:
        count = len(op.indices)
        table_shape = shape_of(op.table)
        picked = len(point) - (len(table_shape) - count)
        leading, rest = point[:picked], point[picked:]
        if lane is not None and any(i.uses(lane) for i in leading):
            return self.from_elements(
                [
                    self.evaluate(op.result, tuple(i.substitute(lane, n) for i in point), None)
                    for n in range(lane.extent)
                ]
            )
        shape = shape_of(op.result)[:picked]
        chosen = [
            self._row(
                self.evaluate(v, apply_map(broadcast_map(shape_of(v), shape), leading), None),
                table_shape[n],
            )
            for n, v in enumerate(op.indices)
        ]
        table = self.buffers[op.table]
        zeros = [Index()] * count
        position = self.apply(table.layout.position([*zeros, *rest]), lane)
        for n, row in enumerate(chosen):
            one = [Index.constant(int(m == n)) for m in range(count)]
            stride = table.layout.position([*one, *[Index()] * len(rest)]).offset
            scaled = add(self.block, arith.MuliOp(row, self._index(stride)))
            position = add(self.block, arith.AddiOp(position, scaled))
        varies = lane is not None and any(i.uses(lane) for i in rest)
        if lane is None or not varies:
            return self._loaded(memref.LoadOp.get(table.memory, [position]))
        if table.layout.position([*zeros, *rest]).coefficient(lane) != 1:
            return self.from_elements(
                [
                    self.evaluate(op.result, tuple(i.substitute(lane, n) for i in point), None)
                    for n in range(lane.extent)
                ]
            )
        kind = VectorType(_memory_element(table.memory), [lane.extent])
        return self._loaded(vector.LoadOp(table.memory, [position], kind))

    def _row(self, number_: SSAValue, extent: int) -> SSAValue:
        """A run-time index made safe: checked, and 0 where the check fails."""
        block = self.block
        zero = number(block, 0, i64)
        above = compare(block, "ge", number_, zero)
        below = compare(block, "lt", number_, self._limit(extent))
        valid = add(block, arith.AndIOp(above, below))
        block.add_op(cf.AssertOp(valid, f"index out of range for a table of {extent} rows"))
        safe = add(block, arith.SelectOp(valid, number_, zero))
        return add(block, arith.IndexCastOp(safe, IndexType()))

    def _limit(self, extent: int) -> SSAValue:
        """An extent as i64."""
        if not is_symbolic(extent):
            return number(self.block, extent, i64)
        assert self.sizes is not None
        return add(self.block, arith.IndexCastOp(self.sizes.value(extent), i64))

    def _index(self, value: int) -> SSAValue:
        return add(self.block, arith.ConstantOp.from_int_and_width(value, IndexType()))

    def apply(self, position: Index, lane: Variable | None = None) -> SSAValue:
        """The number that a position is; that of its first lane along one."""
        base = position.substitute(lane, 0) if lane is not None else position
        operands, access = self.subscript(base)
        return add(self.block, affine.ApplyOp(operands, AffineMapAttr(access)))


def _access(
    kind: type[Operation],
    operands: Sequence[SSAValue],
    access: AffineMap,
    result_types: Sequence[Attribute] = (),
) -> Operation:
    """A load or store of the affine dialect."""
    return kind.create(
        operands=operands, properties={"map": AffineMapAttr(access)}, result_types=result_types
    )


def _memory_element(memory: SSAValue) -> Attribute:
    assert isinstance(memory.type, MemRefType)
    return memory.type.element_type


def insert(element: SSAValue, into: SSAValue, lane: int) -> vector.InsertOp:
    """Sets one lane of a vector."""
    return vector.InsertOp.create(
        operands=[element, into],
        properties={"static_position": DenseArrayBase.from_list(i64, [lane])},
        result_types=[into.type],
    )


def extract(value: SSAValue, lane: int) -> vector.ExtractOp:
    """One lane of a vector."""
    assert isinstance(value.type, VectorType)
    return vector.ExtractOp.create(
        operands=[value],
        properties={"static_position": DenseArrayBase.from_list(i64, [lane])},
        result_types=[value.type.element_type],
    )
