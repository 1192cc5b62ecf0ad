"""Fused layers: regions that become one kernel each."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.utils import AbstractYieldOperation
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure, SingleBlockImplicitTerminator
from xdsl.utils.exceptions import VerifyException

from canao.dialects.interfaces import AccessPattern, CanaoOp


@irdl_op_definition
class YieldOp(AbstractYieldOperation[Attribute]):
    """Ends a `canao.layer` and names its results."""

    name = "canao.yield"
    traits = traits_def(IsTerminator(), Pure())


@irdl_op_definition
class LayerOp(IRDLOperation, CanaoOp):
    """One fused layer, one kernel.

    ```mlir
    %r = canao.layer(%x = %a, %y = %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
      %s = canao.add %x, %y : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      canao.yield %s : tensor<4xf32>
    }
    ```
    The region sees its block arguments only, so that equal layers are equal texts.
    """

    name = "canao.layer"
    inputs = var_operand_def(TensorType)
    outs = var_result_def(TensorType)
    body = region_def("single_block")
    traits = traits_def(Pure(), IsolatedFromAbove(), SingleBlockImplicitTerminator(YieldOp))

    def __init__(
        self, inputs: Sequence[SSAValue], result_types: Sequence[Attribute], body: Region
    ) -> None:
        super().__init__(operands=[inputs], result_types=[result_types], regions=[body])

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.COMPOSITE

    def _parts(self) -> list[CanaoOp]:
        return [op for op in self.body.block.ops if isinstance(op, CanaoOp)]

    def computations(self) -> int:
        return sum(op.computations() for op in self._parts())

    def flops(self) -> int:
        return sum(op.flops() for op in self._parts())

    def unnamed_body(self) -> Region:
        """A copy of the body whose values have no names, which may differ in equal layers."""
        copy = Region()
        self.body.clone_into(copy, clone_name_hints=False)
        return copy

    def verify_(self) -> None:
        block = self.body.block
        if [a.type for a in block.args] != [v.type for v in self.inputs]:
            raise VerifyException("block arguments must have the types of the operands")
        last = block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException("must end in canao.yield")
        if [v.type for v in last.arguments] != [r.type for r in self.outs]:
            raise VerifyException("canao.yield must match the result types")

    @classmethod
    def parse(cls, parser: Parser) -> LayerOp:
        arguments: list[Parser.UnresolvedArgument] = []
        operands: list[UnresolvedOperand] = []

        def binding() -> None:
            arguments.append(parser.parse_argument(expect_type=False))
            parser.parse_punctuation("=")
            operands.append(parser.parse_unresolved_operand())

        parser.parse_comma_separated_list(parser.Delimiter.PAREN, binding)
        parser.parse_punctuation(":")
        types = parser.parse_function_type()
        attributes = parser.parse_optional_attr_dict_with_keyword()
        typed = [
            argument.resolve(type_)
            for argument, type_ in zip(arguments, types.inputs.data, strict=True)
        ]
        body = parser.parse_region(typed)
        inputs = parser.resolve_operands(operands, types.inputs.data, parser.pos)
        layer = cls(inputs, types.outputs.data, body)
        if attributes is not None:
            layer.attributes |= attributes.data
        return layer

    def print(self, printer: Printer) -> None:
        block = self.body.block

        def binding(pair: tuple[SSAValue, SSAValue]) -> None:
            printer.print_ssa_value(pair[0])
            printer.print_string(" = ")
            printer.print_ssa_value(pair[1])

        pairs = list(zip(block.args, self.inputs, strict=True))
        printer.print_string("(")
        printer.enter_scope()
        printer.print_list(pairs, binding)
        printer.print_string(") : ")
        printer.print_function_type([v.type for v in self.inputs], [r.type for r in self.outs])
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)
        printer.exit_scope()
