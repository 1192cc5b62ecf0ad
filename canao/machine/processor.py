"""What lowering must know about a processor: its registers, its rates, its caches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CpuModel:
    """What an x86 processor says of itself: its maker, and the numbers of its design."""

    vendor: str
    """As the processor writes it: "AuthenticAMD", "GenuineIntel"."""
    family: int
    model: int


@dataclass(frozen=True)
class RegisterTiles:
    """Which register tiles of a product are considered, and what one costs beside its work."""

    most_rows: int = 14
    most_vectors: int = 8
    """Rows, and vectors of columns, of the largest tile considered."""
    tile_cycles: float = 0.3
    """Cycles a term that a tile costs beside its arithmetic."""
    load_share: float = 0.1
    """The part of the cycles of its loads that a tile waits for, though others are longer."""
    unrolled_terms: int = 1
    """Terms that a product without weights adds in a trip of its loop."""


@dataclass(frozen=True)
class Caches:
    """Sizes of the caches of a core, and of tasks whose data stays in them."""

    line_bytes: int = 64
    """Bytes that are fetched at once."""
    nearest_bytes: int = 32768
    """Bytes of the nearest cache; what is larger is worth fetching ahead."""
    task_points: int = 32768
    """Points of a task that reads no weights: what stays in the nearer caches."""
    attention_rows: int = 64
    """Rows of attention whose scores stay in the nearest caches, and that fill the widest tile."""
    least_rows: int = 8
    """Fewer rows than this do not pay for reading a weight once more."""
    most_rows: int = 144
    """Rows of a block of a product whose left operand and result stay in the second cache."""

    @property
    def spare_bytes(self) -> int:
        """What the nearest cache takes in beside what a tile of a product uses."""
        return self.nearest_bytes // 4


@dataclass(frozen=True)
class PrefetchDistance:
    """How the weights of a product are fetched ahead of their use."""

    terms: int = 4
    """Terms that a product adds between two fetches of what comes next."""
    bytes_ahead: int = 6144
    """How far ahead of its use a weight is fetched that one tile of rows reads as a stream."""
    results_from: int | None = None
    """Bytes of a product's result from which on the lines that a tile stores its sums in are
    fetched as well: they are no longer in a core's caches then. Never if None."""


@dataclass(frozen=True)
class SideBySide:
    """How many independent things a loop does together, so that none waits for another."""

    rows: int = 4
    """Rows that a reduction along its rows folds together."""
    vectors: int = 2
    """Vectors of a row that an elementwise or reducing loop handles together."""
    chains: int = 4
    """Vectors whose long chains of operations are computed step by step together: enough to
    keep the multipliers busy, few enough for the registers."""


@dataclass(frozen=True)
class Traffic:
    """Rates of memory beside which multiplying in seven products is judged: cycles of a core.

    They were fitted to measured gains, of which only ratios to `multiply_adds` matter.
    """

    memory_bytes: float = 2.5
    """Bytes that all cores together read from memory in a cycle."""
    cache_bytes: float = 8.0
    """Bytes that a core reads and writes in its larger cache in a cycle."""
    layer_cycles: float = 8000.0
    """Cycles of one layer more: its loops, and threads that wait for each other."""


@dataclass(frozen=True)
class VectorUnit:
    """A processor as generated code sees it: one row of the table in `processors.py`."""

    name: str
    lanes_f32: int
    """float32 numbers in one vector register."""
    registers: int
    """Vector registers that a program can name."""
    fma: bool
    """Whether a multiplication and an addition are one instruction."""
    multiply_adds: float = 1
    """Multiply-adds of whole registers that a core begins a cycle."""
    latency: float = 4
    """Cycles until a multiply-add can use the sum of the one before it."""
    loads: float = 1
    """Registers that a core loads a cycle."""
    broadcasts: float = 2
    """Numbers that a core loads into all lanes of a register a cycle, if it does nothing else."""
    terms_a_load: int = 1
    """Terms of a row that a product loads at once: as many as lanes where a multiply-add can take
    one lane of a register for all of another's, or else 1."""
    holds: bool = False
    """Whether C can ask that a value stays in one of its registers."""
    tiles: RegisterTiles = RegisterTiles()
    caches: Caches = Caches()
    prefetch: PrefetchDistance = PrefetchDistance()
    side_by_side: SideBySide = SideBySide()
    traffic: Traffic = Traffic()
    flops_a_second: float = 50e9
    bytes_a_second: float = 30e9
    """Rough rates of a core and of memory: they decide which layers are worth measuring."""
    march: str = ""
    """The value of `-march` for code that any such processor runs; empty if there is none."""
    gcc_options: tuple[str, ...] = ()
    """Options without which gcc makes slow code for it."""

    @property
    def bytes(self) -> int:
        """Size of one register in bytes."""
        return 4 * self.lanes_f32
