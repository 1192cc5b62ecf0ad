"""What the frontend hands over, and modules read from MLIR text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import Func, FuncOp, ReturnOp
from xdsl.ir import Attribute, BlockArgument, SSAValue
from xdsl.utils.exceptions import DiagnosticException, ParseError, VerifyException

from canao.dialects.canao import Canao
from canao.dialects.canao.source import dtype_of_element, storage_type
from canao.dialects.canao.symbolic import shape_of_type
from canao.dialects.mlir_parser import MlirParser
from canao.errors import InputFileError
from canao.extent import volume
from canao.frontend.convention import Argument, CallConvention, InputTensor, Result
from canao.frontend.dtypes import Array
from canao.frontend.mlir_text import check_text, located, shortened
from canao.frontend.state import ModelState
from canao.frontend.structure import LEAF, Structure


@dataclass(frozen=True)
class ImportedModel:
    """A model in the torch dialect, its weights, how to call it, and where weights came from."""

    module: ModuleOp
    weights: Mapping[str, Array]
    convention: CallConvention
    state: ModelState | None
    """None for a model that came from a file."""
    export_seconds: float
    import_seconds: float
    examples: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    """The arguments and the named ones that an exported program brings."""


def mlir_context() -> Context:
    """A context for modules in the torch dialect (unchecked) and the canao dialect."""
    context = Context(allow_unregistered=True)
    for dialect in (Builtin, Func, Canao):
        context.load_dialect(dialect)
    return context


def parse_mlir(text_or_path: str | Path) -> ModuleOp:
    """A module from MLIR text, or from the file at a path.

    A string is a path if it has one line and ends in `.mlir`. Raises
    `InputFileError` with file, line and column where the text is malformed, and for
    operations that break their rules.
    """
    text, name = _read(text_or_path)
    check_text(text, name)
    try:
        module = MlirParser(mlir_context(), text, name).parse_module()
        module.verify()
    except ParseError as error:
        raise InputFileError(_located(error, name)) from error
    except DiagnosticException as error:
        raise InputFileError(f"{name}: {shortened(str(error))}; correct the operation") from error
    except MemoryError as error:
        raise InputFileError(
            f"{name}: a constant is larger than memory; make it smaller"
        ) from error
    _check_computed(module, name)
    _check_sizes(module, name)
    return module


def memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _check_sizes(module: ModuleOp, name: str) -> None:
    """An error for tensors that cannot lie in this machine's memory."""
    memory = memory_bytes()
    for op in module.walk():
        arguments = (a for region in op.regions for block in region.blocks for a in block.args)
        for value in (*op.results, *arguments):
            if isinstance(value.type, TensorType) and _elements(value.type) > memory:
                raise InputFileError(
                    f"{name}: {op.name} has a value of type {value.type}, larger than this "
                    "machine's memory; correct its sizes"
                )


def _elements(tensor: TensorType[Attribute]) -> int:
    """How many elements a tensor has at most; 0 where the verifier will refuse its type."""
    try:
        return volume(shape_of_type(tensor))
    except VerifyException:
        return 0


def _check_computed(module: ModuleOp, name: str) -> None:
    """An error for tensors of a type that only memory has."""
    for op in module.walk():
        arguments = (a for region in op.regions for block in region.blocks for a in block.args)
        for value in (*op.results, *arguments):
            if not isinstance(value.type, TensorType):
                continue
            if stored := storage_type(value.type.element_type):
                raise InputFileError(
                    f"{name}: {op.name} has a value of type {value.type}; models are written in "
                    f'f32: convert it, and compile with dtype="{stored.name}" to store such numbers'
                )


def _read(text_or_path: str | Path) -> tuple[str, str]:
    if isinstance(text_or_path, str):
        single = "\n" not in text_or_path.strip()
        if not (single and text_or_path.strip().endswith(".mlir")):
            return text_or_path, "<string>"
    path = Path(text_or_path)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except OSError as error:
        raise InputFileError(
            f"cannot read '{path}': {error.strerror}; check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"'{path}' is not UTF-8 text (byte {error.start}); give MLIR in its textual form"
        ) from error


def _located(error: ParseError, name: str) -> str:
    content = error.span.input.content
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    return (
        f"{located(text, error.span.start, name)}: {shortened(error.msg)}; correct the MLIR there"
    )


def entry_point(module: ModuleOp, name: str = "main") -> FuncOp:
    """The function of a module that is called."""
    for op in module.body.block.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == name:
            return op
    raise InputFileError(f"the module has no function @{name}; rename its entry point")


def keep_computed(function: FuncOp, given: Sequence[str | Result]) -> list[Result]:
    """Where each leaf of the result comes from; `given` are the dtypes of those that are tensors.

    The function keeps each computed tensor once: inputs that are returned,
    constants and repetitions are left to the calling convention.
    """
    last = function.body.block.last_op
    assert isinstance(last, ReturnOp)
    kept: list[SSAValue] = []
    results: list[Result] = []
    for leaf, value in zip(given, last.operands, strict=True):
        if isinstance(leaf, Result):
            results.append(leaf)
        elif isinstance(value, BlockArgument):
            results.append(Result("input", value.index, leaf))
        else:
            if value not in kept:
                kept.append(value)
            results.append(Result("computed", kept.index(value), leaf))
    block = function.body.block
    block.insert_op_before(ReturnOp(*kept), last)
    last.detach()
    last.erase()
    function.function_type = FunctionType.from_lists(
        [argument.type for argument in block.args], [value.type for value in kept]
    )
    return results


def convention_of(module: ModuleOp, function: str = "main") -> CallConvention:
    """How to call a function of builtin tensors that came as text.

    Arguments are named as in the text. One result is returned as a tensor,
    several as a tuple.
    """
    op = entry_point(module, function)
    inputs = tuple(
        InputTensor(value.name_hint or f"arg{number}", *_shape_and_dtype(value.type))
        for number, value in enumerate(op.body.block.args)
    )
    last = op.body.block.last_op
    returned = last.operands if isinstance(last, ReturnOp) else ()
    results = tuple(
        Result("computed", number, _shape_and_dtype(value.type)[1])
        for number, value in enumerate(returned)
    )
    output = LEAF if len(results) == 1 else Structure("tuple", (), (LEAF,) * len(results))
    return CallConvention(
        tuple(tensor.name for tensor in inputs),
        tuple(Argument(tensor.name, LEAF) for tensor in inputs),
        inputs,
        output,
        results,
    )


def _shape_and_dtype(given: Attribute) -> tuple[tuple[int, ...], str]:
    if not isinstance(given, TensorType):
        raise InputFileError(f"the entry point must take and return tensors, not {given}")
    try:
        shape = shape_of_type(given)
    except VerifyException as error:
        raise InputFileError(f"the entry point takes or returns what cannot be: {error}") from error
    return shape, dtype_of_element(given.element_type).name
