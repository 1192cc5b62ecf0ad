"""The dialect `canao_memory`: hints about memory, which xDSL's affine dialect lacks.

`prefetch` is the operation `affine.prefetch` of MLIR for reads of data that is
used soon. `compiler_fence` keeps accesses in order, as the function of that name in Rust.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from xdsl.dialects.builtin import (
    AffineMapAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    UnitAttr,
    VectorType,
    i32,
)
from xdsl.ir import Dialect, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException


class Locality(IntEnum):
    """Where a fetched line is to go, as `affine.prefetch` counts."""

    SECOND = 2
    NEAREST = 3


@irdl_op_definition
class PrefetchOp(IRDLOperation):
    """Asks for the cache line of an element, which need not be inside the buffer.

    `"canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0) -> (d0 + 64)>, locality = 3}>`
    reads and writes nothing that a program can see. With `is_write` the line is about to be
    written, as in the memref dialect.
    """

    name = "canao_memory.prefetch"
    memref = operand_def(MemRefType)
    indices = var_operand_def(IndexType)
    map = prop_def(AffineMapAttr)
    locality = prop_def(IntegerAttr)
    is_write = opt_prop_def(UnitAttr)

    def __init__(
        self,
        memory: SSAValue,
        indices: Sequence[SSAValue],
        position: AffineMap,
        locality: Locality,
        *,
        is_write: bool = False,
    ) -> None:
        super().__init__(
            operands=[memory, indices],
            properties={
                "map": AffineMapAttr(position),
                "locality": IntegerAttr(int(locality), i32),
                "is_write": UnitAttr() if is_write else None,
            },
        )

    def verify_(self) -> None:
        assert isinstance(self.memref.type, MemRefType)
        taken, given = self.map.data.num_dims, len(self.indices)
        if taken != given or len(self.map.data.results) != len(self.memref.type.get_shape()):
            raise VerifyException(
                f"the map {self.map.data} must take {given} indices to one place in "
                f"{self.memref.type}"
            )
        known = [int(level) for level in Locality]
        if self.locality.value.data not in known:
            raise VerifyException(f"locality must be one of {known}")


@irdl_op_definition
class CompilerFenceOp(IRDLOperation):
    """The compiler of the printed text moves no access to memory from one side to the other.

    `"canao_memory.compiler_fence"(%a) : (vector<8xf32>) -> ()` is no instruction, and says
    nothing to processors. It ends how far ahead of their use loads are moved, where each
    would take a register until then. Its operands are in registers until here: nothing
    else is put there before.
    """

    name = "canao_memory.compiler_fence"
    held = var_operand_def(VectorType)

    def __init__(self, held: Sequence[SSAValue] = ()) -> None:
        super().__init__(operands=[held])


CanaoMemory = Dialect("canao_memory", [PrefetchOp, CompilerFenceOp], [])

__all__ = ["CanaoMemory", "CompilerFenceOp", "Locality", "PrefetchOp"]
