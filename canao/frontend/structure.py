"""Nested Python values: how to take them apart and to put them together again.

The same as PyTorch's pytrees for tuples, lists, dicts and the outputs of
Hugging Face models, but written to JSON, read without running foreign code,
and with errors that name the place in the value.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from canao.errors import InputFileError, ShapeMismatchError, UnsupportedModelError

if TYPE_CHECKING:
    from torch.utils._pytree import TreeSpec

_OUTPUT_PACKAGE = "transformers"
_SEQUENCES: dict[str, type[Any]] = {"tuple": tuple, "list": list}
_MAPPINGS: dict[str, type[Any]] = {"dict": dict, "ordered_dict": OrderedDict}

_NAMED = "return_type"
"""The kind of PyTorch's named tuples of results, as of `max` along a dimension."""

_output_types: dict[str, type[Any]] = {}
"""Output classes of models that this process imported, by module and name."""


@dataclass(frozen=True)
class Structure:
    """The shape of a nested value.

    `kind` is "leaf", "tuple", "list", "dict", "ordered_dict", "return_type" (a
    named tuple of `torch.return_types`, which `output` names) or "output": a
    class of model outputs, which `output` names as `module:name`.
    """

    kind: str
    keys: tuple[str | int, ...] = ()
    children: tuple[Structure, ...] = ()
    output: str = ""

    @property
    def leaves(self) -> int:
        """How many leaves there are."""
        return 1 if self.kind == "leaf" else sum(child.leaves for child in self.children)

    def flatten(self, value: object, path: str) -> Iterator[tuple[str, object]]:
        """The path and value of each leaf; `ShapeMismatchError` where `value` differs."""
        if self.kind == "leaf":
            yield path, value
            return
        for key, child in zip(self._places(), self.children, strict=True):
            yield from child.flatten(self._part(value, key, path), f"{path}.{key}")

    def _places(self) -> Sequence[str | int]:
        return range(len(self.children)) if self._is_sequence() else self.keys

    def _is_sequence(self) -> bool:
        return self.kind in _SEQUENCES or self.kind == _NAMED

    def _part(self, value: object, key: str | int, path: str) -> object:
        if self._is_sequence() and isinstance(value, tuple | list):
            if len(value) == len(self.children) and isinstance(key, int):
                return value[key]
        elif isinstance(value, Mapping) and key in value and len(value) == len(self.keys):
            return value[key]
        raise ShapeMismatchError(
            f"input '{path}' must be {self._described()}, got {type(value).__name__}; call with "
            "the structure the model was compiled for"
        )

    def _described(self) -> str:
        if self._is_sequence():
            return f"a {self.output or self.kind} of {len(self.children)} values"
        return f"a {self.kind} with the keys {', '.join(map(str, self.keys))}"

    def rebuild(self, leaves: Iterator[object]) -> object:
        """The value whose leaves are the next ones of `leaves`."""
        if self.kind == "leaf":
            return next(leaves)
        parts = [child.rebuild(leaves) for child in self.children]
        if self.kind in _SEQUENCES:
            return _SEQUENCES[self.kind](parts)
        if self.kind == _NAMED:
            return _return_type(self.output)(parts)
        pairs: dict[Any, Any] = dict(zip(self.keys, parts, strict=True))
        if self.kind in _MAPPINGS:
            return _MAPPINGS[self.kind](pairs)
        return _output_type(self.output)(**pairs)

    def to_json(self) -> dict[str, Any]:
        """A description for `json.dumps`."""
        children = [child.to_json() for child in self.children]
        return {
            "kind": self.kind,
            "keys": list(self.keys),
            "children": children,
            "output": self.output,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Structure:
        """The structure that `to_json` described."""
        kinds = {"leaf", "output", _NAMED, *_SEQUENCES, *_MAPPINGS}
        if data["kind"] not in kinds:
            raise InputFileError(
                f"unknown kind of value '{data['kind']}'; expected one of {sorted(kinds)}"
            )
        children = tuple(Structure.from_json(child) for child in data["children"])
        return Structure(str(data["kind"]), tuple(data["keys"]), children, str(data["output"]))


LEAF = Structure("leaf")


def _output_type(name: str) -> type[Any]:
    """The class of model outputs called `module:name`, imported from transformers only."""
    if name in _output_types:
        return _output_types[name]
    module, _, qualified = name.partition(":")
    if module.split(".")[0] != _OUTPUT_PACKAGE or "." in qualified:
        raise InputFileError(
            f"the output type '{name}' is not one of {_OUTPUT_PACKAGE}; import the model again "
            "in this process, or have it return a tuple or dict"
        )
    from transformers.utils.generic import ModelOutput

    found = getattr(import_module(module), qualified, None)
    if not isinstance(found, type) or not issubclass(found, ModelOutput):
        raise InputFileError(f"'{name}' is no output type of the installed {_OUTPUT_PACKAGE}")
    _output_types[name] = found
    return found


def _return_type(name: str) -> type[Any]:
    """The named tuple of `torch.return_types` of that name."""
    from torch import return_types

    found = getattr(return_types, name, None)
    if found not in return_types.all_return_types:
        raise InputFileError(f"'{name}' is no named tuple of the installed PyTorch's results")
    return found


def structure_of(spec: TreeSpec, what: str) -> Structure:
    """The structure of one of PyTorch's tree specs; `what` it is goes into the error."""
    if spec.is_leaf():
        return LEAF
    children = tuple(structure_of(child, what) for child in spec.children())
    kinds = {cls: kind for kind, cls in {**_SEQUENCES, **_MAPPINGS}.items()}
    if spec.type in _SEQUENCES.values():
        return Structure(kinds[spec.type], (), children)
    if spec.type in _MAPPINGS.values():
        return Structure(kinds[spec.type], tuple(spec.context), children)
    cls: type[Any] = spec.type
    if cls.__module__ == "torch.return_types":
        return Structure(_NAMED, (), children, cls.__qualname__)
    if not issubclass(cls, dict):
        raise UnsupportedModelError(
            f"{what} contains a {cls.__module__}.{cls.__qualname__}; use tensors in tuples, lists, "
            "dicts or Hugging Face outputs (for caches: use_cache=False)"
        )
    name = f"{cls.__module__}:{cls.__qualname__}"
    _output_types[name] = cls
    return Structure("output", tuple(spec.context), children, name)
