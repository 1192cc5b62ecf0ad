"""Nested Python values: how to take them apart and to put them together again.

The same as PyTorch's pytrees, but written to JSON, read without running foreign
code, and with errors that name the place in the value.

The types of results are those of the model in the process that compiled it. A
loaded model knows the containers of Python, of PyTorch and the outputs of
transformers; of other classes it knows the names of the fields only, whatever
the process has imported: named tuples come back as named tuples of a class
made anew, outputs as dicts, dataclasses as `types.SimpleNamespace`.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from canao.errors import InputFileError, ShapeMismatchError, UnsupportedModelError

if TYPE_CHECKING:
    from torch.utils._pytree import TreeSpec

_OUTPUT_PACKAGE = "transformers"
_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {"tuple": tuple, "list": list, "deque": deque}
_MAPPINGS: dict[str, type[Any]] = {"dict": dict, "ordered_dict": OrderedDict}
_TUPLES = ("named_tuple", "torch_tuple")
_BY_POSITION = (*_SEQUENCES, *_TUPLES)
_KINDS = ("leaf", *_BY_POSITION, *_MAPPINGS, "default_dict", "output", "dataclass")


@dataclass(frozen=True)
class Structure:
    """The shape of a nested value.

    `kind` is "leaf", a container of Python ("tuple", "list", "deque", "dict",
    "ordered_dict", "default_dict"), "torch_tuple": a class of PyTorch's (sizes
    and what functions return), or a class that `output` names as `module:name`:
    "named_tuple", "dataclass" or "output", a class of model outputs. `keys` are
    those of a mapping, or names of fields.
    """

    kind: str
    keys: tuple[Any, ...] = ()
    children: tuple[Structure, ...] = ()
    output: str = ""
    make: Callable[..., Any] | None = field(default=None, compare=False)
    """What makes the value in the process that compiled the model; not saved."""

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

    def _places(self) -> Sequence[Any]:
        return range(len(self.children)) if self.kind in _BY_POSITION else self.keys

    def _part(self, value: object, key: Any, path: str) -> object:
        if self.kind in _BY_POSITION and isinstance(value, tuple | list | deque):
            if len(value) == len(self.children):
                return value[key]
        elif isinstance(value, Mapping) and key in value and len(value) == len(self.keys):
            return value[key]
        elif self.kind == "dataclass" and hasattr(value, str(key)) and self._has_all_of(value):
            return getattr(value, str(key))
        raise ShapeMismatchError(
            f"input '{path}' must be {self._described()}, got {type(value).__name__}; call with "
            "the structure the model was compiled for"
        )

    def _has_all_of(self, value: object) -> bool:
        """Whether the fields of a dataclass that were None when compiled are so still."""
        if not is_dataclass(value):
            return True
        return all(
            getattr(value, f.name) is None
            for f in fields(value)
            if f.init and f.name not in self.keys
        )

    def _described(self) -> str:
        kind = self.kind.replace("_", " ")
        if self.kind in _BY_POSITION:
            return f"a {kind} of {len(self.children)} values"
        part = "fields" if self.kind == "dataclass" else "keys"
        return f"a {kind} with the {part} {', '.join(map(str, self.keys))}"

    def rebuild(self, leaves: Iterator[object]) -> object:
        """The value whose leaves are the next ones of `leaves`."""
        if self.kind == "leaf":
            return next(leaves)
        parts = [child.rebuild(leaves) for child in self.children]
        if self.kind in _SEQUENCES:
            return (self.make or _SEQUENCES[self.kind])(parts)
        if self.kind in _TUPLES:
            return self._tuple(parts)
        pairs: dict[Any, Any] = dict(zip(self.keys, parts, strict=True))
        if self.make is not None:
            return self.make(pairs)
        if self.kind in _MAPPINGS:
            return _MAPPINGS[self.kind](pairs)
        if self.kind == "default_dict":
            return defaultdict(None, pairs)
        if self.kind == "dataclass":
            return SimpleNamespace(**pairs)
        return _output(self.output, pairs)

    def _tuple(self, parts: list[Any]) -> Any:
        if self.make is not None:
            return self.make(parts)
        if self.kind == "torch_tuple":
            return _torch_tuple(self.output)(parts)
        return _named_tuple(self.output.rpartition(":")[2], self.keys)(*parts)

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
        if data["kind"] not in _KINDS:
            raise InputFileError(
                f"unknown kind of value '{data['kind']}'; expected one of {sorted(_KINDS)}"
            )
        children = tuple(Structure.from_json(child) for child in data["children"])
        return Structure(str(data["kind"]), tuple(data["keys"]), children, str(data["output"]))


LEAF = Structure("leaf")


@cache
def _named_tuple(name: str, names: tuple[str, ...]) -> Any:
    """A class of named tuples with those fields."""
    new_class: Any = namedtuple
    try:
        return new_class(name.rpartition(".")[2], names)
    except ValueError as error:
        raise InputFileError(
            f"'{name}' with the fields {list(names)} is no named tuple ({error}); save the model "
            "again"
        ) from error


def _torch_tuple(name: str) -> Callable[[list[Any]], Any]:
    """`torch.Size`, or one of the tuples that PyTorch's functions return."""
    import torch

    found = torch.Size if name == "Size" else getattr(torch.return_types, name, None)
    if not isinstance(found, type) or not issubclass(found, tuple):
        raise InputFileError(f"'{name}' is no result type of the installed PyTorch")
    return found


