"""Emits a stage whose tiles the work-items of a group share.

The loops over tiles become one parallel loop, at whose end the items wait for
each other. A fold that has few results is itself shared: each item folds some
of its terms, and the partial results, in local memory, are folded at the end.
The operands of a product can pass through local memory, block by block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from xdsl.ir import Block, SSAValue
from xdsl.ir.affine import AffineDimExpr

from canao.dialects.canao.types import element_of
from canao.dialects.interfaces import Indexed
from canao.lowering.fold import Folding
from canao.lowering.layout import Dense, Window
from canao.lowering.loops import Loops, Names, fold_loop, loop, share
from canao.lowering.schedule import StageSchedule
from canao.lowering.stage import Part, Stage
from canao.lowering.stage_emitter import StageEmitter
from canao.lowering.tile import Point, Terms
from canao.lowering.value_emitter import Buffer, ValueEmitter
from canao.polyhedral.index import Index, apply_map
from canao.polyhedral.split import Segment, split_by_width, split_evenly


@dataclass(frozen=True)
class Room:
    """Local memory that a shared stage has beside its target."""

    ways: int = 1
    partials: SSAValue | None = None
    """Partial results of folds, `ways` for each."""
    staged: int = 0
    """Terms of a product whose operands are copied at once."""
    operands: tuple[SSAValue, ...] = ()
    """Where the operands are copied to."""
    sums_memory: SSAValue | None = None
    """Where sums wait between two blocks of terms; in the target if None."""


def operand_extents(stage: Stage, sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """The shape of the part that each operand of a product has in a part of its points.

    `sizes` are those of the part, folded dimensions included.
    """
    assert stage.anchor is not None
    return [
        tuple(sizes[e.position] if isinstance(e, AffineDimExpr) else 1 for e in access.results)
        for access in stage.anchor.iteration_space().operands
    ]


class SharedStageEmitter(StageEmitter):
    """Emits a stage into the block of a group."""

    def __init__(
        self,
        stage: Stage,
        schedule: StageSchedule,
        lanes: int,
        buffers: Mapping[SSAValue, Buffer],
        names: Names,
        room: Room,
        sums: Buffer | None = None,
    ) -> None:
        super().__init__(stage, schedule, lanes, buffers, names, sums)
        self.room = room

    def emit(self, block: Block, loops: Loops, parts: Sequence[Part]) -> None:
        emitter = ValueEmitter(block, loops, self.buffers, self.stage.target)
        if self.room.partials is not None:
            self._fold_together(emitter, parts, self.room.partials)
            return
        folded = self.stage.extents[self.stage.parallel :]
        if not folded:
            self._share(emitter, parts, None)
        elif self.room.staged:
            self._stage_operands(emitter, parts)
        else:
            self._share(emitter, parts, Terms(Part(Index(), folded[0])))

    # ----------------------------------------------------------------- tiles

    def _share(self, emitter: ValueEmitter, parts: Sequence[Part], terms: Terms | None) -> None:
        """One parallel loop for each combination of tile sizes."""
        order = self.schedule.order
        for chosen in product(*(self._segments(parts[d].size, d) for d in order)):

            def body(
                inner: Block,
                inside: Loops,
                at: Sequence[Index],
                chosen: tuple[Segment, ...] = chosen,
            ) -> None:
                mine = list(parts)
                for d, segment, n in zip(order, chosen, at, strict=False):
                    mine[d] = Part(parts[d].start + segment.start + n * segment.size, segment.size)
                within = emitter.inside(inner, inside)
                self._nest(within, mine, max(len(order) - 1, 0), terms)

            counts = [segment.count for segment in chosen] or [1]
            share(emitter.block, emitter.loops, self.names, counts, body)

    def _segments(self, size: int, d: int) -> tuple[Segment, ...]:
        tile = self.schedule.tile[d]
        if d in (self.schedule.vector, self.schedule.across):
            return tuple(split_by_width(size, tile, self.lanes))
        return tuple(split_evenly(size, tile))

    # ----------------------------------------------------------------- folds

    def _fold_together(
        self, emitter: ValueEmitter, parts: Sequence[Part], partials: SSAValue
    ) -> None:
        """Partial results first, then the whole of each point."""
        stage, ways = self.stage, self.room.ways
        assert stage.anchor is not None
        anchor: Indexed = stage.anchor
        folding = Folding(anchor, element_of(anchor.results[0]))
        counts = [part.size for part in parts] or [1]
        layout = Dense((*counts, ways))
        folded = (Index(),) * (len(stage.extents) - stage.parallel)

        def point(at: Sequence[Index]) -> Point:
            dims = tuple(part.start + n for part, n in zip(parts, at, strict=False))
            return Point(dims + folded, None)

        def fold(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)
            size = stage.extents[stage.parallel] // ways
            terms = Terms(Part(at[-1], size, stride=ways))
            (total,) = self.folds.totals(within, folding, [point(at)], terms)
            within.store(total, partials, layout.position(at), None)

        def finish(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)

            def add_up(
                block: Block, now: Loops, way: Index, carried: Sequence[SSAValue]
            ) -> Sequence[SSAValue]:
                loaded = within.inside(block, now).load(partials, layout.position([*at, way]), None)
                return [folding.combine(block, carried[0], loaded)]

            start = [folding.neutral(inner, folding.element)]
            (total,) = fold_loop(inner, inside, self.names, ways, start, add_up)
            here = point(at)
            key = (anchor.results[0], apply_map(anchor.iteration_space().result, here.dims))
            within.known[key] = total
            target = self.buffers[stage.target]
            position = target.layout.position(apply_map(stage.target_map, here.dims))
            self._store(within, [here], [position])

        share(emitter.block, emitter.loops, self.names, [*counts, ways], fold)
        share(emitter.block, emitter.loops, self.names, counts, finish)

    # -------------------------------------------------------------- operands

    def _stage_operands(self, emitter: ValueEmitter, parts: Sequence[Part]) -> None:
        """Block by block: copies of the operands, then all tiles over the terms of the block."""
        blocks = split_evenly(self.stage.extents[self.stage.parallel], self.room.staged)
        total = sum(segment.count for segment in blocks)
        before = 0
        for segment in blocks:
            ends = before == 0, before + segment.count == total
            before += segment.count
            # The first and the last block differ from those between.
            whole = Segment(segment.start, segment.count, segment.size)
            for piece, first, last in _ends(whole, *ends):

                def body(
                    inner: Block,
                    inside: Loops,
                    at: Index,
                    piece: Segment = piece,
                    first: bool = first,
                    last: bool = last,
                ) -> None:
                    part = Part(at * piece.size + piece.start, piece.size)
                    terms = Terms(part, first=first, last=last)
                    self._block(emitter.inside(inner, inside), parts, terms)

                loop(emitter.block, emitter.loops, self.names, piece.count, body)

    def _block(self, emitter: ValueEmitter, parts: Sequence[Part], terms: Terms) -> None:
        stage = self.stage
        assert stage.anchor is not None
        others = [Part(Index(), e) for e in stage.extents[stage.parallel + 1 :]]
        every = [*parts, terms.part, *others]
        space = stage.anchor.iteration_space()
        extents = operand_extents(stage, [part.size for part in every])
        local = dict(self.buffers)
        for operand, access, shape, memory in zip(
            stage.anchor.operands, space.operands, extents, self.room.operands, strict=True
        ):
            starts = apply_map(access, [part.start for part in every])
            window = Window(tuple(starts), shape)
            self._copy(emitter, operand, window, memory)
            local[operand] = Buffer(memory, window)
        tiles = SharedStageEmitter(
            stage,
            replace(self.schedule, block=None),
            self.lanes,
            local,
            self.names,
            replace(self.room, staged=0, operands=()),
            self.sums,
        )
        inner = ValueEmitter(emitter.block, emitter.loops, local, stage.target)
        tiles._share(inner, parts, terms)

    def _copy(
        self, emitter: ValueEmitter, operand: SSAValue, window: Window, memory: SSAValue
    ) -> None:
        def body(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = ValueEmitter(inner, inside, self.buffers, self.stage.target)
            index = tuple(start + n for start, n in zip(window.base, at, strict=True))
            value = within.evaluate(operand, index, None)
            within.store(value, memory, window.position(index), None)

        share(emitter.block, emitter.loops, self.names, window.extents, body)


def _ends(segment: Segment, first: bool, last: bool) -> list[tuple[Segment, bool, bool]]:
    """Cuts off the first and the last block of a run, where they are those of the whole."""
    pieces: list[tuple[Segment, bool, bool]] = []
    start, count = segment.start, segment.count
    if first:
        pieces.append((Segment(start, 1, segment.size), True, last and count == 1))
        start, count = start + segment.size, count - 1
    middle = count - 1 if last and count else count
    if middle:
        pieces.append((Segment(start, middle, segment.size), False, False))
    if last and count:
        end = start + middle * segment.size
        pieces.append((Segment(end, 1, segment.size), False, True))
    return pieces
