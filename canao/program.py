"""What lowering hands to the runtime: C text and what must be known to call it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import numpy as np

from canao.extent import Symbol, at, from_plain, plain
from canao.task_count import Count, count_of


@dataclass(frozen=True)
class TensorSpec:
    """A dense row-major tensor at the boundary of a program."""

    name: str
    dtype: str
    """A numpy dtype name: float32, float64, int64 or bool, or, of a weight, a storage type."""
    shape: tuple[int, ...]
    """Room along each dimension."""
    lengths: tuple[int, ...] = ()
    """Elements along each dimension, if some depend on symbols; empty if they fill the room."""

    def shape_at(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape for values of the symbols, by name."""
        return tuple(at(length, sizes) for length in self.lengths or self.shape)

    def in_memory(self) -> dict[str, Any]:
        """What memory for it must be like, for `json.dumps`."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class KernelSpec:
    """One distinct fused layer: equal layers share a kernel."""

    name: str
    ops: tuple[str, ...]
    """The operations that the layer evaluates, in order."""
    flops: int
    """Floating-point operations of one call; an extent where shapes depend on symbols."""
    bytes: int
    """Bytes that one call reads and writes at least: each operand once, of a table only
    the rows that are looked up. An extent as `flops` is."""
    computations: int
    """Arithmetic operators evaluated for one element."""
    variant: str
    """The schedule's name."""
    variants_tried: tuple[str, ...] = ()
    points: int = 1
    """Points of what varies, an extent as `flops` is: they decide whether the kernel has tasks."""
    least: int = 0
    most: int | None = None
    """The points for which it does; None where there is no limit."""

    @property
    def runs(self) -> bool:
        """Whether it has tasks, where sizes are known."""
        return self.least <= self.points and (self.most is None or self.points <= self.most)


@dataclass(frozen=True)
class Counts:
    """Layers and computations as the paper counts them (section 2.2)."""

    layers_before: int
    layers_after: int
    computations_before: int
    computations_after: int


@dataclass(frozen=True)
class Rewrite:
    """How often a law was used."""

    law: str
    """Its name in the table of laws (`canao.transforms.lp_fusion.laws`)."""
    count: int
    changes_rounding: bool
    """Whether results may differ in their last digits from those of the model as written."""


@dataclass(frozen=True)
class ProductError:
    """How far results are from a float64 product of the same numbers."""

    relative: float
    """The Frobenius norm of the difference over that of the product."""
    largest: float
    """The largest difference of an element over the largest element."""


@dataclass(frozen=True)
class FastProduct:
    """A product with a constant weight that is computed as seven of half the size."""

    weights: tuple[str, ...]
    """The names of the model's weights that take part."""
    rows: int
    inner: int
    columns: int
    predicted_gain: float
    """How many times as fast as the plain product the cost model expects it to be."""
    weight: str = ""
    """MLIR text of a module whose function `@main` makes the weight from those named."""
    error: ProductError | None = None
    plain_error: ProductError | None = None
    """The same of one float32 product."""


@dataclass(frozen=True)
class Piece:
    """A part of a buffer that a kernel of OpenCL is given."""

    base: str
    """inputs, weights, outputs, arena, or status: where a failed check leaves its number."""
    number: int
    start: int
    """First byte."""


@dataclass(frozen=True)
class Launch:
    """One call of a kernel of OpenCL."""

    kernel: str
    groups: Count
    """Work-groups, all in one dimension; the last input has the sizes that decide how many."""
    items: int
    """Work-items of a group."""
    arguments: tuple[Piece, ...]
    local_bytes: int = 0
    """Local memory of a group."""
    block: str = ""
    """The block of the model that it belongs to, if that is known."""


@dataclass(frozen=True)
class Launches:
    """What the host of an OpenCL program does."""

    steps: tuple[Launch, ...]
    messages: tuple[str, ...]
    """The text of check number 1, 2 ... that can fail."""

    @staticmethod
    def of(data: dict[str, Any]) -> Launches:
        """From what `asdict` makes."""
        steps = tuple(
            Launch(
                s["kernel"],
                count_of(s["groups"]),
                s["items"],
                tuple(Piece(**p) for p in s["arguments"]),
                s["local_bytes"],
                s.get("block", ""),
            )
            for s in data["steps"]
        )
        return Launches(steps, tuple(data["messages"]))


