"""What printers write to: a translation unit and, inside it, a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from canao.errors import VerificationError
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.language.dialect import GNU_C, CDialect
from canao.lowering.c.language.types import ELEMENTS, CType, ctype_of
from canao.lowering.c.names import LETTERS, Names, readable
from canao.lowering.c.subscripts import Bounds, Linear

OpPrinter: TypeAlias = Callable[["FunctionPrinter", Any], None]


class UnitPrinter:
    """Collects what the functions of one translation unit share."""

    def __init__(
        self, printers: Mapping[type[Operation], OpPrinter], dialect: CDialect = GNU_C
    ) -> None:
        self.printers = printers
        self.dialect = dialect
        self.typedefs: dict[str, str] = {}
        self.helpers: dict[str, str] = {}
        self.messages: dict[str, int] = {}
        self._types: dict[Attribute, CType] = {}
        # Hashing an attribute takes longer than printing an op, and ops share attributes.
        self._types_by_id: dict[int, tuple[Attribute, CType]] = {}

    def ctype(self, attribute: Attribute) -> CType:
        """The C type of an MLIR type, declared in the unit."""
        found = self._types_by_id.get(id(attribute))
        if found is not None:
            return found[1]
        known = self._types.get(attribute)
        if known is None:
            known = self._types[attribute] = ctype_of(attribute, self.dialect.most_lanes)
            self.declare(known)
        self._types_by_id[id(attribute)] = (attribute, known)
        return known

    def declare(self, ctype: CType) -> str:
        """The name of a type, whose declaration the unit now has."""
        if ctype.is_vector and ctype.c not in self.typedefs:
            self.typedefs[ctype.c] = self.dialect.typedef(ctype)
        return ctype.c

    def in_memory(self, ctype: CType) -> str:
        """The name of a vector type that may lie anywhere, over any elements."""
        element = ELEMENTS["u8"] if ctype.element.is_bool else ctype.element
        name = f"{element.key}x{ctype.lanes}_mem"
        if name not in self.typedefs:
            self.typedefs[name] = self.dialect.in_memory(name, element, ctype.lanes)
        return name

    def helper(self, name: str, make: Callable[[], str]) -> str:
        """The name of a helper function; `make` gives its text the first time."""
        if name not in self.helpers:
            text = make()
            self.helpers[name] = text
        return name

    def message(self, text: str) -> int:
        """The number of a message that a failed assertion reports."""
        return self.messages.setdefault(text, len(self.messages))


class FunctionPrinter:
    """Prints the body of one function, statement by statement."""

    def __init__(self, unit: UnitPrinter, symbol: str, helper_names: dict[str, str]) -> None:
        self.unit = unit
        self.symbol = symbol
        self.helper_names = helper_names
        """C name of each function that this one may call."""
        self.lines: list[str] = []
        self.depth = 1
        self.names: dict[SSAValue, str] = {}
        self.constants: dict[SSAValue, int] = {}
        """Values of index constants, which fold into subscripts."""
        self.bounds: Bounds = {}
        self.assigned: dict[SSAValue, str] = {}
        """Values that are assigned to a variable which exists already."""
        self.carried: list[Sequence[str]] = []
        """Variables that the terminator of each enclosing region assigns."""
        self.scratch_bytes = 0
        self.local_bytes = 0
        """Size of the arrays that the work-items of a group share, in OpenCL."""
        self.is_kernel = False
        self.uses_call = False
        self.uses_task = False
        self.keeps_roundings = False
        """Whether no product and sum may be joined, but for explicit multiply-adds."""
        self.tasks = 1
        """Calls that make up one run of a kernel; threads share them."""
        self._names = Names()

    def fresh(self, letter: str = "t") -> str:
        """A letter with a number that the function does not use yet."""
        return self._named(self._names.letter(letter))

    def fresh_like(self, value: SSAValue, letter: str = "t") -> str:
        """A name as what lowering called a value, or a letter with a number."""
        word = readable(value.name_hint)
        return self.fresh(letter) if word is None else self._named(self._names.word(word))

    def _named(self, name: str) -> str:
        # What was known of a variable of that name in another block does not hold.
        self.bounds.pop(name, None)
        return name

    def space(self, buffer: SSAValue) -> str:
        """The address space of a buffer, with a blank after it; C has only one, without a name."""
        return ""

    def within(self, buffer: SSAValue, place: Linear) -> Linear:
        """The position in what a name stands for of a position in a buffer."""
        return place

    def name(self, value: SSAValue) -> str:
        """The variable or literal that holds a value."""
        return self.names[value]

    def bind(self, value: SSAValue, letter: str = "t") -> str:
        """Gives a value a name of its own."""
        name = self.names[value] = self.fresh_like(value, letter)
        return name

    def letter(self, buffer: SSAValue) -> str:
        """What begins the names of values that are loaded from a buffer."""
        word = readable(buffer.name_hint) or "value"
        return LETTERS.get(word, word[0])

    def ctype(self, value: SSAValue) -> CType:
        """The C type of a value."""
        return self.unit.ctype(value.type)

    def line(self, text: str) -> None:
        """Appends one line."""
        self.lines.append("  " * self.depth + text)

    def open(self, text: str) -> None:
        """Appends a line that opens a block."""
        self._names.open()
        self._begin(text)

    def open_loop(self, variable: SSAValue, head: Callable[[str], str]) -> str:
        """Opens a block with a variable of its own, whose name its head is made with."""
        self._names.open()
        name = self.bind(variable, "i")
        self._begin(head(name))
        return name

    def _begin(self, text: str) -> None:
        self.line(f"{text} {{".lstrip())
        self.depth += 1

    def close(self, text: str = "}") -> None:
        """Closes a block."""
        self._names.close()
        self.depth -= 1
        self.line(text)

    def otherwise(self) -> None:
        """Closes the block of a condition and opens that of its opposite."""
        self.close("} else {")
        self._names.open()
        self.depth += 1

    def define(self, value: SSAValue, expression: str, letter: str = "t") -> None:
        """Makes `value` hold an expression that has no side effect."""
        target = self.assigned.get(value)
        if target is not None:
            self.names[value] = target
            if target != expression:
                self.line(f"{target} = {expression};")
            return
        if value.first_use is None:
            self.names[value] = expression
            return
        ctype = self.unit.ctype(value.type).c
        self.line(f"const {ctype} {self.bind(value, letter)} = {expression};")

    def linear(self, value: SSAValue) -> Linear:
        """An index as a sum of variables and a constant."""
        constant = self.constants.get(value)
        if constant is not None:
            return Linear({}, constant)
        return Linear({self.names[value]: 1}, 0)

    def print_block(self, block: Block) -> None:
        """Prints all ops of a block."""
        for op in block.ops:
            self.print_op(op)

    def print_op(self, op: Operation) -> None:
        """Prints one op."""
        printer = self.unit.printers.get(type(op))
        try:
            if printer is None:
                raise Unprintable("it has no form in C; lower it before printing")
            printer(self, op)
        except Unprintable as reason:
            raise self.error(op, str(reason)) from reason

    def error(self, op: Operation, reason: str) -> VerificationError:
        """An error that says where `op` is."""
        name = op.name
        if name == "builtin.unregistered" and isinstance(
            actual := op.attributes.get("op_name__"), StringAttr
        ):
            name = actual.data
        return VerificationError(f"op '{name}' in function '@{self.symbol}': {reason}")
