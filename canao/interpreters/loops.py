"""Runs lowered modules: loops over flat buffers, kernel by kernel, checked access by access.

An oracle for the lowering that needs no C compiler: slow, and strict where
compiled code is not. Memory that nothing wrote reads as NaN, and a parallel
loop may run its tasks in the opposite order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects import affine, cf, func, memref, scf, vector
from xdsl.dialects.builtin import IntegerAttr, MemRefType, ModuleOp, VectorType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.ir.affine import AffineMap

from canao.dialects.canao_memory import CompilerFenceOp, PrefetchOp
from canao.errors import ExecutionError, VerificationError
from canao.interpreters.affine_places import places_of
from canao.interpreters.buffers import Array, Buffer, flat_of, unwritten
from canao.interpreters.loop_arithmetic import FUNCTIONS, dtype_of

Registers = list[Any]
Step = Callable[[Registers], None]


def run_lowered(
    module: ModuleOp,
    inputs: Sequence[Array],
    weights: Sequence[Array],
    *,
    backwards: bool = False,
) -> tuple[Array, ...]:
    """Runs `@main` of a module after `lower-canao-to-affine`; the outputs, flat.

    `weights` are the results of `@prepare`. `backwards` runs the tasks of each
    parallel loop in the opposite order, which must make no difference. An
    access outside a buffer is a `VerificationError`, a failed check of the
    module an `ExecutionError`.
    """
    functions = {f.sym_name.data: f for f in module.ops if isinstance(f, func.FuncOp)}
    main = functions.get("main")
    if main is None:
        raise VerificationError("the module has no function '@main'; lower it first")
    given = [*inputs, *weights]
    counts = [_count(main, kind) for kind in ("inputs", "weights", "outputs")]
    if [len(inputs), len(weights)] != counts[:2]:
        raise VerificationError(
            f"@main takes {counts[0]} inputs and {counts[1]} weights, "
            f"not {len(inputs)} and {len(weights)}"
        )
    arguments = [
        Buffer(
            f"argument {n} of @main", flat_of(given[n], a.type) if n < len(given) else unwritten(a)
        )
        for n, a in enumerate(main.args)
    ]
    with np.errstate(all="ignore"):
        _Functions(functions, backwards).compiled("main")(arguments)
    return tuple(b.data for b in arguments[len(given) : len(given) + counts[2]])


def _count(main: func.FuncOp, kind: str) -> int:
    attribute = main.attributes.get(f"canao.{kind}")
    if not isinstance(attribute, IntegerAttr):
        raise VerificationError(f"@main lacks the attribute 'canao.{kind}'; lower it first")
    return attribute.value.data


class _Functions:
    """Functions of a module, each turned into Python closures when it is first called."""

    def __init__(self, table: dict[str, func.FuncOp], backwards: bool) -> None:
        self.table = table
        self.backwards = backwards
        self._done: dict[str, Callable[[Sequence[Any]], list[Any]]] = {}

    def compiled(self, symbol: str) -> Callable[[Sequence[Any]], list[Any]]:
        """The function of a symbol: from arguments to results."""
        if symbol not in self._done:
            if symbol not in self.table:
                raise VerificationError(f"function '@{symbol}' is called and is not in the module")
            self._done[symbol] = _FunctionCompiler(self, self.table[symbol]).compile()
        return self._done[symbol]


class _FunctionCompiler:
    """Turns one function into steps over numbered registers."""

    def __init__(self, functions: _Functions, function: func.FuncOp) -> None:
        self.functions = functions
        self.function = function
        self.symbol = function.sym_name.data
        self.numbers: dict[SSAValue, int] = {}

    def compile(self) -> Callable[[Sequence[Any]], list[Any]]:
        """A function from arguments to results."""
        block = self.function.body.block
        arguments = [self.number(a) for a in block.args]
        steps, returned = self.block(block)
        size = len(self.numbers)

        def run(given: Sequence[Any]) -> list[Any]:
            registers: Registers = [None] * size
            for n, value in zip(arguments, given, strict=True):
                if isinstance(value, Buffer):
                    value = Buffer(f"argument {n} of @{self.symbol}", value.data)
                registers[n] = value
            for step in steps:
                step(registers)
            return [registers[n] for n in returned]

        return run

    def number(self, value: SSAValue) -> int:
        """The register of a value."""
        return self.numbers.setdefault(value, len(self.numbers))

    def block(self, block: Block) -> tuple[list[Step], list[int]]:
        """The steps of a block, and the registers that its terminator passes on."""
        for argument in block.args:
            self.number(argument)
        ops = list(block.ops)
        steps = [self.step(op) for op in ops[:-1]]
        return steps, [self.number(v) for v in ops[-1].operands]

    def step(self, op: Operation) -> Step:
        """What runs one operation."""
        if type(op) in FUNCTIONS:
            return self._function_step(op, FUNCTIONS[type(op)](op))
        compiler = _STEPS.get(type(op))
        if compiler is None:
            raise VerificationError(f"op '{op.name}' in '@{self.symbol}' cannot be interpreted")
        return compiler(self, op)

    def _function_step(self, op: Operation, function: Callable[..., Any]) -> Step:
        operands = [self.number(v) for v in op.operands]
        (result,) = (self.number(v) for v in op.results)

        def run(r: Registers) -> None:
            r[result] = function(*[r[n] for n in operands])

        return run

    # ------------------------------------------------------------------ memory

    def access(
        self, buffer: SSAValue, indices: Sequence[SSAValue], map_: AffineMap | None, width: int
    ) -> Callable[[Registers], tuple[Array, int]]:
        """The memory that an operation touches and where: `width` elements, all inside."""
        assert isinstance(buffer.type, MemRefType)
        shape = buffer.type.get_shape()
        map_ = AffineMap.identity(len(indices)) if map_ is None else map_
        places = places_of(map_)
        operands = [self.number(v) for v in indices]
        memory = self.number(buffer)
        symbol = self.symbol
        last = [*shape[:-1], shape[-1] - width + 1]

        def find(r: Registers) -> tuple[Array, int]:
            at = [r[n] for n in operands]
            position = 0
            for place, extent, end in zip(places, shape, last, strict=True):
                index = place(at)
                if not 0 <= index < end:
                    raise VerificationError(
                        f"'@{symbol}' touches {width} elements at {index} of {r[memory].name}, "
                        f"which has {extent}; the lowering is wrong, report the model"
                    )
                position = position * extent + index
            return r[memory].data, position

        return find


def _width(type_: Attribute) -> int:
    return type_.get_shape()[0] if isinstance(type_, VectorType) else 1


def _load(c: _FunctionCompiler, op: Any, buffer: SSAValue, map_: AffineMap | None) -> Step:
    (result,) = op.results
    vectors = isinstance(result.type, VectorType)
    width, out = _width(result.type), c.number(result)
    find = c.access(buffer, op.indices, map_, width)

    def run(r: Registers) -> None:
        data, at = find(r)
        r[out] = data[at : at + width].copy() if vectors else data[at]

    return run


def _store(
    c: _FunctionCompiler, op: Any, value: SSAValue, buffer: SSAValue, map_: AffineMap | None
) -> Step:
    width, source = _width(value.type), c.number(value)
    find = c.access(buffer, op.indices, map_, width)

    def run(r: Registers) -> None:
        data, at = find(r)
        data[at : at + width] = r[source]

    return run


def _affine_load(c: _FunctionCompiler, op: affine.LoadOp | affine.VectorLoadOp) -> Step:
    return _load(c, op, op.memref, op.map.data)


def _affine_store(c: _FunctionCompiler, op: affine.StoreOp | affine.VectorStoreOp) -> Step:
    return _store(c, op, op.value, op.memref, op.map.data)


def _allocate(c: _FunctionCompiler, op: memref.AllocOp | memref.AllocaOp) -> Step:
    out, name = c.number(op.memref), f"a buffer of {op.memref.type} in @{c.symbol}"

    def run(r: Registers) -> None:
        r[out] = Buffer(name, unwritten(op.memref))

    return run


def _view(c: _FunctionCompiler, op: memref.ViewOp) -> Step:
    source, shift, out = c.number(op.source), c.number(op.byte_shift), c.number(op.result)
    assert isinstance(op.result.type, MemRefType)
    dtype, name = dtype_of(op.result.type), f"a view in @{c.symbol}"
    size = dtype.itemsize * prod(op.result.type.get_shape())

    def run(r: Registers) -> None:
        arena: Buffer = r[source]
        start = r[shift]
        if not 0 <= start <= arena.data.nbytes - size:
            raise VerificationError(
                f"{name} takes bytes {start} to {start + size} of {arena.name}, "
                f"which has {arena.data.nbytes}"
            )
        r[out] = Buffer(name, arena.data[start : start + size].view(dtype))

    return run


# --------------------------------------------------------------------- indices


def _apply(c: _FunctionCompiler, op: affine.ApplyOp) -> Step:
    (place,) = places_of(op.map.data)
    operands, out = [c.number(v) for v in op.mapOperands], c.number(op.result)

    def run(r: Registers) -> None:
        r[out] = place([r[n] for n in operands])

    return run


def _least(c: _FunctionCompiler, op: affine.MinOp) -> Step:
    places = places_of(op.map.data)
    operands, out = [c.number(v) for v in op.arguments], c.number(op.result)

    def run(r: Registers) -> None:
        at = [r[n] for n in operands]
        r[out] = min(place(at) for place in places)

    return run


# --------------------------------------------------------------------- control


def _affine_for(c: _FunctionCompiler, op: affine.ForOp) -> Step:
    lower, upper = places_of(op.lowerBoundMap.data), places_of(op.upperBoundMap.data)
    lows = [c.number(v) for v in op.lowerBoundOperands]
    highs = [c.number(v) for v in op.upperBoundOperands]
    increment = op.step.value.data
    inits, results = [c.number(v) for v in op.inits], [c.number(v) for v in op.results]
    variable, *carried = (c.number(a) for a in op.body.block.args)
    steps, yielded = c.block(op.body.block)

    def run(r: Registers) -> None:
        low_at, high_at = [r[n] for n in lows], [r[n] for n in highs]
        values = [r[n] for n in inits]
        start, stop = max(p(low_at) for p in lower), min(p(high_at) for p in upper)
        for i in range(start, stop, increment):
            r[variable] = i
            for n, value in zip(carried, values, strict=True):
                r[n] = value
            for step in steps:
                step(r)
            values = [r[n] for n in yielded]
        for n, value in zip(results, values, strict=True):
            r[n] = value

    return run


def _parallel(c: _FunctionCompiler, op: affine.ParallelOp) -> Step:
    starts = [place(()) for place in places_of(op.lowerBoundsMap.data)]
    ends = places_of(op.upperBoundsMap.data)
    operands = [c.number(v) for v in op.map_operands]
    increments = [step.value.data for step in op.steps]
    variables = [c.number(a) for a in op.body.block.args]
    steps, _ = c.block(op.body.block)

    def run(r: Registers) -> None:
        at = [r[n] for n in operands]
        tasks = list(product(*map(range, starts, (end(at) for end in ends), increments)))
        if c.functions.backwards:
            tasks.reverse()
        for task in tasks:
            for n, value in zip(variables, task, strict=True):
                r[n] = value
            for step in steps:
                step(r)

    return run


def _if(c: _FunctionCompiler, op: scf.IfOp) -> Step:
    condition = c.number(op.cond)
    results = [c.number(v) for v in op.results]
    then = c.block(op.true_region.block)
    otherwise = c.block(op.false_region.block) if op.false_region.blocks else ([], [])

    def run(r: Registers) -> None:
        steps, yielded = then if r[condition] else otherwise
        for step in steps:
            step(r)
        for n, source in zip(results, yielded, strict=True):
            r[n] = r[source]

    return run


def _call(c: _FunctionCompiler, op: func.CallOp) -> Step:
    function = c.functions.compiled(op.callee.string_value())
    operands, results = [c.number(v) for v in op.operands], [c.number(v) for v in op.results]

    def run(r: Registers) -> None:
        for n, value in zip(results, function([r[n] for n in operands]), strict=True):
            r[n] = value

    return run


def _nothing(c: _FunctionCompiler, op: Operation) -> Step:
    def run(r: Registers) -> None:
        """A hint changes nothing."""

    return run


def _assert(c: _FunctionCompiler, op: cf.AssertOp) -> Step:
    condition, message = c.number(op.arg), f"a check in '@{c.symbol}' failed: {op.msg.data}"

    def run(r: Registers) -> None:
        if not r[condition]:
            raise ExecutionError(f"{message}; correct the inputs")

    return run


_STEPS: dict[type[Operation], Callable[[_FunctionCompiler, Any], Step]] = {
    affine.ApplyOp: _apply,
    affine.ForOp: _affine_for,
    affine.LoadOp: _affine_load,
    affine.MinOp: _least,
    affine.ParallelOp: _parallel,
    affine.StoreOp: _affine_store,
    affine.VectorLoadOp: _affine_load,
    affine.VectorStoreOp: _affine_store,
    cf.AssertOp: _assert,
    func.CallOp: _call,
    memref.AllocOp: _allocate,
    memref.AllocaOp: _allocate,
    memref.LoadOp: lambda c, op: _load(c, op, op.memref, None),
    memref.StoreOp: lambda c, op: _store(c, op, op.value, op.memref, None),
    memref.ViewOp: _view,
    scf.IfOp: _if,
    CompilerFenceOp: _nothing,
    PrefetchOp: _nothing,
    vector.LoadOp: lambda c, op: _load(c, op, op.base, None),
    vector.StoreOp: lambda c, op: _store(c, op, op.vector, op.base, None),
}
