"""What compilers make of inner loops: instructions counted in the assembly of emitted C.

It knows x86-64 in the syntax of AT&T, as gcc and clang write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from canao.building.cache import Cache
from canao.building.library import explain_refusal, run_compiler
from canao.building.toolchain import Compiler
from canao.errors import ToolchainError
from canao.machine.target import Target

_LABEL = re.compile(r"^(\.L\w+):")
_FUNCTION = re.compile(r"^(?!\.L)[\w.]+:")
_JUMP = re.compile(r"^\tj\w+\s+(\.L\w+)")
_INSTRUCTION = re.compile(r"^\t([a-z]\w*)\s*(.*?)\s*(?:#.*)?$")
_MULTIPLY_ADD = re.compile(r"vfn?m(add|sub)\d+ps")
_VECTOR = re.compile(r"%[xyz]mm\d+")
_MEMORY = re.compile(r"[-\w.+]*\(%")
_FRAME = re.compile(r"^\tmovq\s+%rsp, %rbp")
_HINT = "prefetch"


@dataclass(frozen=True)
class InnerLoop:
    """A loop without another one in it."""

    instructions: int
    multiply_adds: int
    """Of vectors of single-precision numbers."""
    loads: int
    """Instructions that read memory into vector registers, multiply-adds among them."""
    spills: int
    """Instructions that move a vector to or from the stack."""


def assembly(source: str, compiler: Compiler, target: Target, cache: Cache) -> str:
    """The assembly that a compiler makes of C text; `ToolchainError` if it refuses it."""
    flags = compiler.flags(target)
    with cache.scratch() as room:
        (room / "unit.c").write_text(source, encoding="utf-8")
        # Symbols and lines for debuggers would hide the instructions.
        command = [*compiler.command, *flags, "-g0", "-S", "-o", "unit.s", "unit.c"]
        result = run_compiler(command, room)
        if result.returncode:
            raise ToolchainError(explain_refusal(compiler, flags, result, room))
        return (room / "unit.s").read_text(encoding="utf-8", errors="replace")


def inner_loops(text: str) -> Iterator[InnerLoop]:
    """The inner loops of a listing: from a label to a jump back to it, no label between."""
    body: list[tuple[str, str]] = []
    label, framed = "", False
    for line in text.splitlines():
        if _FUNCTION.match(line):
            label, framed = "", False
        elif found := _LABEL.match(line):
            label, body = found[1], []
        elif (jump := _JUMP.match(line)) and jump[1] == label:
            yield _counted(body, framed)
        elif instruction := _INSTRUCTION.match(line):
            # After this the stack is found through another register too.
            framed = framed or bool(_FRAME.match(line))
            body.append((instruction[1], instruction[2]))


def busiest_loop(text: str) -> InnerLoop | None:
    """The inner loop with the most multiply-adds; None where none has any."""
    loops = [loop for loop in inner_loops(text) if loop.multiply_adds]
    return max(loops, key=lambda loop: loop.multiply_adds, default=None)


def _counted(body: list[tuple[str, str]], framed: bool) -> InnerLoop:
    stack = re.compile(r"\(%r[sb]p" if framed else r"\(%rsp")
    moved = [
        (name, operands)
        for name, operands in body
        if _VECTOR.search(operands) and _MEMORY.search(operands) and not name.startswith(_HINT)
    ]
    return InnerLoop(
        instructions=len(body),
        multiply_adds=sum(bool(_MULTIPLY_ADD.match(name)) for name, _ in body),
        loads=sum(_is_load(operands) for _, operands in moved),
        spills=sum(bool(stack.search(operands)) for _, operands in moved),
    )


def _is_load(operands: str) -> bool:
    """Whether memory is read: the last operand of an instruction is the one that is written."""
    last = operands.rpartition(",")[2]
    return not last.strip().endswith(")")
