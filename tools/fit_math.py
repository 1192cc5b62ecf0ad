"""Fits the coefficients of canao/lowering/approximate_math/coefficients.py.

    python tools/fit_math.py

prints the tables of that file, and beside each its largest error when
evaluated in float32, with and without fused multiply-add, against float64.

A form P(v)/Q(v), Q constant or not, is fitted so that its largest weighted
error is least: least squares on the linear problem P - f Q (Sanathanan and
Koerner), whose weights follow the error (Lawson). Chebyshev polynomials
condition the fit; the result is converted to powers of v and rounded to
float32. Only numpy is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
FusedMultiplyAdd = Callable[[Singles, Singles, Singles], Singles]

_POINTS = 3000
_SWEEPS = 400
# Keeps the weight of a point where the error happens to vanish.
_LAWSON_FLOOR = 1e-3
_MOST_PINS = 2000

erf = np.vectorize(math.erf, otypes=[np.float64])


def chebyshev_grid(low: float, high: float) -> Floats:
    """Points of an interval, dense at its ends."""
    angle = np.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    return (low + high) / 2 - (high - low) / 2 * np.cos(angle)


@dataclass(frozen=True)
class Rational:
    """Coefficients of P and Q by rising power, rounded to float32."""

    numerator: Singles
    denominator: Singles
    error: float
    """Largest weighted error of the fit, before rounding."""


def fit(v: Floats, f: Floats, weight: Floats, degrees: tuple[int, int]) -> Rational:
    """The P/Q of these degrees whose largest `weight * |P/Q - f|` is least; Q(mid) > 0."""
    domain = (float(v.min()), float(v.max()))
    t = (2 * v - domain[0] - domain[1]) / (domain[1] - domain[0])
    p, q = degrees
    basis = np.polynomial.chebyshev.chebvander(t, max(p, q))
    emphasis, below = np.ones_like(v), np.ones_like(v)
    least, best = math.inf, np.zeros(p + q + 1)
    for _ in range(_SWEEPS):
        scale = np.sqrt(emphasis) * weight / np.abs(below)
        columns = np.hstack([basis[:, : p + 1], -f[:, None] * basis[:, 1 : q + 1]])
        found = np.linalg.lstsq(columns * scale[:, None], f * scale, rcond=None)[0]
        below = 1 + basis[:, 1 : q + 1] @ found[p + 1 :]
        error = weight * np.abs(basis[:, : p + 1] @ found[: p + 1] / below - f)
        largest = float(error.max())
        if largest < least:
            least, best = largest, np.asarray(found, np.float64)
        emphasis *= error / largest + _LAWSON_FLOOR
        emphasis /= emphasis.sum()
    above = _powers(best[: p + 1], domain)
    under = _powers(np.concatenate([[1.0], best[p + 1 :]]), domain)
    return Rational(
        (above / under[0]).astype(np.float32),
        (under / under[0]).astype(np.float32),
        least,
    )


def _powers(chebyshev: Floats, domain: tuple[float, float]) -> Floats:
    """Coefficients of powers of v from those of Chebyshev polynomials on `domain`."""
    series = Chebyshev(chebyshev, domain=domain).convert(kind=Polynomial, domain=(-1, 1))
    return np.asarray(series.coef, np.float64)


def fused(a: Singles, b: Singles, c: Singles) -> Singles:
    """A * b + c rounded once (the product of two float32 is exact in float64)."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def separate(a: Singles, b: Singles, c: Singles) -> Singles:
    """A * b + c rounded twice."""
    return (a * b).astype(np.float32) + c


