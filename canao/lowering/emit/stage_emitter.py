"""Emits the loops of one stage under its schedule.

The independent dimensions become loops over tiles in the schedule's order.
Inside a tile every point has its own accumulators, named values that stay in
registers; the reduced dimensions are loops that carry them. Where a schedule
cuts the reduced terms into blocks, a loop over blocks stands outside the
innermost of the other loops, and sums wait in the target between blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from xdsl.dialects import arith
from xdsl.ir import Block, SSAValue

from canao.dialects.canao.types import element_of
from canao.lowering.emit.loops import Loops, Names, index_constant, loop
from canao.lowering.emit.prefetch import fetch_results
from canao.lowering.emit.reduction import Reduction
from canao.lowering.emit.reduction_emitter import ReductionEmitter
from canao.lowering.emit.runs import Run, runs_of
from canao.lowering.emit.scalar_ops import add
from canao.lowering.emit.sizes import Sizes
from canao.lowering.emit.tile import Point, Terms
from canao.lowering.emit.transposed_tile import emit_transposed
from canao.lowering.emit.value_emitter import Buffer, ValueEmitter
from canao.lowering.schedules.schedule import StageSchedule
from canao.lowering.stages.reads import invariants
from canao.lowering.stages.stage import Part, Stage
from canao.lowering.stages.words import TERM, tile_word
from canao.machine.processor import VectorUnit
from canao.polyhedral.index import Index, Variable, apply_map
from canao.polyhedral.split import Segment, split_evenly, vector_pieces

_FEW_TILES = 2
"""Tiles of rows that fetch all of what comes next, where their number is known only when the
kernel runs: more fetch nothing new, fewer fetch a part of it. With more, what is left falls on the
smaller tiles behind them, which have no time for it."""


class StageEmitter:
    """Emits a stage into a block: `StageEmitter(...).emit(block, loops, parts)`."""

    def __init__(
        self,
        stage: Stage,
        schedule: StageSchedule,
        unit: VectorUnit,
        buffers: Mapping[SSAValue, Buffer],
        names: Names,
        sizes: Sizes,
        sums: Buffer | None = None,
    ) -> None:
        self.stage = stage
        self.schedule = schedule
        self.unit = unit
        self.lanes = unit.lanes_f32
        self.buffers = buffers
        self.names = names
        self.sizes = sizes
        self.reductions = ReductionEmitter(stage, schedule, unit, buffers, names, sizes)
        self.sums = sums
        """Where sums wait between blocks of terms, if not in the target."""

    def emit(self, block: Block, loops: Loops, parts: Sequence[Part]) -> None:
        """Emits the loops over `parts`, one for each independent dimension."""
        emitter = ValueEmitter(block, loops, self.buffers, self.stage.target, self.sizes)
        reduced = range(self.stage.parallel, len(self.stage.extents))
        whole = Terms(self.reductions.whole(reduced[0])) if reduced else None
        self._nest(emitter, list(parts), 0, whole)

    def _nest(
        self, emitter: ValueEmitter, parts: list[Part], depth: int, terms: Terms | None
    ) -> None:
        if self.schedule.hoist:
            self._hoist(emitter, parts, frozenset(self.schedule.order[:depth]))
        if depth == len(self.schedule.order):
            if self.schedule.across is None:
                self._tile(emitter, parts, terms)
            else:
                emit_transposed(emitter, self.stage, self.schedule, self.lanes, parts)
            return
        if depth == len(self.schedule.order) - 1 and terms is not None and self.schedule.block:
            self._blocks(emitter, parts, depth, self.schedule.block)
            return
        self._loop(emitter, parts, depth, terms)

    def _blocks(self, emitter: ValueEmitter, parts: list[Part], depth: int, block: int) -> None:
        """The loop over blocks of terms, around the innermost loop over tiles."""
        *others, end = split_evenly(self.stage.extents[self.stage.parallel], block)
        if end.count > 1:
            others.append(Segment(end.start, end.count - 1, end.size))
        last = Part(Index.constant(end.start + (end.count - 1) * end.size), end.size)
        if not others:
            self._loop(emitter, parts, depth, Terms(last))
            return
        if len(others) == 1 and others[0].count == 1:
            part = Part(Index.constant(others[0].start), others[0].size)
            self._loop(emitter, parts, depth, Terms(part, last=False))
        else:
            # The target starts at the neutral value, so that one loop does for all but the last.
            self._loop(emitter, parts, depth, Terms(Part(Index(), 0), last=False))
            for segment in others:

                def body(inner: Block, inside: Loops, at: Index, s: Segment = segment) -> None:
                    middle = Terms(Part(at * s.size + s.start, s.size), first=False, last=False)
                    self._loop(emitter.inside(inner, inside), parts, depth, middle)

                word = f"{TERM}_block"
                loop(emitter.block, emitter.loops, self.names, segment.count, body, word)
        self._loop(emitter, parts, depth, Terms(last, first=False))

    def _loop(
        self, emitter: ValueEmitter, parts: list[Part], depth: int, terms: Terms | None
    ) -> None:
        """The loops over the tiles of one dimension."""
        d = self.schedule.order[depth]
        part = parts[d]
        lanes = self.lanes if d in (self.schedule.vector, self.schedule.across) else None
        runs, loops = runs_of(
            emitter.block, emitter.loops, self.names, part, self.schedule.tile[d], lanes
        )
        tiles = sum(run.most for run in runs)
        for run in runs:

            def body(inner: Block, inside: Loops, at: Index, run: Run = run) -> None:
                inner_parts = list(parts)
                start = part.start + run.start + at * run.size
                inner_parts[d] = Part(start, run.size)
                mine, number, count = terms, at + run.before, tiles
                if terms is not None:
                    rolled = terms.rolled
                    if part.count is not None and run is not runs[0]:
                        number, count, rolled = Index(), 1, True
                    elif part.count is not None and tiles > _FEW_TILES:
                        number, inside = self._at_most(inner, inside, number, _FEW_TILES - 1)
                        count = _FEW_TILES
                    mine = replace(terms, tile=number, tiles=count, rolled=rolled)
                self._nest(emitter.inside(inner, inside), inner_parts, depth + 1, mine)

            word = tile_word(self.stage.words[d], run.size)
            loop(emitter.block, loops, self.names, run.count, body, word, run.most)

    def _at_most(self, block: Block, loops: Loops, index: Index, most: int) -> tuple[Index, Loops]:
        """An index, but no more than `most`, and the loops with it."""
        inner = ValueEmitter(block, loops, self.buffers, self.stage.target, self.sizes)
        limit = index_constant(block, most)
        place = self.names.variable(most + 1)
        found = add(block, arith.MinSIOp(inner.apply(index), limit))
        return Index.of(place), {**loops, place: found}

    def _hoist(self, emitter: ValueEmitter, parts: list[Part], bound: frozenset[int]) -> None:
        """Evaluates what depends on the dimensions in `bound` only; inner loops find it known."""
        found = invariants(self.stage, bound, self.buffers.keys())
        if not found:
            return
        fixed = [part if d in bound else Part(Index(), 1) for d, part in enumerate(parts)]
        for point in self._points(fixed):
            for value, index in found:
                emitter.evaluate(value, apply_map(index, point.dims), point.lane)

    # --------------------------------------------------------------- tiles

    def _points(self, parts: Sequence[Part]) -> list[Point]:
        choices: list[list[tuple[Index, Variable | None]]] = []
        for d, part in enumerate(parts):
            if d != self.schedule.vector:
                choices.append([(part.start + n, None) for n in range(part.size)])
                continue
            lanes = [
                (first, Variable("lane", width) if width > 1 else None)
                for first, width in vector_pieces(part.size, self.lanes)
            ]
            choices.append(
                [
                    (part.start + first + (Index.of(lane) if lane else Index()), lane)
                    for first, lane in lanes
                ]
            )
        reduced = (Index(),) * (len(self.stage.extents) - self.stage.parallel)
        # Vectors of one row follow each other, so that what is broadcast is needed once.
        slowest_first = sorted(range(len(choices)), key=lambda d: d == self.schedule.vector)
        points: list[Point] = []
        for choice in product(*(choices[d] for d in slowest_first)):
            chosen = dict(zip(slowest_first, choice, strict=True))
            dims = tuple(chosen[d][0] for d in range(len(choices)))
            lane = next((lane for _, lane in choice if lane is not None), None)
            points.append(Point(dims + reduced, lane))
        return points

    def _tile(self, emitter: ValueEmitter, parts: Sequence[Part], terms: Terms | None) -> None:
        stage = self.stage
        points = self._points(parts)
        buffer = self.buffers[stage.target]
        stored_at = [
            buffer.layout.position(apply_map(stage.target_map, point.dims)) for point in points
        ]
        if stage.anchor is not None:
            assert terms is not None
            space = stage.anchor.iteration_space()
            reduction = Reduction(stage.anchor, element_of(stage.anchor.results[0]))
            partial_sums = self.sums or buffer
            waits_at = [
                partial_sums.layout.position(apply_map(stage.target_map, point.dims))
                for point in points
            ]
            if self.schedule.fetch_results and terms.part.size:
                waiting = self.sums is not None and not terms.last
                memory, places = (partial_sums, waits_at) if waiting else (buffer, stored_at)
                fetch_results(emitter, memory.memory, points, places, self.unit.caches)
            totals = self.reductions.totals(emitter, reduction, points, terms)
            # One after the other: no register for what waits is taken from a sum.
            for point, position, mine in zip(points, waits_at, totals, strict=True):
                total = mine
                if not terms.first:
                    before = emitter.load(partial_sums.memory, position, point.lane)
                    total = reduction.combine(emitter.block, before, total)
                if not terms.last:
                    emitter.store(total, partial_sums.memory, position, point.lane)
                    continue
                key = (stage.anchor.results[0], apply_map(space.result, point.dims))
                emitter.known[key] = total
            if not terms.last:
                return
        # Long chains of operations wait for each other, so some run side by side.
        long = stage.anchor is None and emitter.is_long(stage.value)
        together = self.unit.side_by_side.chains if long else 1
        for first in range(0, len(points), together):
            some = slice(first, first + together)
            self.store(emitter, points[some], stored_at[some])

    def store(
        self, emitter: ValueEmitter, points: Sequence[Point], stored_at: Sequence[Index]
    ) -> None:
        """Evaluates the stage's value at some points side by side, and stores it."""
        stage, buffer = self.stage, self.buffers[self.stage.target]
        places = [(apply_map(stage.value_map, point.dims), point.lane) for point in points]
        if len(points) > 1:
            emitter.evaluate_together(stage.value, places)
        for (place, lane), position in zip(places, stored_at, strict=True):
            emitter.store(emitter.evaluate(stage.value, place, lane), buffer.memory, position, lane)
