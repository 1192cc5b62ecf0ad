"""Small C functions that printed expressions call, made once for each type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from canao.lowering.c.context import UnitPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.language.native_rounding import native_rounding
from canao.lowering.c.language.types import CType

_PREFIX = "CANAO_INLINE"
_EXTREMA = {"maximum": ">", "minimum": "<"}


def _function(result: str, name: str, parameters: Sequence[str], body: str) -> str:
    return f"{_PREFIX} {result} {name}({', '.join(parameters)}) {{\n{body}\n}}"


def _ensure(
    unit: UnitPrinter,
    name: str,
    result: CType,
    parameters: Sequence[tuple[CType, str]],
    body: Callable[[], str],
) -> str:
    """A helper with this body, whose types are declared too."""

    def make() -> str:
        declared = [f"const {unit.declare(ctype)} {label}" for ctype, label in parameters]
        text = body()
        indent = "" if text.startswith("#") else "  "
        return _function(unit.declare(result), name, declared, indent + text)

    return unit.helper(name, make)


def splat(unit: UnitPrinter, ctype: CType, scalar: str) -> str:
    """A vector whose lanes are all equal; true is given as -1."""
    lane = ctype.of(ctype.element.lane).with_lanes(1)
    name = _ensure(
        unit,
        f"canao_splat_{ctype.tag}",
        ctype,
        [(lane, "a")],
        lambda: f"return {unit.dialect.vector(ctype, ['a'] * ctype.lanes)};",
    )
    return f"{name}({scalar})"


def blend(unit: UnitPrinter, ctype: CType, mask: str, a: str, b: str) -> str:
    """Lanes of `a` where the native mask is -1, of `b` where it is 0."""
    native = ctype.native_mask
    name = _ensure(
        unit,
        f"canao_blend_{ctype.tag}",
        ctype,
        [(native, "mask"), (ctype, "a"), (ctype, "b")],
        lambda: unit.dialect.blend(ctype),
    )
    return f"{name}({mask}, {a}, {b})"


def choose(unit: UnitPrinter, ctype: CType, condition: str, a: str, b: str) -> str:
    """`a` where a C comparison of values of this type holds, else `b`."""
    if ctype.is_vector:
        return blend(unit, ctype, condition, a, b)
    return f"({condition}) ? {a} : {b}"


def hint(unit: UnitPrinter, ctype: CType, name: str, body: str | None, text: str) -> str:
    """A vector that a function returns as it is, but for what compilers know; itself without."""
    if body is None:
        return text
    function = _ensure(unit, f"canao_{name}_{ctype.tag}", ctype, [(ctype, "a")], lambda: body)
    return f"{function}({text})"


def hold(unit: UnitPrinter, ctype: CType, text: str) -> str:
    """The statement up to which a vector is in a register; empty where C has none."""
    body = unit.dialect.hold(ctype)
    if body is None:
        return ""
    name = f"canao_hold_{ctype.tag}"
    parameter = f"CANAO_UNUSED const {unit.declare(ctype)} a"
    unit.helper(name, lambda: _function("void", name, [parameter], body))
    return f"{name}({text});"


def extremum(
    unit: UnitPrinter, ctype: CType, kind: str, a: str, b: str, *, ordered: bool = False
) -> str:
    """The larger or smaller of two floating-point numbers; NaN if one is NaN.

    `ordered` promises that the first is not NaN.
    """
    condition = f"a {_EXTREMA[kind]} b" if ordered else f"(a {_EXTREMA[kind]} b) | (a != a)"

    def body() -> str:
        text = f"return {choose(unit, ctype, condition, 'a', 'b')};"
        blended = choose(unit, ctype, "a != a", "a", "m")
        native = unit.dialect.extremum(ctype, kind, ordered=ordered, blended=blended)
        return f"{native.lstrip()}{text}\n#endif" if native else text

    name = _ensure(
        unit,
        f"canao_{kind}_{'ordered_' if ordered else ''}{ctype.tag}",
        ctype,
        [(ctype, "a"), (ctype, "b")],
        body,
    )
    return f"{name}({a}, {b})"


def extremum_number(unit: UnitPrinter, ctype: CType, kind: str, a: str, b: str) -> str:
    """The larger or smaller of two numbers; the other one if one is NaN."""
    condition = f"(a {_EXTREMA[kind]} b) | (b != b)"
    name = _ensure(
        unit,
        f"canao_{kind}_number_{ctype.tag}",
        ctype,
        [(ctype, "a"), (ctype, "b")],
        lambda: f"return {choose(unit, ctype, condition, 'a', 'b')};",
    )
    return f"{name}({a}, {b})"


def floordiv(unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
    """A quotient of signed integers rounded down."""
    # A comparison of vectors gives -1 where it holds, one of scalars gives 1.
    sign = "+" if ctype.is_vector else "-"
    name = _ensure(
        unit,
        f"canao_floordiv_{ctype.tag}",
        ctype,
        [(ctype, "a"), (ctype, "b")],
        lambda: f"return a / b {sign} ((a % b != 0) & ((a ^ b) < 0));",
    )
    return f"{name}({a}, {b})"


def index_division(unit: UnitPrinter, kind: str, a: str, divisor: int) -> str:
    """`floordiv` or `mod` of an index that may be negative by a positive constant."""
    body = {
        "floordiv": "a / b - (a % b < 0)",
        "mod": "a % b + (a % b < 0 ? b : 0)",
    }[kind]
    name = unit.helper(
        f"canao_index_{kind}",
        lambda: _function(
            "long", f"canao_index_{kind}", ["const long a", "const long b"], f"  return {body};"
        ),
    )
    return f"{name}({a}, {divisor})"


def index_extremum(unit: UnitPrinter, kind: str, values: Sequence[str]) -> str:
    """The least ("min") or greatest ("max") of some indices."""
    symbol = {"min": "<", "max": ">"}[kind]
    name = unit.helper(
        f"canao_index_{kind}",
        lambda: _function(
            "long",
            f"canao_index_{kind}",
            ["const long a", "const long b"],
            f"  return a {symbol} b ? a : b;",
        ),
    )
    text = values[0]
    for value in values[1:]:
        text = f"{name}({text}, {value})"
    return text


def by_lane(unit: UnitPrinter, ctype: CType, function: str, operands: Sequence[str]) -> str:
    """A scalar function of each lane: a loop that the compiler turns into vectors or calls."""
    labels = ["a", "b", "c"][: len(operands)]

    name = _ensure(
        unit,
        f"canao_lanes_{function}_{ctype.tag}",
        ctype,
        [(ctype, label) for label in labels],
        lambda: unit.dialect.by_lane(ctype, function, labels),
    )
    return f"{name}({', '.join(operands)})"


def rounding(unit: UnitPrinter, ctype: CType, name: str, function: str, a: str) -> str:
    """Lanes as whole numbers, by the instruction of the processor or a function of the library.

    Compilers leave a loop over the function scalar. `name` is that for double.
    """

    def body() -> str:
        portable = unit.dialect.by_lane(ctype, function, ["a"])
        return native_rounding(ctype, name, portable)

    return f"{_ensure(unit, f'canao_{name}_{ctype.tag}', ctype, [(ctype, 'a')], body)}({a})"


def widen(unit: UnitPrinter, source: CType, target: CType, a: str) -> str:
    """A vector of floats as doubles."""
    body = unit.dialect.widen(unit, target)
    if body is None:
        return unit.dialect.convert(unit, target, a)
    name = f"canao_widen_{target.tag}"
    return f"{_ensure(unit, name, target, [(source, 'a')], body.lstrip)}({a})"


def bits(unit: UnitPrinter, source: CType, target: CType, a: str) -> str:
    """The same bits as another type of the same size."""
    if source.element.is_bool or target.element.is_bool or source.bytes != target.bytes:
        raise Unprintable(f"the bits of {source.tag} cannot be read as {target.tag}")
    if source.is_vector and target.is_vector:
        return unit.dialect.cast(target, a)
    name = _ensure(
        unit,
        f"canao_bits_{source.tag}_{target.tag}",
        target,
        [(source, "a")],
        lambda: unit.dialect.bits(target),
    )
    return f"{name}({a})"


def reduction(
    unit: UnitPrinter,
    ctype: CType,
    kind: str,
    combine: Callable[[CType, str, str], str],
    a: str,
) -> str:
    """All lanes combined as a tree: halves first, always in the same order."""

    def body() -> str:
        lines: list[str] = []
        name, lanes = "a", ctype.lanes
        while lanes > 2:
            lanes //= 2
            half = ctype.with_lanes(lanes)
            parts = [f"l{lanes}", f"h{lanes}"]
            for part, upper in zip(parts, (False, True), strict=True):
                text = unit.dialect.half(half, name, upper=upper)
                lines.append(f"const {unit.declare(half)} {part} = {text};")
            name = f"a{lanes}"
            lines.append(f"const {half.c} {name} = {combine(half, *parts)};")
        pair = ctype.with_lanes(2)
        ends = [unit.dialect.lane(pair, name, n) for n in range(2)]
        lines.append(f"return {combine(ctype.with_lanes(1), *ends)};")
        return "\n  ".join(lines)

    scalar = ctype.with_lanes(1)
    name = _ensure(unit, f"canao_reduce_{kind}_{ctype.tag}", scalar, [(ctype, "a")], body)
    return f"{name}({a})"


def integer_power(unit: UnitPrinter, ctype: CType) -> str:
    """The name of a function for powers of integers: 0 for fractions, as MLIR has it."""
    c, wide = ctype.c, "uint64_t"
    body = (
        "if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;\n"
        f"  {wide} power = 1;\n"
        f"  for ({wide} base = ({wide})a, left = ({wide})b; left; left >>= 1, base *= base)\n"
        "    if (left & 1) power *= base;\n"
        f"  return ({c})power;"
    )
    return _ensure(
        unit, f"canao_power_{ctype.tag}", ctype, [(ctype, "a"), (ctype, "b")], lambda: body
    )