def horner(coefficients: Singles, v: Singles, fma: FusedMultiplyAdd) -> Singles:
    """The polynomial with these coefficients, by rising power, at v."""
    value = np.full_like(v, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = fma(value, v, np.full_like(v, coefficient))
    return value


def odd(x: Singles, form: Rational, centre: float, fma: FusedMultiplyAdd) -> Singles:
    """X P(v)/Q(v) with v = x^2 - centre."""
    v = fma(x, x, np.full_like(x, -centre)) if centre else x * x
    above = x * horner(form.numerator, v, fma)
    if len(form.denominator) == 1:
        return above
    return above / horner(form.denominator, v, fma)


def saturation(form: Rational, centre: float, near: float) -> float:
    """The argument around `near` that evaluates to 1, in either arithmetic if there is one.

    Clamped there, the function is exactly 1 for all larger arguments.
    """
    x = np.arange(np.float32(near * 0.97), np.float32(near), 2.0**-22, dtype=np.float32)
    misses = [np.abs(odd(x, form, centre, fma).astype(np.float64) - 1) for fma in (fused, separate)]
    # The last of the best: what lies beyond it is replaced by 1.
    miss = misses[0] + misses[1]
    return float(x[np.flatnonzero(miss == miss.min())[-1]])


def _table(name: str, values: Singles) -> str:
    rows = "".join(f"    {value!s},\n" for value in values)
    return f"{name} = (\n{rows})\n"


def exp_table() -> str:
    """e^r = 1 + r P(r) for r between 0 and ln 2."""
    r = chebyshev_grid(0, math.log(2))
    form = fit(r, np.expm1(r) / r, r / np.exp(r), (5, 0))
    x = np.linspace(0, math.log(2), 200_001, dtype=np.float32)
    exact = np.exp(x.astype(np.float64))
    errors = [
        np.abs(fma(horner(form.numerator, x, fma), x, np.ones_like(x)) / exact - 1).max()
        for fma in (fused, separate)
    ]
    return (
        f"# {_note(form, errors, 'relative')}\n"
        "# e^r = 1 + r P(r), r between 0 and ln 2.\n" + _table("EXP", form.numerator)
    )


def pinned(form: Rational, v: float, value: float) -> Rational:
    """The polynomial with its highest coefficient moved until it is exactly `value` at `v`."""
    at, numerator = np.array([v], np.float32), form.numerator.copy()
    found = [horner(numerator, at, fma)[0] for fma in (fused, separate)]
    towards = np.float32(-np.inf if max(found) > value else np.inf)
    for _ in range(_MOST_PINS):
        if all(horner(numerator, at, fma)[0] == value for fma in (fused, separate)):
            return Rational(numerator, form.denominator, form.error)
        numerator[-1] = np.nextafter(numerator[-1], towards)
    raise ValueError(f"no coefficient gives {value} at {v}")


def erf_table() -> str:
    """Erf x = x P(x^2 - centre), |x| up to 4, where P is 1/4: their product is exactly 1."""
    centre, end = 8.0, 4.0
    u = chebyshev_grid(0, end**2)
    x = np.sqrt(u)
    # Absolute error, but relative near 0, where erf is as small as x.
    form = fit(u - centre, erf(x) / x, np.maximum(x, 0.4), (14, 0))
    form = pinned(form, end**2 - centre, 1 / end)
    x32 = np.linspace(0, 6, 200_001, dtype=np.float32)
    exact = erf(x32.astype(np.float64))
    errors = [
        np.abs(odd(np.minimum(x32, np.float32(end)), form, centre, fma) - exact).max()
        for fma in (fused, separate)
    ]
    return (
        f"# {_note(form, errors, 'absolute')}\n"
        "# erf x = x P(x^2 - ERF_CENTRE), |x| at most ERF_CLAMP.\n"
        f"ERF_CENTRE = {centre}\nERF_CLAMP = {end}\n" + _table("ERF", form.numerator)
    )


def tanh_table() -> str:
    """Tanh x = x P(x^2)/Q(x^2), |x| up to where it is 1."""
    end = 9.0
    u = chebyshev_grid(0, end**2)
    x = np.sqrt(u)
    form = fit(u, np.tanh(x) / x, x / np.tanh(x), (4, 4))
    clamp = saturation(form, 0.0, end)
    x32 = np.linspace(2.0**-20, 12, 200_001, dtype=np.float32)
    exact = np.tanh(x32.astype(np.float64))
    errors = [
        np.abs(odd(np.minimum(x32, np.float32(clamp)), form, 0.0, fma) / exact - 1).max()
        for fma in (fused, separate)
    ]
    return (
        f"# {_note(form, errors, 'relative')}\n"
        "# tanh x = x P(x^2) / Q(x^2), |x| at most TANH_CLAMP.\n"
        f"TANH_CLAMP = {np.float32(clamp)!s}\n"
        + _table("TANH_NUMERATOR", form.numerator)
        + _table("TANH_DENOMINATOR", form.denominator)
    )


def _note(form: Rational, errors: Sequence[float], kind: str) -> str:
    with_fma, without = errors
    return f"{kind} error: fit {form.error:.1e}, fused {with_fma:.2e}, separate {without:.2e}"


def main() -> None:
    """Prints the tables."""
    for table in (exp_table, erf_table, tanh_table):
        print(table())


if __name__ == "__main__":
    main()
