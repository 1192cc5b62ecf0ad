"""Schedules: how a layer's stages are run, as data.

A schedule says nothing about what is computed. It is chosen by a cost model
or by measuring, named in the report, and applied by the emitters of loops.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class StageSchedule:
    """How one stage runs.

    `order`: the independent dimensions, outermost loop first.
    `tile`: for each dimension the points computed at once in registers.
    `vector`: the dimension whose neighbours share a vector register, if any.
    Folded dimensions are the innermost loops; their tile is an unrolling.
    """

    order: tuple[int, ...]
    tile: tuple[int, ...]
    vector: int | None
    block: int | None = None
    """Terms of a product summed apart before their sum joins the total, which
    waits in the target: the loop over blocks stands outside the innermost of the
    others. The rounding error of a sum grows with the length of its chain of
    additions, and a block of rows and columns stays in a nearer cache."""
    hoist: bool = False
    """Whether what depends on outer loops only is computed in those loops, once
    for all iterations of the inner ones, instead of again in each."""
    across: int | None = None
    """The dimension along which vectors are stored, where it is not the one along
    which they are computed: square tiles of both are transposed in registers."""
    layout: tuple[int, ...] | None = None
    """The dimensions of what the stage stores, slowest first in its scratch buffer;
    row-major if None. Only a value that stays inside the layer has a choice."""
    prefetch: int | None = None
    """How many terms ahead of a product its packed operand is fetched into the cache,
    if at all. While all rows pass over a panel's block, they fetch together as much as
    they read: with the terms of a block the one after it."""
    fetch_results: bool = False
    """Whether the lines in which a tile's sums are stored are fetched before its terms are
    added, so that they are near when the sums are there."""
    onto: int | None = None
    """The number of an earlier stage in whose scratch buffer this one stores, over
    elements that it has read; a buffer of its own if None."""
    keep: bool = False
    """Whether the sums of a product, and what vectors of a term are loaded, are held in
    registers, term by term, whatever the compiler would rather do."""

    def __str__(self) -> str:
        order = "" if self.order == tuple(sorted(self.order)) else _digits("o", self.order)
        tiled = "x".join(str(t) for t in self.tile)
        vector = "" if self.vector is None else f"v{self.vector}"
        across = "" if self.across is None else f"t{self.across}"
        block = "" if self.block is None else f"k{self.block}"
        layout = "" if self.layout is None else _digits("l", self.layout)
        onto = "" if self.onto is None else f"s{self.onto}"
        fetch = "" if self.prefetch is None else f"f{self.prefetch}"
        fetch += "w" if self.fetch_results else ""
        flags = f"{'h' if self.hoist else ''}{fetch}{'r' if self.keep else ''}"
        return f"{order}{tiled}{vector}{across}{block}{flags}{layout.removesuffix('.')}{onto}"


@dataclass(frozen=True)
class Packed:
    """An input read as panels of columns: `[n / width][k][width]`."""

    input: int
    width: int


@dataclass(frozen=True)
class Group:
    """How the work-items of a group share a task, on devices where they do."""

    items: int
    """Work-items of a group: together they run the tiles of a stage, then of the next."""
    split_k: tuple[int, ...]
    """For each stage how many work-items share one reduction: each a part of its terms, whose
    results are then reduced in local memory; 1 where none is shared. Items share a
    product tile by tile, and of each block of its terms."""
    k_tile: tuple[int, ...]
    """For each stage the terms of a product whose operands are copied into local memory at
    once, to be read there by all tiles; 0 where operands are read where they are. They are
    copied only for parts of which each tile has an item, and if they divide the terms."""

    def __str__(self) -> str:
        split_k = "".join(f"w{n}.{count}" for n, count in enumerate(self.split_k) if count > 1)
        k_tile = "".join(f"m{n}.{terms}" for n, terms in enumerate(self.k_tile) if terms)
        return f"/g{self.items}{split_k}{k_tile}"


@dataclass(frozen=True)
class Fewer:
    """A schedule for up to `most` points: those of the dimensions of the band that vary."""

    most: int
    schedule: Schedule


@dataclass(frozen=True)
class Schedule:
    """How a layer runs.

    `band`: for each dimension that all stages share, the points that one task
    covers; tasks run in parallel. `stages`: one schedule a stage.
    """

    band: tuple[int, ...]
    stages: tuple[StageSchedule, ...]
    packed: tuple[Packed, ...] = ()
    group: Group | None = None
    """How work-items share a task; None where each task runs on its own."""
    tasks: tuple[int, ...] = ()
    """For each dimension of the band, where its length is known only when the kernel runs, how
    many tasks are wanted if it is long enough; one each if empty."""
    task_points: int = 1
    """Points along such a dimension that a task has at least, if it is not needed but wanted."""
    task_step: int = 1
    """Where more tasks than this are wanted, as many as divide by it: a round of all threads."""
    fewer: tuple[Fewer, ...] = ()
    """What runs instead where the layer has few points, the fewest first."""

    def ranges(self) -> list[tuple[int, int | None, Schedule]]:
        """Each schedule that runs, with the least and the most points for which it does."""
        found: list[tuple[int, int | None, Schedule]] = []
        least = 0
        for each in self.fewer:
            found.append((least, each.most, each.schedule))
            least = each.most + 1
        return [*found, (least, None, replace(self, fewer=()))]

    @property
    def name(self) -> str:
        """A short name that tells schedules of one layer apart."""
        fewer = "".join(f"{each.schedule.name} up to {each.most}, " for each in self.fewer)
        return f"{fewer}{self._name()}"

    def _name(self) -> str:
        band = "x".join(str(t) for t in self.band) or "whole"
        packs = "".join(f"p{p.width}" for p in self.packed)
        group = "" if self.group is None else str(self.group)
        wanted = f"~{'x'.join(map(str, self.tasks))}.{self.task_points}.{self.task_step}"
        tasks = wanted if max(self.tasks, default=1) > 1 else ""
        return f"band{band}{tasks}/{'-'.join(str(s) for s in self.stages)}{packs}{group}"

    def to_json(self) -> str:
        """All fields as JSON text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Schedule:
        """The inverse of `to_json`; `KeyError`, `TypeError` or `ValueError` if malformed."""
        data: dict[str, Any] = json.loads(text)
        return Schedule(
            band=tuple(data["band"]),
            stages=tuple(
                StageSchedule(
                    order=tuple(s["order"]),
                    tile=tuple(s["tile"]),
                    vector=s["vector"],
                    block=s["block"],
                    hoist=s["hoist"],
                    across=s["across"],
                    layout=None if s["layout"] is None else tuple(s["layout"]),
                    prefetch=s["prefetch"],
                    onto=s["onto"],
                    keep=s["keep"],
                )
                for s in data["stages"]
            ),
            packed=tuple(Packed(p["input"], p["width"]) for p in data["packed"]),
            group=_group(data["group"]),
            tasks=tuple(data["tasks"]),
            task_points=data["task_points"],
            task_step=data["task_step"],
            fewer=tuple(
                Fewer(each["most"], Schedule.from_json(json.dumps(each["schedule"])))
                for each in data.get("fewer", ())
            ),
        )


def _group(data: dict[str, Any] | None) -> Group | None:
    if data is None:
        return None
    return Group(data["items"], tuple(data["split_k"]), tuple(data["k_tile"]))


def _digits(prefix: str, numbers: tuple[int, ...]) -> str:
    return prefix + "".join(str(n) for n in numbers) + "."
