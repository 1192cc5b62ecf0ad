"""A context that takes operations of torch as they come."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.ir import Attribute, Operation, TypeAttribute

_TORCH = "torch."


@dataclass
class TorchContext(Context):
    """Accepts names of the torch dialect, which xDSL does not have, unchecked.

    Other unknown names stay errors, so that misspelt operations are found,
    unless `allow_unregistered` is set.
    """

    @contextmanager
    def _torch_allowed(self, name: str) -> Generator[None]:
        allowed = self.allow_unregistered
        self.allow_unregistered = allowed or name.startswith(_TORCH)
        try:
            yield
        finally:
            self.allow_unregistered = allowed

    def clone(self) -> TorchContext:
        plain = super().clone()
        return TorchContext(**vars(plain))

    def get_optional_op(
        self, name: str, *, dialect_stack: Sequence[str] = ()
    ) -> type[Operation] | None:
        with self._torch_allowed(name):
            return super().get_optional_op(name, dialect_stack=dialect_stack)

    def get_optional_type(self, name: str) -> type[TypeAttribute] | None:
        with self._torch_allowed(name):
            return super().get_optional_type(name)

    def get_optional_attr(self, name: str) -> type[Attribute] | None:
        with self._torch_allowed(name):
            return super().get_optional_attr(name)
