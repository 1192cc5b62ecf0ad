"""One torch operation as a converter sees it: operands resolved to values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from canao.dialects.canao.symbolic import shape_of_type
from canao.errors import UnsupportedOpError
from canao.extent import Extent

Argument: TypeAlias = "SSAValue | bool | int | float | str | Sequence[Argument] | None"
"""A tensor, or the Python value of a torch constant or list."""


@dataclass(frozen=True)
class TorchCall:
    """A torch operation with its arguments, result types and source location."""

    name: str
    arguments: tuple[Argument, ...]
    results: tuple[TensorType[Attribute] | None, ...]
    """One a result; None for results that are no tensors, such as lists."""
    used: tuple[bool, ...]
    """Whether anything uses each result."""
    location: str = ""

    @property
    def type(self) -> TensorType[Attribute]:
        """The type of the first result."""
        first = self.results[0] if self.results else None
        if first is None:
            raise self.unsupported("its result is not a tensor")
        return first

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first result."""
        return shape_of_type(self.type)

    @property
    def element(self) -> Attribute:
        """The element type of the first result."""
        return self.type.element_type

    def unsupported(self, hint: str) -> UnsupportedOpError:
        """The error that this call cannot be converted, and why."""
        return UnsupportedOpError(self.name.removeprefix("torch."), self.location, hint)

    def argument(self, number: int, default: Argument = None) -> Argument:
        """Argument `number`, or `default` past the last one."""
        return self.arguments[number] if number < len(self.arguments) else default

    def tensor(self, number: int) -> SSAValue:
        """An argument that must be a tensor."""
        value = self.argument(number)
        if not isinstance(value, SSAValue):
            raise self.unsupported(f"argument {number} must be a tensor, not {value!r}")
        return value

    def optional_tensor(self, number: int) -> SSAValue | None:
        """An argument that must be a tensor or None."""
        return None if self.argument(number) is None else self.tensor(number)

    def number(self, number: int, default: float | None = None) -> float:
        """An argument that must be a bool, int or float known when compiling."""
        value = self.argument(number)
        value = default if value is None else value
        if not isinstance(value, bool | int | float):
            raise self.unsupported(f"argument {number} must be a constant number")
        return value

    def integer(self, number: int, default: int | None = None) -> int:
        """An argument that must be an integer known when compiling."""
        value = self.argument(number)
        value = default if value is None else value
        if not isinstance(value, int):
            raise self.unsupported(f"argument {number} must be a constant integer")
        return int(value)

    def extent(self, number: int, default: int | None = None) -> int:
        """An argument that must be an integer, or an extent that depends on symbols."""
        value = self.argument(number)
        return value if isinstance(value, Extent) else self.integer(number, default)

    def flag(self, number: int, default: bool = False) -> bool:
        """An argument that must be a bool known when compiling."""
        return bool(self.integer(number, default))

    def text(self, number: int, default: str = "") -> str:
        """An argument that must be a string; `default` for None."""
        value = self.argument(number)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.unsupported(f"argument {number} must be a constant string")
        return value

    def items(self, number: int) -> Sequence[Argument]:
        """An argument that must be a list."""
        value = self.argument(number)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self.unsupported(f"argument {number} must be a list")
        return value

    def integers(self, number: int) -> list[int]:
        """An argument that must be a list of integers; one integer is a list of one."""
        value = self.argument(number)
        if isinstance(value, int):
            return [value]
        found = [item for item in self.items(number) if isinstance(item, int | Extent)]
        if len(found) != len(self.items(number)):
            raise self.unsupported(f"argument {number} must be a list of constant integers")
        return found

    def tensors(self, number: int) -> list[SSAValue]:
        """An argument that must be a list of tensors."""
        found = [item for item in self.items(number) if isinstance(item, SSAValue)]
        if len(found) != len(self.items(number)):
            raise self.unsupported(f"argument {number} must be a list of tensors")
        return found
