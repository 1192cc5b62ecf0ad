"""Emits the reductions of a tile: loops over the reduced dimensions that carry the totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import VectorType
from xdsl.ir import Block, SSAValue

from canao.dialects.canao_memory import CompilerFenceOp
from canao.dialects.canao_vector import InOrderOp, KeepOp
from canao.dialects.interfaces import Reorganising
from canao.lowering.emit.loops import Loops, Names, carrying_loop
from canao.lowering.emit.prefetch import Prefetch
from canao.lowering.emit.reduction import Reduction
from canao.lowering.emit.runs import Run, terms_of
from canao.lowering.emit.scalar_ops import add
from canao.lowering.emit.sizes import Sizes
from canao.lowering.emit.tile import Point, Terms
from canao.lowering.emit.value_emitter import Buffer, Key, ValueEmitter, extract
from canao.lowering.schedules.schedule import StageSchedule
from canao.lowering.stages.layout import Panels
from canao.lowering.stages.stage import Part, Stage
from canao.lowering.stages.words import TERM, tile_word
from canao.machine.processor import VectorUnit
from canao.polyhedral.index import Index, Variable, apply_map
from canao.polyhedral.split import Segment, split_by_width, vector_pieces


def _columns(points: Sequence[Point], vector: int | None) -> int:
    """How many vectors of a row there are among the points of a tile, in order."""

    def row(point: Point) -> tuple[Index, ...]:
        return tuple(index for d, index in enumerate(point.dims) if d != vector)

    first = row(points[0])
    return next((n for n, point in enumerate(points) if row(point) != first), len(points))


def _words(word: str, count: int, columns: int) -> list[str]:
    """What running totals are called: by row and column where there are several of both."""
    if count == 1:
        return [word]
    if columns in (1, count):
        return [f"{word}{n}" for n in range(count)]
    return [f"{word}{n // columns}.{n % columns}" for n in range(count)]


@dataclass(frozen=True)
class ReductionEmitter:
    """Emits the reductions of a stage's anchor."""

    stage: Stage
    schedule: StageSchedule
    unit: VectorUnit
    buffers: Mapping[SSAValue, Buffer]
    names: Names
    sizes: Sizes

    def whole(self, d: int) -> Part:
        """All terms of a folded dimension."""
        return Part(Index(), self.stage.extents[d], count=self.sizes.count(self.stage.lengths[d]))

    def totals(
        self,
        emitter: ValueEmitter,
        reduction: Reduction,
        points: list[Point],
        terms: Terms,
        before: Sequence[SSAValue] = (),
    ) -> Sequence[SSAValue]:
        """The totals of all points over a run of terms, with those `before` if there are."""
        element = reduction.element
        types = [
            VectorType(element, [p.lane.extent]) if p.lane is not None else element for p in points
        ]
        totals = before or [reduction.neutral(emitter.block, t) for t in types]
        return self._reduce_dims(emitter, reduction, points, totals, self.stage.parallel, terms)

    def _reduce_dims(
        self,
        emitter: ValueEmitter,
        reduction: Reduction,
        points: list[Point],
        totals: Sequence[SSAValue],
        d: int,
        terms: Terms | None = None,
    ) -> Sequence[SSAValue]:
        """Reduces `terms` of dimension `d`, all if None, and all dimensions after it."""
        if d == len(self.stage.extents):
            return self._step(emitter, reduction, points, totals)
        if d == self.schedule.vector:
            return self._reduce_lanes(emitter, reduction, points, totals, d)
        terms = terms or Terms(self.whole(d))
        return self._reduce_part(emitter, reduction, points, totals, d, terms)

    def _reduce_part(
        self,
        emitter: ValueEmitter,
        reduction: Reduction,
        points: list[Point],
        totals: Sequence[SSAValue],
        d: int,
        terms: Terms,
    ) -> Sequence[SSAValue]:
        """Reduces a run of dimension `d`, and all of those after it."""
        part, tile = terms.part, self.schedule.tile[d]
        tile = max(1, tile // 2) if terms.rolled else tile
        prefetch = self._prefetch(points[0], d, terms, tile)
        runs, loops = terms_of(emitter.block, emitter.loops, self.names, part, tile)
        for run in runs:

            def body(
                block: Block,
                loops: Loops,
                at: Index,
                carried: Sequence[SSAValue],
                run: Run = run,
            ) -> Sequence[SSAValue]:
                inner = emitter.inside(block, loops)
                if prefetch is not None and run.size == tile:
                    prefetch.fetch(inner, at)
                first = part.start + (at * run.size + run.start) * part.stride
                if reduction.multiplies and part.stride == 1 and d == len(self.stage.extents) - 1:
                    self._load_terms(inner, reduction, points, d, first, run.size)
                for n in range(run.size):
                    place = first + n * part.stride
                    moved = [replace(p, dims=p.moved({d: place})) for p in points]
                    carried = self._reduce_dims(inner, reduction, moved, carried, d + 1)
                return carried

            totals = carrying_loop(
                emitter.block,
                loops,
                self.names,
                run.count,
                totals,
                body,
                tile_word(TERM, run.size),
                _words(reduction.word, len(points), _columns(points, self.schedule.vector)),
                run.most,
            )
        return totals

    def _load_terms(
        self,
        emitter: ValueEmitter,
        reduction: Reduction,
        points: list[Point],
        d: int,
        first: Index,
        count: int,
    ) -> None:
        """Loads the numbers of several terms of a row at once, where they lie side by side.

        Only for processors whose multiply-adds can take a lane of a vector.
        """
        width = self.unit.terms_a_load
        if width == 1 or count % width:
            return
        lane = Variable("term", width)
        space = reduction.op.iteration_space()
        for start in range(0, count, width):
            for value, access in zip(reduction.op.operands, space.operands, strict=True):
                for point in points:
                    along = apply_map(access, point.moved({d: first + start + Index.of(lane)}))
                    self._load_lanes(emitter, value, along, lane, point.lane)

    def _load_lanes(
        self,
        emitter: ValueEmitter,
        value: SSAValue,
        along: tuple[Index, ...],
        lane: Variable,
        columns: Variable | None,
    ) -> None:
        """Makes a value known at each index of a lane, from one load if its memory allows it."""
        places = [tuple(i.substitute(lane, n) for i in along) for n in range(lane.extent)]
        source, index = self._stored(value, along)
        buffer = self.buffers.get(source)
        varies = columns is not None and any(i.uses(columns) for i in index)
        if buffer is None or varies or (value, places[0]) in emitter.known:
            return
        if buffer.layout.position(index).coefficient(lane) != 1:
            return
        loaded = emitter.evaluate(value, along, lane)
        for n, place in enumerate(places):
            emitter.known[value, place] = add(emitter.block, extract(loaded, n))

    def _prefetch(self, point: Point, d: int, terms: Terms, tile: int) -> Prefetch | None:
        """What to fetch while a tile of a product with packed columns is summed."""
        if self.schedule.prefetch is None:
            return None
        anchor = self.stage.anchor
        assert anchor is not None
        space = anchor.iteration_space()
        for operand, access in zip(anchor.operands, space.operands, strict=True):
            source, index = self._stored(
                operand, apply_map(access, point.moved({d: terms.part.start}))
            )
            buffer = self.buffers.get(source)
            if buffer is None or not isinstance(buffer.layout, Panels):
                continue
            start = buffer.layout.position(index)
            if point.lane is not None:
                start = start.without(point.lane)
            trips = terms.part.size // tile
            width = buffer.layout.width
            return Prefetch.over(
                buffer.memory,
                start,
                terms.part.size * width,
                self.schedule.prefetch * width,
                terms.tile,
                terms.tiles,
                trips,
                self.unit.caches,
            )
        return None

    def _stored(
        self, value: SSAValue, index: tuple[Index, ...]
    ) -> tuple[SSAValue, tuple[Index, ...]]:
        """The value that moves lead to, and the index there."""
        while value not in self.buffers and isinstance(owner := value.owner, Reorganising):
            (access,) = owner.iteration_space().operands
            value, index = owner.operands[0], apply_map(access, index)
        return value, index

    def _step(
        self,
        emitter: ValueEmitter,
        reduction: Reduction,
        points: list[Point],
        totals: Sequence[SSAValue],
    ) -> list[SSAValue]:
        space = reduction.op.iteration_space()
        read = [
            [
                (v, apply_map(at, p.dims))
                for v, at in zip(reduction.op.operands, space.operands, strict=True)
            ]
            for p in points
        ]
        held = self._hold(emitter, points, read) if self.schedule.keep else []
        out: list[SSAValue] = []
        for point, total, operands in zip(points, totals, read, strict=True):
            terms = [emitter.evaluate(value, place, point.lane) for value, place in operands]
            if isinstance(total.type, VectorType):
                terms = [self._widen(emitter, t, total.type.get_shape()[0]) for t in terms]
            total = reduction.accumulate(emitter.block, total, terms)
            ordered = self.schedule.keep and isinstance(total.type, VectorType)
            out.append(add(emitter.block, InOrderOp(total)) if ordered else total)
        if self.schedule.keep:
            emitter.block.add_op(CompilerFenceOp(held))
        return out

    def _hold(
        self,
        emitter: ValueEmitter,
        points: list[Point],
        read: list[list[tuple[SSAValue, tuple[Index, ...]]]],
    ) -> list[SSAValue]:
        """Has the vectors that the points of a tile read in registers before anything else."""
        held: dict[Key, SSAValue] = {}
        for point, operands in zip(points, read, strict=True):
            for key in operands:
                value, place = key
                if key in held or not any(point.lane and i.uses(point.lane) for i in place):
                    continue
                loaded = emitter.evaluate(value, place, point.lane)
                if isinstance(loaded.type, VectorType):
                    held[key] = emitter.known[key] = add(emitter.block, KeepOp(loaded))
        return list(held.values())

    def _widen(self, emitter: ValueEmitter, value: SSAValue, width: int) -> SSAValue:
        if isinstance(value.type, VectorType):
            return value
        key = (value, (Index.constant(width),))
        found = emitter.known.get(key)
        if found is None:
            found = emitter.known[key] = emitter.broadcast(value, width)
        return found

    def _reduce_lanes(
        self,
        emitter: ValueEmitter,
        reduction: Reduction,
        points: list[Point],
        totals: Sequence[SSAValue],
        d: int,
    ) -> Sequence[SSAValue]:
        """Reduces the vector dimension: vectors first, their lanes at the end."""
        running = list(totals)
        for segment in split_by_width(
            self.stage.extents[d], self.schedule.tile[d], self.unit.lanes_f32
        ):
            pieces = vector_pieces(segment.size, self.unit.lanes_f32)
            wide: list[Point] = []
            for point in points:
                for first, width in pieces:
                    lane = Variable("lane", width) if width > 1 else None
                    index = (Index.of(lane) if lane else Index()) + segment.start + first
                    wide.append(Point(point.moved({d: index}), lane))
            starts = [
                reduction.neutral(
                    emitter.block,
                    VectorType(reduction.element, [p.lane.extent]) if p.lane else reduction.element,
                )
                for p in wide
            ]

            def body(
                block: Block,
                loops: Loops,
                at: Index,
                carried: Sequence[SSAValue],
                segment: Segment = segment,
                wide: list[Point] = wide,
            ) -> Sequence[SSAValue]:
                inner = emitter.inside(block, loops)
                moved = [replace(p, dims=p.moved({d: p.dims[d] + at * segment.size})) for p in wide]
                return self._reduce_dims(inner, reduction, moved, carried, d + 1)

            sums = carrying_loop(
                emitter.block,
                emitter.loops,
                self.names,
                segment.count,
                starts,
                body,
                tile_word(TERM, segment.size),
                _words(reduction.word, len(wide), len(pieces)),
            )
            for n in range(len(points)):
                mine = sums[n * len(pieces) : (n + 1) * len(pieces)]
                running[n] = self._collapse(emitter.block, reduction, running[n], mine)
        return running

    @staticmethod
    def _collapse(
        block: Block, reduction: Reduction, total: SSAValue, sums: Sequence[SSAValue]
    ) -> SSAValue:
        """Combines vectors of one width pairwise, then their lanes, then the rest."""
        by_type: dict[object, list[SSAValue]] = {}
        for value in sums:
            by_type.setdefault(value.type, []).append(value)
        for group in by_type.values():
            while len(group) > 1:
                pairs = [
                    reduction.combine(block, a, b)
                    for a, b in zip(group[::2], group[1::2], strict=False)
                ]
                group = pairs + group[len(pairs) * 2 :]
            total = reduction.combine(block, total, reduction.across(block, group[0]))
        return total