def _output(name: str, pairs: dict[Any, Any]) -> Any:
    """The output class called `module:name` if it is one of transformers, else a dict."""
    module, _, qualified = name.partition(":")
    if module.split(".")[0] != _OUTPUT_PACKAGE or "." in qualified:
        return pairs
    return _output_type(module, qualified)(**pairs)


@cache
def _output_type(module: str, name: str) -> type[Any]:
    from transformers.utils.generic import ModelOutput

    found = getattr(import_module(module), name, None)
    if not isinstance(found, type) or not issubclass(found, ModelOutput):
        raise InputFileError(
            f"'{module}:{name}' is no output type of the installed {_OUTPUT_PACKAGE}"
        )
    return found


def structure_of(spec: TreeSpec, what: str) -> Structure:
    """The structure of one of PyTorch's tree specs; `what` it is goes into the error."""
    if spec.is_leaf():
        return LEAF
    children = tuple(structure_of(child, what) for child in spec.children())
    from torch import Size

    cls: type[Any] = spec.type
    context: Any = spec.context
    # PyTorch's own name for every class of named tuples; the class is the context.
    if cls is namedtuple:
        found: type[Any] = context
        return Structure(
            "named_tuple", found._fields, children, _name_of(found), lambda parts: found(*parts)
        )
    if cls is tuple or cls is list:
        return Structure(cls.__name__, (), children)
    if cls is deque:
        return Structure("deque", (), children, "", lambda parts: deque(parts, context))
    if cls.__module__ == "torch.return_types" or cls is Size:
        return Structure("torch_tuple", (), children, cls.__name__, cls)
    if cls is defaultdict:
        factory, keys = context[0], _checked_keys(context[1], what)
        return Structure(
            "default_dict", keys, children, "", lambda pairs: defaultdict(factory, pairs)
        )
    if cls in _MAPPINGS.values():
        kind = "dict" if cls is dict else "ordered_dict"
        return Structure(kind, _checked_keys(context, what), children)
    if issubclass(cls, dict):
        return Structure(
            "output", tuple(context), children, _name_of(cls), lambda pairs: cls(**pairs)
        )
    registered = isinstance(context, list | tuple) and list(map(type, context)) == [list, list]
    if not is_dataclass(cls) or not registered:
        raise UnsupportedModelError(
            f"{what} contains a {cls.__module__}.{cls.__qualname__}; use tensors in tuples, lists, "
            "dicts, dataclasses or Hugging Face outputs (for caches: use_cache=False)"
        )
    names, absent = tuple(context[0]), dict.fromkeys(context[1])
    return Structure(
        "dataclass", names, children, _name_of(cls), lambda pairs: cls(**pairs, **absent)
    )


def _name_of(cls: type[Any]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _checked_keys(keys: Sequence[Any], what: str) -> tuple[Any, ...]:
    """Keys that can be written to a file."""
    for key in keys:
        if not isinstance(key, str | int | float | bool | None):
            raise UnsupportedModelError(
                f"{what} contains a dict with the key {key!r}; use strings or numbers for keys"
            )
    return tuple(keys)
