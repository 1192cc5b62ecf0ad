"""The calling convention: Python arguments to flat arrays, flat arrays to results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from canao.errors import ShapeMismatchError, VerificationError
from canao.extent import Symbol, from_plain, plain, symbols_in
from canao.frontend.dtypes import (
    Array,
    Widened,
    computed_array,
    computed_dtype,
    dtype_name,
    storage_problem,
)
from canao.frontend.structure import Structure
from canao.program import Program

if TYPE_CHECKING:
    import torch

Constant = bool | int | float | str | None


def split_example(example_inputs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Example inputs as positional and keyword arguments; anything else is the one argument."""
    if isinstance(example_inputs, Mapping):
        return (), dict(example_inputs)
    if isinstance(example_inputs, tuple | list):
        return tuple(example_inputs), {}
    return (example_inputs,), {}


@dataclass(frozen=True)
class InputTensor:
    """A tensor that the model takes."""

    name: str
    shape: tuple[int, ...]
    """Its extents may depend on symbols."""
    dtype: str


@dataclass(frozen=True)
class FixedInput:
    """An input that was no tensor when the model was compiled; it keeps its value."""

    name: str
    value: Constant


@dataclass(frozen=True)
class Result:
    """Where a leaf of the result comes from.

    `source` is "computed" (result `index` of the program), "input" (tensor
    `index` of the inputs, passed through) or "constant" (`value`).
    """

    source: str
    index: int = 0
    dtype: str = ""
    value: Constant = None


@dataclass(frozen=True)
class Argument:
    """One argument of the call, by the name of its parameter."""

    name: str
    structure: Structure


