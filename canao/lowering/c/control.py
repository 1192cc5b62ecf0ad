"""Loops, conditions, calls and assertions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects import affine, cf, func, scf
from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr
from xdsl.ir import Block, Operation, OpResult, SSAValue

from canao.lowering.c.context import FunctionPrinter, OpPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import helpers
from canao.lowering.c.expressions.memory import subscripts
from canao.lowering.c.language.types import ELEMENTS
from canao.lowering.c.subscripts import Interval, Linear

MAX_TASKS = 2**24 - 1
"""What the thread pool can count (`CANAO_TASK_BITS`)."""


def _bound(fn: FunctionPrinter, values: Sequence[Linear], kind: str) -> str:
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else helpers.index_extremum(fn.unit, kind, texts)


def _known(values: Sequence[Linear], fn: FunctionPrinter, low: bool) -> int | None:
    """A number below all lower bounds' maximum, or above all upper bounds' minimum."""
    intervals = [value.interval(fn.bounds) for value in values]
    ends = [interval[0 if low else 1] for interval in intervals]
    known = [end for end in ends if end is not None]
    if not known:
        return None
    return max(known) if low else min(known)


def _print_affine_for(fn: FunctionPrinter, op: affine.ForOp) -> None:
    places = subscripts(fn)
    lower = places.results(op.lowerBoundMap.data, [fn.linear(v) for v in op.lowerBoundOperands])
    upper = places.results(op.upperBoundMap.data, [fn.linear(v) for v in op.upperBoundOperands])
    end = _known(upper, fn, low=False)
    interval: Interval = (_known(lower, fn, low=True), None if end is None else end - 1)
    step = str(op.step.value.data)
    stop = _bound(fn, upper, "min")
    if any(value.terms for value in upper):
        name = fn.fresh("n")
        fn.line(f"const long {name} = {stop};")
        stop = name
    _print_loop(fn, op, (_bound(fn, lower, "max"), stop, step), list(op.inits), interval)


def _print_scf_for(fn: FunctionPrinter, op: scf.ForOp) -> None:
    interval: Interval = (fn.constants.get(op.lb), None)
    bounds = (fn.name(op.lb), fn.name(op.ub), fn.name(op.step))
    _print_loop(fn, op, bounds, list(op.iter_args), interval)


def _print_loop(
    fn: FunctionPrinter,
    op: affine.ForOp | scf.ForOp,
    bounds: tuple[str, str, str],
    inits: Sequence[SSAValue],
    interval: Interval,
) -> None:
    block = op.body.block
    induction, *arguments = block.args
    variables: list[str] = []
    for argument, init, result in zip(arguments, inits, op.results, strict=True):
        name = _carried_variable(fn, result, fn.name(init))
        fn.names[argument] = fn.names[result] = name
        variables.append(name)
    _assign_in_place(fn, block, arguments, variables)

    start, stop, step = bounds
    ctype = fn.ctype(induction).c

    def head(name: str) -> str:
        advance = f"++{name}" if step in ("1", "1L") else f"{name} += {step}"
        return f"for ({ctype} {name} = {start}; {name} < {stop}; {advance})"

    name = fn.open_loop(induction, head)
    fn.bounds[name] = interval
    fn.carried.append(variables)
    fn.print_block(block)
    fn.carried.pop()
    fn.close()


def _carried_variable(fn: FunctionPrinter, result: SSAValue, init: str) -> str:
    """The variable that a loop updates, set to its first value."""
    target = fn.assigned.get(result)
    if target is None:
        name = fn.fresh_like(result)
        fn.line(f"{fn.ctype(result).c} {name} = {init};")
        return name
    if target != init:
        fn.line(f"{target} = {init};")
    return target


def _assign_in_place(
    fn: FunctionPrinter, block: Block, arguments: Sequence[SSAValue], variables: Sequence[str]
) -> None:
    """Lets a chain of accumulations such as `c = a * b + c` write its variable at once.

    Safe where each value of the chain has one reader, the computation of the next, and
    the last one the terminator. Compilers keep one variable in one register.
    """
    last = block.last_op
    if last is None:
        return
    for argument, following, variable in zip(arguments, last.operands, variables, strict=True):
        chain = _chain(block, argument)
        if chain and chain[-1] is following:
            fn.assigned.update(dict.fromkeys(chain, variable))


def _chain(block: Block, value: SSAValue) -> list[OpResult]:
    """The values of a block that are computed one from the other, beginning with a value."""
    chain: list[OpResult] = []
    while (use := value.get_unique_use()) is not None:
        results = [r for r in use.operation.results if r.type == value.type and _updates(r, value)]
        if len(results) != 1 or use.operation.parent_block() is not block:
            break
        value = results[0]
        chain.append(value)
    return chain


def _updates(result: OpResult, argument: SSAValue) -> bool:
    """Whether printing the owner of `result` reads `argument` before it writes the result."""
    op = result.op
    if isinstance(op, affine.ForOp | scf.ForOp):
        inits = op.inits if isinstance(op, affine.ForOp) else op.iter_args
        return inits[result.index] is argument
    return not op.regions


def _print_yield(fn: FunctionPrinter, op: Operation) -> None:
    """Assigns all variables at once: those that others still need are saved first."""
    if not fn.carried:
        return
    variables = fn.carried[-1]
    moves = [
        (variable, fn.name(value), value)
        for variable, value in zip(variables, op.operands, strict=True)
        if fn.name(value) != variable
    ]
    written = {variable for variable, _, _ in moves}
    saved: dict[str, str] = {}
    for _, source, value in moves:
        if source in written and source not in saved:
            saved[source] = fn.fresh()
            fn.line(f"const {fn.ctype(value).c} {saved[source]} = {source};")
    for variable, source, _ in moves:
        fn.line(f"{variable} = {saved.get(source, source)};")


def _print_if(fn: FunctionPrinter, op: scf.IfOp) -> None:
    variables: list[str] = []
    for result in op.results:
        name = fn.bind(result)
        fn.line(f"{fn.ctype(result).c} {name};")
        variables.append(name)
    fn.carried.append(variables)
    fn.open(f"if ({fn.name(op.cond)})")
    fn.print_block(op.true_region.block)
    if op.false_region.blocks:
        fn.otherwise()
        fn.print_block(op.false_region.block)
    fn.close()
    fn.carried.pop()


def _print_assert(fn: FunctionPrinter, op: cf.AssertOp) -> None:
    if not fn.is_kernel:
        raise Unprintable("an assertion outside a kernel")
    fn.uses_call = True
    number = fn.unit.message(op.msg.data)
    fn.line(f"if (!({fn.name(op.arg)})) canao_fail(call->status, {number + 1});")


def _print_call(fn: FunctionPrinter, op: func.CallOp) -> None:
    name = fn.helper_names.get(op.callee.string_value())
    if name is None:
        raise Unprintable(f"{op.callee} is no helper function with one result")
    text = f"{name}({', '.join(fn.name(argument) for argument in op.arguments)})"
    fn.define(op.results[0], text)


def _print_return(fn: FunctionPrinter, op: func.ReturnOp) -> None:
    if op.arguments:
        fn.line(f"return {fn.name(op.arguments[0])};")


def _constant_results(map_attribute: AffineMapAttr, fn: FunctionPrinter) -> list[int]:
    values = subscripts(fn).results(map_attribute.data, [])
    return [value.constant for value in values]


def print_parallel(fn: FunctionPrinter, op: affine.ParallelOp) -> None:
    """A call runs one task: its number gives the induction variables, the last one fastest."""
    if not fn.is_kernel or fn.depth > 1:
        raise Unprintable("only a kernel may have a parallel loop, outside all others")
    fn.tasks = bind_counters(fn, op, "task")
    print_body(fn, op.body.block)


def print_body(fn: FunctionPrinter, block: Block) -> None:
    """Prints the body of a parallel loop."""
    fn.carried.append(())
    fn.print_block(block)
    fn.carried.pop()


def trip_counts(fn: FunctionPrinter, op: affine.ParallelOp) -> list[int | str]:
    """Iterations of a parallel loop along each dimension: numbers, or variables that hold them."""
    if op.results:
        raise Unprintable("a parallel loop with results")
    operands = [fn.linear(value) for value in op.map_operands]
    lower = _constant_results(op.lowerBoundsMap, fn)
    upper = subscripts(fn).results(op.upperBoundsMap.data, operands)
    steps = [step.value.data for step in op.steps]
    if not len(lower) == len(upper) == len(steps) == len(op.body.block.args):
        raise Unprintable("a parallel loop needs one lower and one upper bound a dimension")
    counts: list[int | str] = []
    for start, end, step in zip(lower, upper, steps, strict=True):
        if not end.terms:
            counts.append(max(0, -(-(end.constant - start) // step)))
            continue
        if (start, step) != (0, 1) or not str(end).isidentifier():
            raise Unprintable("a parallel loop whose variable bound is no value, from 0 by 1")
        counts.append(str(end))
    return counts


def most_tasks(fn: FunctionPrinter, op: affine.ParallelOp) -> int:
    """The number of iterations of a parallel loop, or the most that there can be."""
    counts = trip_counts(fn, op)
    fixed = [n for n in counts if isinstance(n, int)]
    if len(fixed) == len(counts):
        return prod(fixed)
    most = op.attributes.get("canao.most")
    if not isinstance(most, IntegerAttr):
        raise Unprintable("a parallel loop with variable bounds and without 'canao.most'")
    return most.value.data


def task_count(fn: FunctionPrinter, op: affine.ParallelOp) -> str:
    """The number of iterations of a parallel loop, as an expression."""
    counts = trip_counts(fn, op)
    fixed = prod(n for n in counts if isinstance(n, int))
    factors = [n for n in counts if isinstance(n, str)]
    return " * ".join([*factors, *([str(fixed)] if fixed != 1 or not factors else [])])


def bind_counters(fn: FunctionPrinter, op: affine.ParallelOp, counter: str) -> int:
    """Defines the induction variables by a variable that counts all iterations, and these.

    Returns how many iterations there are, or the most that there can be.
    """
    counts = trip_counts(fn, op)
    extents = [n for n in counts if isinstance(n, int)]
    if len(extents) != len(counts):
        _bind_when_running(fn, op, counts, counter)
        return _checked(most_tasks(fn, op))
    lower = _constant_results(op.lowerBoundsMap, fn)
    steps = [step.value.data for step in op.steps]
    block = op.body.block
    total = _checked(prod(extents))
    inner = total
    for argument, start, step, extent in zip(block.args, lower, steps, extents, strict=True):
        outermost = inner == total
        inner //= max(extent, 1)
        text = counter if inner <= 1 else f"{counter} / {inner}"
        text = text if outermost else f"{text} % {extent}"
        text = text if step == 1 else f"{text} * {step}"
        text = text if start == 0 else f"{text} + {start}"
        name = fn.bind(argument, "i")
        fn.bounds[name] = (start, start + max(extent - 1, 0) * step)
        if argument.first_use is not None:
            fn.uses_task = fn.uses_task or counter in text
            fn.line(f"const {ELEMENTS['index'].c} {name} = {text};")
    return total


def _checked(total: int) -> int:
    if total > MAX_TASKS:
        raise Unprintable(f"{total} tasks, of which a kernel has at most {MAX_TASKS}")
    return total


def _bind_when_running(
    fn: FunctionPrinter, op: affine.ParallelOp, counts: Sequence[int | str], counter: str
) -> None:
    """The same for counts of which some are variables, the last one fastest."""
    ctype = ELEMENTS["index"].c
    fn.uses_task = True
    arguments = list(zip(op.body.block.args, counts, strict=True))
    rest = counter
    for n, (argument, count) in reversed(list(enumerate(arguments))):
        name = fn.bind(argument, "i")
        fn.bounds[name] = (0, None if isinstance(count, str) else max(count - 1, 0))
        fn.line(f"const {ctype} {name} = {rest if n == 0 else f'{rest} % {count}'};")
        if n > 0:
            left = fn.fresh("n")
            fn.line(f"const {ctype} {left} = {rest} / {count};")
            rest = left


PRINTERS: dict[type[Operation], OpPrinter] = {
    affine.ForOp: _print_affine_for,
    affine.ParallelOp: print_parallel,
    affine.YieldOp: _print_yield,
    cf.AssertOp: _print_assert,
    func.CallOp: _print_call,
    func.ReturnOp: _print_return,
    scf.ForOp: _print_scf_for,
    scf.IfOp: _print_if,
    scf.YieldOp: _print_yield,
}