@dataclass(frozen=True)
class Program:
    """A translation unit in C, or in OpenCL C, with what its caller needs to know.

    A unit in C exports `canao_open`, `canao_run`, `canao_profile` and
    `canao_close`; see `docs/architecture.md` for their signatures.
    """

    source: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    weights: tuple[TensorSpec, ...]
    """The results of `@prepare`, in order."""
    prepare: str
    """MLIR text of a module whose function `@prepare` makes the weights."""
    arena_bytes: int
    kernels: tuple[KernelSpec, ...]
    calls: tuple[int, ...]
    """Number of the kernel of each call, in order of execution."""
    counts: Counts
    threads: int
    rewrites: tuple[Rewrite, ...] = ()
    """The laws that were used, those that change rounding first."""
    fast_products: tuple[FastProduct, ...] = ()
    launches: Launches | None = None
    """What the host runs, if the text is OpenCL C."""
    symbols: tuple[Symbol, ...] = ()
    """The dimensions that are known when the program runs, if there are any. Its last input,
    `sizes`, has their values, in order."""
    dtype: str = "float32"
    """That of the weights and of what lies between layers, where the model has float32."""

    @property
    def language(self) -> str:
        """The language of the text: "c" or "opencl"."""
        return "c" if self.launches is None else "opencl"

    def at_sizes(self, sizes: Mapping[str, int]) -> Program:
        """The program with the operations and bytes of its kernels for values of the symbols."""
        kernels = (
            replace(
                k,
                flops=at(k.flops, sizes),
                bytes=at(k.bytes, sizes),
                points=at(k.points, sizes),
            )
            for k in self.kernels
        )
        return replace(self, kernels=tuple(kernels))

    def to_json(self) -> str:
        """All fields as JSON text."""
        data = asdict(self)
        data["symbols"] = self.symbols
        return json.dumps(data, indent=1, default=plain)

    @staticmethod
    def from_json(text: str) -> Program:
        """The inverse of `to_json`; `KeyError` or `ValueError` if malformed."""
        data: dict[str, Any] = json.loads(text)

        symbols = tuple(Symbol(*each) for each in data["symbols"])

        def tensor(t: dict[str, Any]) -> TensorSpec:
            lengths = tuple(from_plain(length, symbols) for length in t["lengths"])
            return TensorSpec(t["name"], t["dtype"], tuple(t["shape"]), lengths)

        def tensors(key: str) -> tuple[TensorSpec, ...]:
            return tuple(map(tensor, data[key]))

        def kernel(k: dict[str, Any]) -> KernelSpec:
            fields: dict[str, Any] = dict(k)
            for key in ("ops", "variants_tried"):
                fields[key] = tuple(fields[key])
            for key in ("flops", "bytes", "points"):
                fields[key] = from_plain(fields[key], symbols)
            return KernelSpec(**fields)

        def fast_product(p: dict[str, Any]) -> FastProduct:
            fields: dict[str, Any] = {**p, "weights": tuple(p["weights"])}
            for key in ("error", "plain_error"):
                fields[key] = ProductError(**p[key]) if p[key] is not None else None
            return FastProduct(**fields)

        return Program(
            source=data["source"],
            inputs=tensors("inputs"),
            outputs=tensors("outputs"),
            weights=tensors("weights"),
            prepare=data["prepare"],
            arena_bytes=data["arena_bytes"],
            kernels=tuple(kernel(k) for k in data["kernels"]),
            calls=tuple(data["calls"]),
            counts=Counts(**data["counts"]),
            threads=data["threads"],
            rewrites=tuple(Rewrite(**r) for r in data["rewrites"]),
            fast_products=tuple(fast_product(p) for p in data["fast_products"]),
            launches=Launches.of(data["launches"]) if data["launches"] else None,
            symbols=symbols,
            dtype=data["dtype"],
        )
