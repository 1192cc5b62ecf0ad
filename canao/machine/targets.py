"""The table of targets that code can be made for by name: one entry each.

Whoever needs to know something of a target asks its entry: which vectors lowering uses, which
compiler makes code for it, which emulator runs that. A new target is a new entry of `TARGETS`.
"""

from __future__ import annotations

from dataclasses import dataclass

from canao.errors import ToolchainError
from canao.machine.processor import VectorUnit
from canao.machine.processors import (
    AVX2,
    AVX512,
    LEVELS,
    NEON,
    NEON_OF_32_BITS,
    SCALAR_FLOATS,
    SIMD128,
    SSE,
    X86_64_V2,
)

NATIVE = "native"
"""The name of the processor that a process runs on."""


@dataclass(frozen=True)
class TargetRow:
    """A target as it is asked for by name."""

    name: str
    """What one asks for."""
    note: str
    """What runs code for it, in a few words for people."""
    triple: str
    features: tuple[str, ...]
    """Features that code for it may use, by the names that Linux gives them, sorted."""
    unit: VectorUnit
    """What lowering makes code for."""
    zig: tuple[str, ...]
    """Options by which zig's clang makes code for it."""
    flags: tuple[str, ...] = ()
    """Options by which a gcc or a clang that makes code for its architecture knows it."""
    ndk: str = ""
    """The name under which Android's NDK knows it; empty for what is not Android."""
    abi: str = ""
    """The name of its kind of libraries in Android's apps; empty for what is not Android."""
    aliases: tuple[str, ...] = ()
    """Shorter names."""
    machines: tuple[str, ...] = ()
    """What `uname -m` prints on systems of which any runs its programs."""
    emulator: tuple[str, ...] = ()
    """The command of Linux that runs its static programs on other processors."""
    threads: int = 4
    """Threads that code for it is made for, unless another number is asked for; 1 where the
    system has no threads."""
    pointer_bytes: int = 8
    shared: bool = True
    """Whether it has shared libraries."""
    static: bool = True
    """Whether programs for it can be linked with all that they need."""

    page: tuple[str, ...] = ()
    """Options by which zig's clang links functions that a page calls, without a program around
    them; empty for what browsers do not run."""
    relaxed: tuple[str, ...] = ()
    """Options by which multiply-adds of pages are rounded as the processor likes: once, where it
    has an instruction for that. Newer browsers alone run such code."""

    @property
    def has_threads(self) -> bool:
        """Whether the system has threads."""
        return self.threads > 1


def _zig(triple: str, cpu: str) -> tuple[str, ...]:
    return "-target", triple, f"-mcpu={cpu}"


def _aarch64(
    system: str, note: str, *, ndk: str = "", abi: str = "", static: bool = True
) -> TargetRow:
    return TargetRow(
        name=f"aarch64-linux-{system}",
        note=note,
        triple=f"aarch64-linux-{system}",
        features=("asimd", "fp"),
        unit=NEON,
        # What is made without the NDK is a static program: Android runs it as any Linux does.
        zig=_zig("aarch64-linux-musl" if ndk else f"aarch64-linux-{system}", "generic"),
        flags=("-march=armv8-a",),
        ndk=ndk,
        abi=abi,
        aliases=("aarch64",) if system == "musl" else (),
        machines=("aarch64", "arm64") if system == "musl" else (),
        emulator=("qemu-aarch64",),
        static=static,
    )


def _x86_64(level: str, unit: VectorUnit, features: frozenset[str]) -> TargetRow:
    return TargetRow(
        name=f"x86_64-{level}",
        note=f"Linux with glibc on processors of the level x86-64-{level}",
        triple="x86_64-linux-gnu",
        features=tuple(sorted(features)),
        unit=unit,
        zig=_zig("x86_64-linux-gnu", f"x86_64_{level}"),
        flags=(f"-march=x86-64-{level}",),
        aliases=(f"x86-64-{level}",),
        emulator=("qemu-x86_64",),
        static=False,
    )