@dataclass(frozen=True)
class CallConvention:
    """How a compiled program is called as the model was.

    `parameters` are the names that positional arguments take, in order;
    `arguments` those the program was compiled with; `leaves` what they hold,
    flattened in order. `results` are the leaves of `output`. `widened` are the
    tensors of narrow floats that the program holds as float32.
    """

    parameters: tuple[str, ...]
    arguments: tuple[Argument, ...]
    leaves: tuple[InputTensor | FixedInput, ...]
    output: Structure
    results: tuple[Result, ...]
    widened: tuple[Widened, ...] = ()

    @property
    def inputs(self) -> tuple[InputTensor, ...]:
        """The tensors that the program takes, in order."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, InputTensor))

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The dimensions that are known only when the model runs."""
        return symbols_in(extent for leaf in self.inputs for extent in leaf.shape)

    def check_fits(self, program: Program) -> None:
        """`VerificationError` unless a program reads what it is handed: the same arrays."""
        specs = program.inputs[:-1] if program.symbols else program.inputs
        taken = [(spec.lengths or spec.shape, spec.dtype) for spec in specs]
        given = [(leaf.shape, computed_dtype(leaf.dtype)) for leaf in self.inputs]
        if taken != given:
            raise VerificationError(
                f"the program takes the inputs {taken} and is called with {given}; compile again"
            )

    def flatten(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[Array]:
        """The arrays for the program, sharing memory with the tensors where layout allows.

        Raises `ShapeMismatchError` where a value differs from what the model
        was compiled for; shapes that depend on symbols are checked by `bind_sizes`.
        """
        given = self.bound(args, kwargs)
        found: list[Array] = []
        leaves = iter(self.leaves)
        for argument in self.arguments:
            for path, value in argument.structure.flatten(given[argument.name], argument.name):
                leaf = next(leaves)
                if isinstance(leaf, InputTensor):
                    found.append(_checked_array(leaf, value))
                else:
                    _check_fixed(leaf, value, path)
        return found

    def bound(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """The value of each argument, by name."""
        names = [argument.name for argument in self.arguments]
        wanted = ", ".join(names) or "none"
        if len(args) > len(self.parameters):
            raise ShapeMismatchError(
                f"expected at most {len(self.parameters)} inputs, got {len(args)} by position; "
                f"the model was compiled for: {wanted}"
            )
        given = dict(zip(self.parameters, args, strict=False))
        twice = sorted(given.keys() & kwargs.keys())
        if twice:
            raise ShapeMismatchError(
                f"input '{twice[0]}' was given twice, by position and by name; give it once"
            )
        given.update(kwargs)
        missing = [name for name in names if name not in given]
        fixed = {leaf.name for leaf in self.leaves if isinstance(leaf, FixedInput)}
        absent = [name for name in missing if name not in fixed]
        if absent:
            raise ShapeMismatchError(
                f"input '{absent[0]}' is missing: expected {len(names)} inputs ({wanted}), got "
                f"{len(given)}; pass it by name"
            )
        extra = [name for name in given if name not in names and given[name] is not None]
        if extra:
            raise ShapeMismatchError(
                f"input '{extra[0]}' is not one the model was compiled for ({wanted}); leave it "
                "out, or compile again with an example of it"
            )
        values = {leaf.name: leaf.value for leaf in self.leaves if isinstance(leaf, FixedInput)}
        return {name: given[name] if name in given else values[name] for name in names}

    def rebuild(self, outputs: Sequence[Array], inputs: Sequence[Array] = ()) -> Any:
        """The result as the model returns it, with tensors that share the memory of `outputs`.

        Outputs that must not be written to are copied. `inputs` are the arrays that
        `flatten` gave: for results that are inputs, which are copied, too. What the
        model returns twice is one tensor.
        """
        return self.output.rebuild(self._leaves(outputs, inputs))

    def _leaves(self, outputs: Sequence[Array], inputs: Sequence[Array]) -> Iterator[object]:
        import torch

        made: dict[Result, torch.Tensor] = {}
        for result in self.results:
            if result.source == "constant":
                yield result.value
                continue
            if result not in made:
                computed = result.source == "computed"
                array = outputs[result.index] if computed else inputs[result.index]
                array = array if computed and array.flags.writeable else array.copy()
                made[result] = torch.from_numpy(array).to(getattr(torch, result.dtype))
            yield made[result]

    def to_json(self) -> dict[str, Any]:
        """A description for `json.dumps`."""
        return {
            "parameters": list(self.parameters),
            "arguments": [
                {"name": a.name, "structure": a.structure.to_json()} for a in self.arguments
            ],
            "symbols": [plain(symbol) for symbol in self.symbols],
            "leaves": [_leaf_to_json(leaf) for leaf in self.leaves],
            "output": self.output.to_json(),
            "results": [asdict(result) for result in self.results],
            "widened": [asdict(tensor) for tensor in self.widened],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> CallConvention:
        """The convention that `to_json` described."""
        symbols = tuple(Symbol(*each) for each in data["symbols"])
        return CallConvention(
            tuple(data["parameters"]),
            tuple(
                Argument(a["name"], Structure.from_json(a["structure"])) for a in data["arguments"]
            ),
            tuple(_leaf_from_json(leaf, symbols) for leaf in data["leaves"]),
            Structure.from_json(data["output"]),
            tuple(Result(**result) for result in data["results"]),
            tuple(Widened(**tensor) for tensor in data["widened"]),
        )


def _leaf_to_json(leaf: InputTensor | FixedInput) -> dict[str, Any]:
    if isinstance(leaf, FixedInput):
        return asdict(leaf)
    return {"name": leaf.name, "shape": list(map(plain, leaf.shape)), "dtype": leaf.dtype}


def _leaf_from_json(data: Mapping[str, Any], symbols: Sequence[Symbol]) -> InputTensor | FixedInput:
    if "shape" not in data:
        return FixedInput(data["name"], data["value"])
    shape = tuple(from_plain(extent, symbols) for extent in data["shape"])
    return InputTensor(data["name"], shape, data["dtype"])


def _check_fixed(leaf: FixedInput, value: object, path: str) -> None:
    # By how they are written: 0.0 is not -0.0, and NaN is NaN.
    if type(value) is type(leaf.value) and repr(value) == repr(leaf.value):
        return
    raise ShapeMismatchError(
        f"input '{path}' was {leaf.value!r} when the model was compiled, and stays so; got "
        f"{_described(value)}: pass {leaf.value!r}, or compile again with such an example"
    )


def _described(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float | str | None) else _kind(value)


def _kind(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _checked_array(leaf: InputTensor, value: object) -> Array:
    """The memory of a tensor or array that must be as `leaf` says."""
    if isinstance(value, np.ndarray):
        shape, dtype = value.shape, value.dtype.name
    else:
        value = _checked_tensor(leaf, value)
        shape, dtype = tuple(value.shape), dtype_name(value)
    if shape != leaf.shape and not symbols_in(leaf.shape):
        raise ShapeMismatchError(
            f"input '{leaf.name}' must have shape {leaf.shape}, got {tuple(shape)}; call with the "
            "shape the model was compiled for, or compile again: with such an example, or for "
            "shapes that vary (dynamic_shapes='auto')"
        )
    if dtype != leaf.dtype:
        raise ShapeMismatchError(
            f"input '{leaf.name}' must have dtype {leaf.dtype}, got {dtype}; convert it with "
            f".to(torch.{leaf.dtype}), or compile again with such an example"
        )
    if not isinstance(value, np.ndarray):
        return _values(leaf, value)
    return np.ascontiguousarray(value, computed_dtype(dtype)).reshape(shape)


def _values(leaf: InputTensor, value: torch.Tensor) -> Array:
    try:
        return computed_array(value)
    except RuntimeError as error:
        raise ShapeMismatchError(
            f"input '{leaf.name}' has no values that can be read, as under vmap, grad or tracing; "
            "call the model outside of those, with a plain tensor"
        ) from error


def _checked_tensor(leaf: InputTensor, value: object) -> torch.Tensor:
    import torch

    if not isinstance(value, torch.Tensor):
        raise ShapeMismatchError(
            f"input '{leaf.name}' must be a tensor of shape {leaf.shape} and dtype {leaf.dtype}, "
            f"got {_described(value)}"
        )
    problem = storage_problem(value)
    if problem:
        raise ShapeMismatchError(f"input '{leaf.name}' {problem}")
    return value
