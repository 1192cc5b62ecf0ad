"""What compilers make of inner loops: instructions counted in the assembly of emitted C.

It knows x86-64 in the syntax of AT&T and AArch64, as gcc and clang write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from canao.building.cache import Cache
from canao.building.library import explain_refusal, run_compiler
from canao.building.toolchain import Compiler
from canao.errors import ToolchainError
from canao.machine.target import Target

_LABEL = re.compile(r"^(\.L\w+):")
_FUNCTION = re.compile(r"^(?!\.L)[\w.]+:")
_INSTRUCTION = re.compile(r"^\t([a-z][\w.]*)\s*(.*?)\s*(?:(?:#|//).*)?$")
_HINT = re.compile("prefetch|prfu?m")


@dataclass(frozen=True)
class _Syntax:
    """How the assembly of an architecture is read: regular expressions, searched for in a line."""

    jump: re.Pattern[str]
    """A jump that may be the end of a loop, with its label."""
    multiply_add: re.Pattern[str]
    """The name of an instruction that multiplies vectors and adds."""
    vector: re.Pattern[str]
    memory: re.Pattern[str]
    """Operands that are vectors, and that are memory."""
    stack: re.Pattern[str]
    framed_stack: re.Pattern[str]
    """Memory of the stack; where a function has a frame, which another register points to."""
    frame: re.Pattern[str]
    """An instruction that makes a frame."""
    load: re.Pattern[str] | None
    """The name of an instruction that reads memory; None where the last operand is what is
    written."""


_SYNTAXES = {
    "x86_64": _Syntax(
        jump=re.compile(r"^\tj\w+\s+(\.L\w+)"),
        multiply_add=re.compile(r"^vfn?m(add|sub)\d+ps"),
        vector=re.compile(r"%[xyz]mm\d+"),
        memory=re.compile(r"[-\w.+]*\(%"),
        stack=re.compile(r"\(%rsp"),
        framed_stack=re.compile(r"\(%r[sb]p"),
        frame=re.compile(r"^\tmovq\s+%rsp, %rbp"),
        load=None,
    ),
    "aarch64": _Syntax(
        jump=re.compile(r"^\t(?:b\.?\w+|cbn?z|tbn?z)\s+.*?(\.L\w+)"),
        multiply_add=re.compile(r"^fml[as]$"),
        vector=re.compile(r"\b[qdsv]\d+\b"),
        memory=re.compile(r"\["),
        stack=re.compile(r"\[sp\b"),
        framed_stack=re.compile(r"\[(sp|x29)\b"),
        frame=re.compile(r"^\t(mov|add)\s+x29, sp"),
        load=re.compile("^ld"),
    ),
}
"""By the name of the architecture in a triple."""


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
    text: str = field(default="", compare=False, repr=False)
    """Its lines, the jump among them."""


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


def inner_loops(text: str, architecture: str = "x86_64") -> Iterator[InnerLoop]:
    """The inner loops of a listing: from a label to a jump back to it, no label between."""
    syntax = _SYNTAXES[architecture]
    body: list[tuple[str, str]] = []
    lines: list[str] = []
    label, framed = "", False
    for line in text.splitlines():
        if _FUNCTION.match(line):
            label, framed = "", False
        elif found := _LABEL.match(line):
            label, body, lines = found[1], [], []
        elif (jump := syntax.jump.match(line)) and jump[1] == label:
            yield _counted(syntax, body, framed, "\n".join([*lines, line]))
            label = ""
        elif instruction := _INSTRUCTION.match(line):
            # After this the stack is found through another register too.
            framed = framed or bool(syntax.frame.match(line))
            body.append((instruction[1], instruction[2]))
            lines.append(line)


def busiest_loop(text: str, architecture: str = "x86_64") -> InnerLoop | None:
    """The inner loop with the most multiply-adds; None where none has any."""
    loops = [loop for loop in inner_loops(text, architecture) if loop.multiply_adds]
    return max(loops, key=lambda loop: loop.multiply_adds, default=None)


def _counted(syntax: _Syntax, body: list[tuple[str, str]], framed: bool, text: str) -> InnerLoop:
    stack = syntax.framed_stack if framed else syntax.stack
    moved = [
        (name, operands)
        for name, operands in body
        if syntax.vector.search(operands)
        and syntax.memory.search(operands)
        and not _HINT.match(name)
    ]
    return InnerLoop(
        # The jump is one of them.
        instructions=len(body) + 1,
        multiply_adds=sum(bool(syntax.multiply_add.match(name)) for name, _ in body),
        loads=sum(_is_load(syntax, name, operands) for name, operands in moved),
        spills=sum(bool(stack.search(operands)) for _, operands in moved),
        text=text,
    )


def _is_load(syntax: _Syntax, name: str, operands: str) -> bool:
    """Whether memory is read: in AT&T's syntax the last operand is the one that is written."""
    if syntax.load is not None:
        return bool(syntax.load.match(name))
    last = operands.rpartition(",")[2]
    return not last.strip().endswith(")")
