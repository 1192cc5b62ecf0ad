"""Emits a product whose operands pass through the memory of a group, block by block.

The terms are cut into blocks. The items copy the blocks of both operands, wait,
and each adds up its tile over its share of the block's terms, in registers of its
own. Meanwhile the next block is under way: it is fetched into registers before
the sums, and put into the memory of the group after them. Where items share
the terms of a tile, their sums are added up at the end through that memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from xdsl.ir import Block, SSAValue

from canao.dialects.canao.types import element_of
from canao.dialects.group_memory import buffer_size, own_part
from canao.lowering.emit.groups.shared_stage import SharedStageEmitter
from canao.lowering.emit.loops import Loops, loop, share
from canao.lowering.emit.reduction import Reduction
from canao.lowering.emit.tile import Point, Terms
from canao.lowering.emit.value_emitter import Buffer, ValueEmitter
from canao.lowering.schedules.pipelining_plan import OperandCopy, PipeliningPlan, plan_pipelining
from canao.lowering.stages.layout import Dense
from canao.lowering.stages.stage import Part
from canao.polyhedral.index import Index, Variable, apply_map, linearise


@dataclass(frozen=True)
class Unit:
    """What an item copies at once of an operand."""

    operand: int
    place: tuple[Index, ...]
    """Where it lies in the operand."""
    lane: Variable | None
    item: Index
    """The number of the item."""
    own: int
    """Elements that the item copies before it."""
    position: Index
    """Where it lies in the memory of the group."""

    def slot(self, memory: SSAValue) -> Index:
        """Where it lies in memory of which each item has a part."""
        return self.item * own_part(memory) + self.own + _along(self.lane)


Move = Callable[[ValueEmitter, Unit], None]


class PipelinedProductEmitter(SharedStageEmitter):
    """Emits a product into the block of a group."""

    def emit(self, block: Block, loops: Loops, parts: Sequence[Part]) -> None:
        stage_buffers = self.stage_buffers
        assert stage_buffers.shared is not None
        assert stage_buffers.sums is not None
        plan = plan_pipelining(
            self.stage,
            self.schedule,
            [part.size for part in parts],
            (stage_buffers.items, stage_buffers.split_k, stage_buffers.k_tile),
            self.lanes,
            self.buffers,
        )
        emitter = ValueEmitter(block, loops, self.buffers, self.stage.target)
        terms = self.stage.extents[-1]
        if plan is None:
            self._share(emitter, parts, Terms(Part(Index(), terms)))
            return
        _Multiplication(self, plan, parts, stage_buffers.shared, stage_buffers.sums).emit(emitter)


class _Multiplication:
    """One product of a part under a plan."""

    def __init__(
        self,
        of: PipelinedProductEmitter,
        plan: PipeliningPlan,
        parts: Sequence[Part],
        shared: SSAValue,
        sums: SSAValue,
    ) -> None:
        assert of.stage.anchor is not None
        self.of = of
        self.plan = plan
        self.tiling = plan.tiling
        self.parts = list(parts)
        self.shared = shared
        self.sums = sums
        self.anchor = of.stage.anchor
        self.reduction = Reduction(self.anchor, element_of(self.anchor.results[0]))

    def emit(self, emitter: ValueEmitter) -> None:
        """Emits all of it."""
        blocks = self.of.stage.extents[-1] // self.of.stage_buffers.k_tile
        self._clear(emitter)
        self._fetch(emitter, Index())
        self._put(emitter, Index())

        def body(inner: Block, inside: Loops, at: Index) -> None:
            within = emitter.inside(inner, inside)
            self._fetch(within, at + 1)
            self._add_up(within, at)
            self._put(within, at + 1)

        if blocks > 1:
            loop(emitter.block, emitter.loops, self.of.names, blocks - 1, body)
        self._add_up(emitter, Index.constant(blocks - 1))
        self._add_rest(emitter, blocks)
        if self.plan.split_k == 1:
            self._store_tiles(emitter)
            return
        capacity = buffer_size(self.shared)
        taken = self.tiling.rounds(self.plan.split_k, capacity)
        steps = zip(self.tiling.inner, taken, strict=True)
        for first in product(*(range(0, count, step) for count, step in steps)):
            self._hand_over(emitter, first, taken)
            self._store_totals(emitter, first, taken)

    # --------------------------------------------------------------- copies

    def _base(self, n: int, block: Index) -> tuple[Index, ...]:
        """Where a block of operand `n` begins."""
        starts = [part.start for part in self.parts]
        starts.append(block * self.of.stage_buffers.k_tile)
        return apply_map(self.anchor.iteration_space().operands[n], starts)

    def _copy(
        self, emitter: ValueEmitter, copies: Sequence[OperandCopy], block: Index, move: Move
    ) -> None:
        """Each item moves its units of a block, for one operand after the other."""
        for n, copy in enumerate(copies):
            base = self._base(n, block)

            def body(
                inner: Block,
                inside: Loops,
                at: Sequence[Index],
                n: int = n,
                copy: OperandCopy = copy,
                base: tuple[Index, ...] = base,
            ) -> None:
                within = ValueEmitter(inner, inside, self.of.buffers, self.of.stage.target)
                layout, item = copy.layout(base), linearise(at, copy.grid)
                for trip, (place, lane) in enumerate(copy.places(base, at)):
                    own = trip * copy.width
                    move(within, Unit(n, place, lane, item, own, layout.position(place)))

            share(emitter.block, emitter.loops, self.of.names, copy.grid, body)

    def _read(self, within: ValueEmitter, unit: Unit) -> SSAValue:
        return within.evaluate(self.anchor.operands[unit.operand], unit.place, unit.lane)

    def _fetch(self, emitter: ValueEmitter, block: Index) -> None:
        """Each item reads its units of a block into memory of its own."""

        def move(within: ValueEmitter, unit: Unit) -> None:
            own = self.of.stage_buffers.fetched[unit.operand]
            within.store(self._read(within, unit), own, unit.slot(own), unit.lane)

        self._copy(emitter, self.plan.copies, block, move)

    def _put(self, emitter: ValueEmitter, block: Index) -> None:
        """Each item puts what it fetched into the memory of the group."""

        def move(within: ValueEmitter, unit: Unit) -> None:
            own = self.of.stage_buffers.fetched[unit.operand]
            value = within.load(own, unit.slot(own), unit.lane)
            within.store(value, self.shared, unit.position, unit.lane)

        self._copy(emitter, self.plan.copies, block, move)

    # ----------------------------------------------------------------- sums

    def _point(self, tile: Sequence[Index], n: Sequence[Index | int]) -> Point:
        """Vector `n` of a tile."""
        dims = list(self.tiling.dims([part.start for part in self.parts], tile, n))
        lane = None
        if self.tiling.vector is not None:
            lane = Variable("lane", self.tiling.width)
            dims[self.tiling.vector] = dims[self.tiling.vector] + Index.of(lane)
        return Point((*dims, Index()), lane)

    def _vectors(self, taken: Sequence[int]) -> list[tuple[int, ...]]:
        """The numbers of some vectors of a tile."""
        return list(product(*map(range, taken)))

    def _slot(self, at: Sequence[Index], n: Sequence[int]) -> Index:
        """Where an item has the sums of vector `n` of its tile, less the lane."""
        number = linearise([Index.constant(k) for k in n], self.tiling.inner)
        item = linearise(at, self.plan.grid) * own_part(self.sums)
        return item + number * self.tiling.width

    def _points(self, at: Sequence[Index]) -> tuple[list[Point], list[Index]]:
        """The vectors of the tile at a place of the grid, and where their sums are."""
        vectors = self._vectors(self.tiling.inner)
        points = [self._point(at[1:], n) for n in vectors]
        slots = [
            self._slot(at, n) + _along(point.lane) for n, point in zip(vectors, points, strict=True)
        ]
        return points, slots

    def _clear(self, emitter: ValueEmitter) -> None:
        def body(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)
            zero = self.reduction.neutral(inner, self.reduction.element)
            for point, slot in zip(*self._points(at), strict=True):
                within.store(zero, self.sums, slot, point.lane)

        share(emitter.block, emitter.loops, self.of.names, self.plan.grid, body)

    def _add_up(self, emitter: ValueEmitter, block: Index) -> None:
        """Each item adds its share of a block's terms to the sums of its tile."""
        count = self.of.stage_buffers.k_tile // self.plan.split_k
        first = block * self.of.stage_buffers.k_tile
        self._add(emitter, self.plan.copies, self.plan.grid, block, Part(first, count))

    def _add_rest(self, emitter: ValueEmitter, blocks: int) -> None:
        """The terms after all whole blocks, if there are any: without any of them ahead.

        The items with the first share of each block add them up.
        """
        first = blocks * self.of.stage_buffers.k_tile
        rest = self.of.stage.extents[-1] - first
        if not rest:
            return
        block = Index.constant(blocks)

        def move(within: ValueEmitter, unit: Unit) -> None:
            within.store(self._read(within, unit), self.shared, unit.position, unit.lane)

        self._copy(emitter, self.plan.last, block, move)
        part = Part(Index.constant(first), rest)
        self._add(emitter, self.plan.last, (1, *self.tiling.tiles), block, part)

    def _add(
        self,
        emitter: ValueEmitter,
        copies: Sequence[OperandCopy],
        grid: Sequence[int],
        block: Index,
        part: Part,
    ) -> None:
        """The items of a grid add `part` and what follows it, a share each, of a copied block."""
        local = dict(self.of.buffers)
        for n, (operand, copy) in enumerate(zip(self.anchor.operands, copies, strict=True)):
            local[operand] = Buffer(self.shared, copy.layout(self._base(n, block)))

        def body(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = ValueEmitter(inner, inside, local, self.of.stage.target)
            points, slots = self._points(at)
            before = [
                within.load(self.sums, slot, point.lane)
                for point, slot in zip(points, slots, strict=True)
            ]
            terms = Terms(Part(part.start + at[0] * part.size, part.size))
            totals = self.of.reductions.totals(within, self.reduction, points, terms, before)
            for point, slot, total in zip(points, slots, totals, strict=True):
                within.store(total, self.sums, slot, point.lane)

        share(emitter.block, emitter.loops, self.of.names, grid, body)

    # --------------------------------------------------------------- results

    def _finish(self, within: ValueEmitter, points: list[Point], totals: list[SSAValue]) -> None:
        """Evaluates what follows the product at some points, and stores it."""
        stage = self.of.stage
        result = self.anchor.iteration_space().result
        for point, total in zip(points, totals, strict=True):
            within.known[self.anchor.results[0], apply_map(result, point.dims)] = total
        layout = self.of.buffers[stage.target].layout
        places = [layout.position(apply_map(stage.target_map, point.dims)) for point in points]
        self.of.store(within, points, places)

    def _store_tiles(self, emitter: ValueEmitter) -> None:
        def body(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)
            points, slots = self._points(at)
            totals = [
                within.load(self.sums, slot, point.lane)
                for point, slot in zip(points, slots, strict=True)
            ]
            for point, total in zip(points, totals, strict=True):
                self._finish(within, [point], [total])

        share(emitter.block, emitter.loops, self.of.names, self.plan.grid, body)

    def _partial(
        self, way: Index, n: Sequence[Index], tile: Sequence[Index], taken: Sequence[int]
    ) -> Index:
        """Where a partial sum of a vector of the round lies in the memory of the group."""
        layout = Dense((self.plan.split_k, *taken, *self.tiling.tiles, self.tiling.width))
        return layout.position([way, *n, *tile, Index()])

    def _hand_over(self, emitter: ValueEmitter, first: Sequence[int], taken: Sequence[int]) -> None:
        """Each item puts some of its sums into the memory of the group."""

        def body(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)
            for n in self._vectors(taken):
                number = [a + b for a, b in zip(first, n, strict=True)]
                lane = self._point(at[1:], number).lane
                total = within.load(self.sums, self._slot(at, number) + _along(lane), lane)
                place = self._partial(at[0], [Index.constant(k) for k in n], at[1:], taken)
                within.store(total, self.shared, place + _along(lane), lane)

        share(emitter.block, emitter.loops, self.of.names, self.plan.grid, body)

    def _store_totals(
        self, emitter: ValueEmitter, first: Sequence[int], taken: Sequence[int]
    ) -> None:
        """What was put there is added up, a vector an item."""
        counts = (*taken, *self.tiling.tiles)

        def body(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)
            n, tile = at[: len(taken)], at[len(taken) :]
            point = self._point(tile, [k + start for k, start in zip(n, first, strict=True)])
            parts = [
                within.load(
                    self.shared,
                    self._partial(Index.constant(way), n, tile, taken) + _along(point.lane),
                    point.lane,
                )
                for way in range(self.plan.split_k)
            ]
            total = parts[0]
            for part in parts[1:]:
                total = self.reduction.combine(inner, total, part)
            self._finish(within, [point], [total])

        share(emitter.block, emitter.loops, self.of.names, counts, body)


def _along(lane: Variable | None) -> Index:
    """The index of a lane within its vector."""
    return Index.of(lane) if lane is not None else Index()
