"""The pass that turns the torch dialect into the canao dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr, TensorType, UnregisteredOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.names import shown_name
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import tensor_of
from canao.errors import UndecidedError, UnsupportedOpError, VerificationError
from canao.transforms.convert_torch_to_canao.constants import (
    CONSTANTS,
    LISTS,
    LITERALS,
    LOCATION,
    NUMBERS,
    PASSING,
    UNPACKS,
    literal_numbers,
    python_value,
)
from canao.transforms.convert_torch_to_canao.emitter import Emitter
from canao.transforms.convert_torch_to_canao.symbolic_shapes import (
    BINDING,
    SIZES,
    SYMBOL,
    bound_shapes,
    symbol_of,
)
from canao.transforms.convert_torch_to_canao.table import CONVERSIONS
from canao.transforms.convert_torch_to_canao.torch_call import Argument, TorchCall
from canao.transforms.convert_torch_to_canao.torch_types import LIST_TYPE, tensor_type, type_name
from canao.transforms.widen_integers import widen_integers


def torch_name(op: Operation) -> str:
    """The name of an operation, also where torch-mlir does not know it."""
    name = op.op_name.data if isinstance(op, UnregisteredOp) else op.name
    if name != "torch.operator":
        return name
    given = op.properties.get("name", op.attributes.get("name"))
    return given.data if isinstance(given, StringAttr) else name


@dataclass
class _FunctionConversion:
    """Converts one function; `values` maps its values to what stands for them now."""

    function: FuncOp
    values: dict[SSAValue, Argument] = field(default_factory=dict[SSAValue, Argument])
    shapes: dict[SSAValue, Sequence[int]] = field(default_factory=dict[SSAValue, Sequence[int]])
    """What is said of shapes beside the types: those that depend on symbols."""

    def run(self) -> FuncOp:
        """The function on builtin tensors, with canao operations only."""
        name = self.function.sym_name.data
        old = self.function.body.block
        self.shapes.update(bound_shapes(self.function))
        types = [self._input_type(value, number, name) for number, value in enumerate(old.args)]
        block = Block(arg_types=types)
        for before, after in zip(old.args, block.args, strict=True):
            after.name_hint = before.name_hint
            self.values[before] = after
        emitter = Emitter(Builder(InsertPoint.at_end(block)))
        results: list[SSAValue] = []
        for number, op in enumerate(old.ops):
            if isinstance(op, ReturnOp):
                results = [v for v in map(self._value, op.operands) if isinstance(v, SSAValue)]
                continue
            self._convert(emitter, op, self._location(op, number))
        block.add_op(ReturnOp(*results))
        signature = (types, [value.type for value in results])
        return FuncOp(name, signature, Region(block), self.function.sym_visibility)

    def _input_type(self, given: SSAValue, number: int, name: str) -> TensorType[Attribute]:
        tensor = self._tensor_type(given, f"input {number} of @{name}")
        if tensor is None:
            raise UnsupportedOpError(
                "func.func",
                f"@{name}",
                f"its input {number} is a {given.type}, and must be a tensor",
            )
        return tensor

    def _tensor_type(self, value: SSAValue, where: str) -> TensorType[Attribute] | None:
        return tensor_type(value.type, where, self.shapes.get(value))

    def _location(self, op: Operation, number: int) -> str:
        given = op.attributes.get(LOCATION)
        if isinstance(given, StringAttr):
            return shown_name(given.data)
        return f"operation {number} of @{self.function.sym_name.data}"

    def _value(self, value: SSAValue) -> Argument:
        return self.values[value]

    def _convert(self, emitter: Emitter, op: Operation, location: str) -> None:
        name = torch_name(op)
        if name in CONSTANTS:
            value = op.properties.get("value", op.attributes.get("value"))
            self.values[op.results[0]] = python_value(name, value)
            return
        if name in LISTS:
            self.values[op.results[0]] = [self._value(operand) for operand in op.operands]
            return
        if name in PASSING:
            self.values[op.results[0]] = self._value(op.operands[0])
            return
        if name == BINDING:
            return
        if name == SYMBOL:
            self.values[op.results[0]] = symbol_of(op)
            return
        if not isinstance(op, UnregisteredOp):
            self._clone(emitter, op)
            return
        where = f"the result of '{name}' at {location}"
        call = TorchCall(
            name,
            tuple(self._value(operand) for operand in op.operands),
            tuple(self._tensor_type(result, where) for result in op.results),
            tuple(result.uses.get_length() > 0 for result in op.results),
            location,
        )
        if name in UNPACKS:
            self._bind(op, call, call.items(0))
            return
        if name in LITERALS:
            self._bind(op, call, [_literal(emitter, call, op)])
            return
        if name in SIZES:
            self._bind(op, call, [SIZES[name](call)])
            return
        if name in NUMBERS:
            self._bind(op, call, [NUMBERS[name](call.number(0))])
            return
        self._bind(op, call, _converted(emitter, call))

    def _clone(self, emitter: Emitter, op: Operation) -> None:
        """Operations of the canao dialect stay: their operands are tensors already."""
        mapping = {
            operand: new
            for operand in op.operands
            if isinstance(new := self._value(operand), SSAValue)
        }
        copy = op.clone(mapping)
        emitter.insert(copy)
        self.values.update(zip(op.results, copy.results, strict=True))

    def _bind(self, op: Operation, call: TorchCall, results: Sequence[Argument]) -> None:
        if len(op.results) == 1 and type_name(op.results[0].type) == LIST_TYPE:
            self.values[op.results[0]] = results
            return
        if len(results) != len(op.results):
            raise VerificationError(
                f"converting '{call.name}' at {call.location} gave {len(results)} results "
                f"instead of {len(op.results)}; please report this bug"
            )
        for number, (old, expected, new) in enumerate(
            zip(op.results, call.results, results, strict=True)
        ):
            if isinstance(new, SSAValue):
                _check_type(call, new, expected)
            elif new is None and expected is not None and call.used[number]:
                raise call.unsupported(f"its result {number} is not computed; use the others")
            self.values[old] = new


def _check_type(call: TorchCall, value: SSAValue, expected: TensorType[Attribute] | None) -> None:
    """What PyTorch says a result is, the conversion must give."""
    if expected is not None and tensor_of(value) != expected:
        raise VerificationError(
            f"converting '{call.name}' at {call.location} gave {value.type}, but the model says "
            f"{expected}; please report this bug"
        )


def _converted(emitter: Emitter, call: TorchCall) -> Sequence[Argument]:
    convert = CONVERSIONS.get(call.name)
    if convert is None:
        raise call.unsupported("")
    try:
        results = convert(emitter, call)
    except UndecidedError as error:
        raise call.unsupported(f"{error}; compile it for fixed shapes") from error
    except (VerifyException, TypeError, IndexError) as error:
        raise VerificationError(
            f"cannot convert '{call.name}' at {call.location}: {error}; check its operands"
        ) from error
    return [results] if isinstance(results, SSAValue) else results


def _literal(emitter: Emitter, call: TorchCall, op: Operation) -> SSAValue:
    numbers = literal_numbers(op.properties.get("value", op.attributes.get("value")))
    if numbers is None:
        raise call.unsupported(
            "its elements were left out of the text; print the module with all elements, or keep "
            "large tensors as canao.weight"
        )
    if len(numbers) == 1:
        return emitter.filled(numbers[0], call.element, call.shape)
    return emitter.array(np.array(numbers, dtype_of_element(call.element)).reshape(call.shape))


@dataclass(frozen=True)
class ConvertTorchToCanaoPass(ModulePass):
    """Converts functions of the torch dialect to canao operations on builtin tensors.

    Constants and lists of the torch dialect become Python values and vanish. Integers of
    fewer than 64 bits are computed as i64 and wrap where the model's would (`widen-integers`).
    Results that are no tensors (None, numbers) are left out of the returned
    values: the calling convention of the model remembers them.
    """

    name = "convert-torch-to-canao"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in list(op.body.block.ops):
            if not isinstance(function, FuncOp) or function.is_declaration:
                continue
            converted = _FunctionConversion(function).run()
            widen_integers(converted)
            op.body.block.insert_op_before(converted, function)
            function.detach()
            function.erase(safe_erase=False)
