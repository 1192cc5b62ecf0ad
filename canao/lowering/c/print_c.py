"""Prints a lowered module as one translation unit in C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from canao.errors import VerificationError
from canao.lowering.c import parts
from canao.lowering.c.comments import comment
from canao.lowering.c.context import UnitPrinter
from canao.lowering.c.expressions.memory import round_up
from canao.lowering.c.literals import c_string
from canao.lowering.c.program import Call, read_schedule
from canao.lowering.c.unit import PRINTERS, Functions, PrintedFunction


@dataclass(frozen=True)
class CUnit:
    """A translation unit in GNU C11 and what its caller must provide."""

    source: str
    arena_bytes: int
    """Size of the arena: shared buffers, then the scratch memory of each thread."""
    calls: tuple[str, ...]
    """Symbol of the kernel of each call, in order of execution."""
    scratch_bytes: int
    """Scratch memory of one thread."""


def print_c(module: ModuleOp, threads: int) -> CUnit:
    """The C text of a module whose `@main` calls kernels on buffers, for at most `threads`.

    `VerificationError` names the op that has no form in C and its function.
    """
    if threads < 1:
        raise VerificationError(f"code for {threads} threads; ask for at least one")
    table = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    schedule = read_schedule(table)
    unit = UnitPrinter(PRINTERS)
    functions = Functions(unit, table)
    overlapping = schedule.overlapping(table)
    kernels: dict[str, PrintedFunction] = {}
    for call in schedule.calls:
        if call.symbol not in kernels:
            restrict = call.symbol not in overlapping
            kernels[call.symbol] = functions.kernel(call.symbol, restrict=restrict)
    for symbol, function in table.items():
        if "canao.kernel" in function.attributes and symbol not in kernels:
            kernels[symbol] = functions.kernel(symbol, restrict=True)
    scratch = max((kernel.scratch_bytes for kernel in kernels.values()), default=0)
    start = round_up(schedule.arena_bytes)
    constants = {
        "CANAO_THREADS": threads,
        "CANAO_CALLS": len(schedule.calls),
        "CANAO_SHARED_BYTES": start,
        "CANAO_SCRATCH_BYTES": scratch,
        "CANAO_MESSAGES": len(unit.messages),
    }
    shared = [
        "\n".join(unit.typedefs.values()),
        *unit.helpers.values(),
        *(helper.text for helper in functions.helpers.values()),
    ]
    sections = [
        (parts.SHARED, _paragraphs(shared)),
        *((parts.KERNEL, kernel.text) for kernel in kernels.values()),
        (parts.POOL, _support("pool.h")),
        (parts.NUMBERS, parts.numbers(constants)),
        (parts.CONTEXT, _support("context.h")),
        (parts.STEPS, _paragraphs([_steps(schedule.calls, kernels), _messages(unit)])),
        (parts.ENTRY, _support("entry.h")),
    ]
    return CUnit(
        source=parts.join(_support("kernel.h"), sections),
        arena_bytes=start + threads * scratch,
        calls=tuple(call.symbol for call in schedule.calls),
        scratch_bytes=scratch,
    )


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n\n".join(text.strip("\n") for text in texts if text)


def _support(name: str) -> str:
    return files("canao.lowering.c").joinpath("support", name).read_text(encoding="utf-8")


def _steps(calls: tuple[Call, ...], kernels: dict[str, PrintedFunction]) -> str:
    """The steps of the thread pool: one function a call, and a table of all in order."""
    functions: list[str] = []
    rows: list[str] = []
    for number, call in enumerate(calls):
        kernel = kernels[call.symbol]
        arguments = ", ".join(["&call", "task", *(buffer.c for buffer in call.arguments)])
        functions += [
            *([comment([call.block])] if call.block else []),
            f"static void canao_step_{number}(void *ctx, int tid, long task) {{",
            "  canao_context *const c = (canao_context *)ctx;",
            "  const canao_call call = canao_call_of(c, tid);",
            f"  {kernel.name}({arguments});",
            "}",
        ]
        count = "0"
        if kernel.counter:
            count = f"canao_count_{number}"
            functions += [
                f"static long {count}(void *ctx) {{",
                "  canao_context *const c = (canao_context *)ctx;",
                f"  return {kernel.counter}({call.arguments[-1].c});",
                "}",
            ]
        rows.append(f"  {{canao_step_{number}, {kernel.tasks}, {count}}},")
    table = ["CANAO_TABLE canao_step canao_steps[CANAO_CALLS + 1] = {", *rows, "  {0, 0, 0},", "};"]
    return "\n".join([*functions, *table])


def _messages(unit: UnitPrinter) -> str:
    texts = [f"  {c_string(message)}," for message in unit.messages]
    return "\n".join(
        ["CANAO_TABLE char *const canao_messages[CANAO_MESSAGES + 1] = {", *texts, "  0,", "};"]
    )
