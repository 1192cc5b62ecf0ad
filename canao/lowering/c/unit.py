"""Kernels and helper functions of a translation unit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from re import search, sub

from xdsl.dialects import affine, cf, func, scf
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from canao.errors import VerificationError
from canao.lowering.c import control
from canao.lowering.c.comments import comment
from canao.lowering.c.context import FunctionPrinter, OpPrinter, UnitPrinter
from canao.lowering.c.describe import description
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import arithmetic, conversions, functions, memory, vectors
from canao.lowering.c.expressions.memory import STORES, buffer_shape
from canao.lowering.c.unread import names_in, without_unread
from canao.lowering.unused_name import unused_name

PRINTERS: dict[type[Operation], OpPrinter] = {
    **arithmetic.PRINTERS,
    **conversions.PRINTERS,
    **functions.PRINTERS,
    **vectors.PRINTERS,
    **memory.PRINTERS,
    **control.PRINTERS,
}
"""How each class of operations is printed."""

# What every task would do again beside a parallel loop.
_WITH_EFFECTS = (*STORES, affine.ForOp, scf.ForOp, scf.IfOp, cf.AssertOp)


@dataclass(frozen=True)
class PrintedFunction:
    """A C function, and what its caller must know."""

    name: str
    text: str
    tasks: int = 1
    """How many tasks a kernel has, or the most that it can have; any thread may run any of them."""
    counter: str = ""
    """The function of the sizes that says how many, if that is known only when running."""
    scratch_bytes: int = 0
    checks: bool = False
    """Whether it has assertions."""
    local_bytes: int = 0
    """Local memory that a group of work-items shares, in OpenCL."""


def c_name(symbol: str, used: Collection[str]) -> str:
    """The name in C of a kernel: its symbol, changed where it must be, and not used yet.

    No word of C and no function of its libraries ends in an underscore and a number.
    """
    readable = sub(r"[^A-Za-z0-9_]", "_", symbol)[:80]
    readable = readable if readable[:1].isalpha() else f"kernel{readable}"
    if not search(r"_\d+(x\d+)*$", readable) and not readable.endswith("_kernel"):
        readable += "_kernel"
    return unused_name(readable, used)


def is_written(buffer: SSAValue) -> bool:
    """Whether some store writes to a buffer."""
    return any(isinstance(use.operation, STORES) and use.index == 1 for use in buffer.uses)


def callees(function: FuncOp) -> Iterator[str]:
    """Symbols that a function calls."""
    for op in function.walk():
        if isinstance(op, func.CallOp):
            yield op.callee.string_value()


class Functions:
    """Prints the functions that kernels reach, each once, callees first."""

    unused = "CANAO_UNUSED "
    """What marks a parameter that is not used."""
    space = ""
    """The address space of buffers."""

    def __init__(self, unit: UnitPrinter, table: dict[str, FuncOp]) -> None:
        self.unit = unit
        self.table = table
        self.helpers: dict[str, PrintedFunction] = {}
        self._open: list[str] = []
        self._kernels: set[str] = set()

    def kernel(self, symbol: str, *, restrict: bool) -> PrintedFunction:
        """A kernel; without `restrict` its buffers may overlap."""
        function = self.find(symbol)
        self._check_parallel(function)
        name = c_name(symbol, self._kernels)
        self._kernels.add(name)
        fn = self._printer(symbol, self._names(function))
        fn.is_kernel = True
        for argument in function.args:
            fn.bind(argument, "m")
        fn.print_block(function.body.block)
        fn.lines = without_unread(fn.lines)
        read = names_in(fn.lines)
        fn.uses_task = fn.uses_task and "task" in read
        parameters = [
            self._buffer(fn, function, argument, "restrict " if restrict else "", read)
            for argument in function.args
        ]
        head = self._head(fn, name, parameters)
        text = "\n".join([comment(description(function) or [name]), *head, *fn.lines, "}"])
        checks = any(isinstance(op, cf.AssertOp) for op in function.walk())
        counter, counting = self._counter(function, name)
        return PrintedFunction(
            name,
            "\n\n".join([text, *counting]),
            fn.tasks,
            counter,
            fn.scratch_bytes,
            checks,
            fn.local_bytes,
        )

    def _counter(self, function: FuncOp, name: str) -> tuple[str, list[str]]:
        """The name and the text of the function that counts a kernel's tasks, if one is needed."""
        ops = list(function.body.block.ops)
        loop = next((op for op in ops if isinstance(op, affine.ParallelOp)), None)
        if loop is None or not loop.map_operands:
            return "", []
        fn = self._printer(function.sym_name.data, {})
        fn.bind(function.args[-1], "m")
        for op in ops[: ops.index(loop)]:
            fn.print_op(op)
        count = control.task_count(fn, loop)
        lines = without_unread(fn.lines, after=count)
        parameter = self._buffer(fn, function, function.args[-1], "", names_in(lines))
        head = f"CANAO_KERNEL long {name}_tasks({parameter}) {{"
        return f"{name}_tasks", ["\n".join([head, *lines, f"  return {count};", "}"])]

    def _printer(self, symbol: str, names: dict[str, str]) -> FunctionPrinter:
        return FunctionPrinter(self.unit, symbol, names)

    def _head(self, fn: FunctionPrinter, name: str, parameters: list[str]) -> list[str]:
        """The lines that open a kernel whose body was printed, given what names its buffers."""
        unused = ["" if used else "CANAO_UNUSED " for used in (fn.uses_call, fn.uses_task)]
        parameters[:0] = [f"{unused[0]}const canao_call *call", f"{unused[1]}const long task"]
        return [f"CANAO_KERNEL void {name}({', '.join(parameters)}) {{"]

    def find(self, symbol: str) -> FuncOp:
        """A function with a body."""
        function = self.table.get(symbol)
        if function is None or not function.body.blocks:
            raise VerificationError(
                f"function '@{symbol}' is called and has no body; define it in the module"
            )
        return function

    def _check_parallel(self, function: FuncOp) -> None:
        """Refuse work beside a parallel loop: every task would do it again."""
        ops = list(function.body.block.ops)
        loops = [op for op in ops if isinstance(op, affine.ParallelOp)]
        beside = next((op for op in ops if isinstance(op, _WITH_EFFECTS)), None)
        if loops and (len(loops) > 1 or beside is not None):
            name = (beside or loops[1]).name
            raise VerificationError(
                f"op '{name}' in function '@{function.sym_name.data}' is beside a parallel loop; "
                "move it into a kernel of its own"
            )

    def _buffer(
        self,
        fn: FunctionPrinter,
        function: FuncOp,
        argument: SSAValue,
        restrict: str,
        read: Collection[str],
    ) -> str:
        """The parameter of a buffer that has a name, given all names that the function reads."""
        try:
            element, _ = buffer_shape(argument.type)
        except Unprintable as reason:
            raise fn.error(function, str(reason)) from reason
        name = fn.name(argument)
        const = "" if is_written(argument) else "const "
        unused = "" if name in read else self.unused
        return f"{unused}{self.space}{const}{element.memory} *{restrict}{name}"

    def _names(self, function: FuncOp) -> dict[str, str]:
        """C names of the helpers that a function calls, printed by now."""
        return {symbol: self._helper(symbol).name for symbol in callees(function)}

    def _helper(self, symbol: str) -> PrintedFunction:
        known = self.helpers.get(symbol)
        if known is not None:
            return known
        if symbol in self._open:
            raise VerificationError(f"function '@{symbol}' calls itself; helpers must not")
        self._open.append(symbol)
        printed = self._print_helper(self.find(symbol))
        self._open.pop()
        self.helpers[symbol] = printed
        return printed

    def _print_helper(self, function: FuncOp) -> PrintedFunction:
        symbol = function.sym_name.data
        names = self._names(function)
        fn = self._printer(symbol, names)
        outputs = function.function_type.outputs.data
        try:
            if len(outputs) != 1:
                raise Unprintable(f"it has {len(outputs)} results; helpers have one")
            result = self.unit.ctype(outputs[0]).c
            parameters = [f"const {fn.ctype(arg).c} {fn.bind(arg, 'x')}" for arg in function.args]
        except Unprintable as reason:
            raise fn.error(function, str(reason)) from reason
        fn.print_block(function.body.block)
        readable = sub(r"[^A-Za-z0-9_]", "_", symbol)[:40]
        name = f"h{len(self.helpers)}_{readable}"
        head = f"CANAO_INLINE {result} {name}({', '.join(parameters) or 'void'}) {{"
        return PrintedFunction(name, "\n".join([head, *fn.lines, "}"]))