TARGETS: tuple[TargetRow, ...] = (
    _aarch64("musl", "64-bit ARM with Linux of any kind, phones among it: static programs"),
    _aarch64("gnu", "64-bit ARM with Linux and glibc", static=False),
    _aarch64("android", "64-bit Android", ndk="aarch64-linux-android26", abi="arm64-v8a"),
    TargetRow(
        name="armv7-linux-musleabihf",
        note="32-bit ARM with NEON and fused multiply-adds (Cortex-A7 and later), Linux",
        triple="armv7-linux-musleabihf",
        features=("neon", "vfpv4"),
        unit=NEON_OF_32_BITS,
        zig=_zig("arm-linux-musleabihf", "cortex_a7"),
        flags=("-march=armv7-a", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"),
        aliases=("armv7",),
        machines=("armv7l", "armv8l"),
        emulator=("qemu-arm",),
        pointer_bytes=4,
    ),
    TargetRow(
        name="x86_64-linux-musl",
        note="any 64-bit x86 with Linux of any kind: static programs",
        triple="x86_64-linux-musl",
        features=tuple(sorted(LEVELS["sse"])),
        unit=SSE,
        zig=_zig("x86_64-linux-musl", "x86_64"),
        flags=("-march=x86-64",),
        machines=("x86_64",),
        emulator=("qemu-x86_64",),
    ),
    _x86_64("v2", SSE, X86_64_V2),
    _x86_64("v3", AVX2, LEVELS["avx2"]),
    _x86_64("v4", AVX512, LEVELS["avx512"]),
    TargetRow(
        name="riscv64-linux-musl",
        note="64-bit RISC-V (RV64GC, without vectors) with Linux of any kind: static programs",
        triple="riscv64-linux-musl",
        features=(),
        unit=SCALAR_FLOATS,
        zig=_zig("riscv64-linux-musl", "baseline_rv64"),
        flags=("-march=rv64gc", "-mabi=lp64d"),
        aliases=("riscv64",),
        machines=("riscv64",),
        emulator=("qemu-riscv64",),
    ),
    TargetRow(
        name="wasm32-wasi",
        note="WebAssembly with 128-bit vectors under WASI, one thread",
        triple="wasm32-wasi",
        features=("simd128",),
        unit=SIMD128,
        # Weights are mapped, which WASI does by reading them.
        zig=(
            *_zig("wasm32-wasi", "generic+simd128"),
            "-D_WASI_EMULATED_MMAN",
            "-lwasi-emulated-mman",
        ),
        flags=("-msimd128",),
        aliases=("wasm32",),
        threads=1,
        pointer_bytes=4,
        shared=False,
        page=("-mexec-model=reactor", "-Wl,-z,stack-size=1048576"),
        relaxed=("-mrelaxed-simd",),
    ),
)
"""All targets that have a name."""


def _by_name() -> dict[str, TargetRow]:
    return {name: row for row in TARGETS for name in (row.name, *row.aliases)}


def target_names() -> tuple[str, ...]:
    """All names of targets, shorter ones among them."""
    return NATIVE, *_by_name()


def row_of_machine(machine: str) -> TargetRow | None:
    """The target whose programs run on any system with such a processor; None if none is known.

    `machine` is what `uname -m` prints there.
    """
    return next((row for row in TARGETS if machine in row.machines), None)


def app_row() -> TargetRow:
    """The target of what runs inside Android's apps."""
    return next(row for row in TARGETS if row.abi)


def browser_row() -> TargetRow:
    """The target whose code browsers run."""
    return next(row for row in TARGETS if row.page)


def target_row(name: str) -> TargetRow:
    """The entry of a target, by its name or a shorter one; `ToolchainError` lists what there is."""
    row = known_row(name)
    if row is not None:
        return row
    known = ", ".join((NATIVE, *(row.name for row in TARGETS)))
    raise ToolchainError(f"there is no target '{name}'; choose one of {known}")


def known_row(name: str) -> TargetRow | None:
    """The entry of a target by its name; None if there is none."""
    return _by_name().get(name) if name else None
