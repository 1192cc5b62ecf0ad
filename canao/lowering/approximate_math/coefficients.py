"""Coefficients of the approximations, by rising power; made by `tools/fit_math.py`.

The note over each table is the largest error over the reduced interval: of the
fit itself, and evaluated in float32 with and without fused multiply-add.
"""

from __future__ import annotations

# relative error: fit 2.0e-09, fused 6.74e-08, separate 9.01e-08
# e^r = 1 + r P(r), r between 0 and ln 2.
EXP = (
    0.9999998,
    0.50000584,
    0.16661014,
    0.041914992,
    0.0077922726,
    0.00194877,
)

# absolute error: fit 1.5e-07, fused 2.78e-07, separate 3.06e-07
# erf x = x P(x^2 - ERF_CENTRE), |x| at most ERF_CLAMP.
ERF_CENTRE = 7.5
ERF_CLAMP = 3.6766572
ERF = (
    0.36510915,
    -0.024299111,
    0.0024090547,
    -0.00026066133,
    2.8700399e-05,
    -3.1130567e-06,
    3.1875928e-07,
    -2.9850817e-08,
    3.0168834e-09,
    -3.2106873e-10,
    1.5976047e-11,
    4.1015046e-14,
    1.8486909e-13,
    -2.230199e-14,
)

# relative error: fit 2.1e-08, fused 2.67e-07, separate 3.37e-07
# tanh x = x P(x^2) / Q(x^2), |x| at most TANH_CLAMP.
TANH_CLAMP = 8.73
TANH_NUMERATOR = (
    1.0,
    0.13381025,
    0.0034955882,
    2.0609083e-05,
    1.3354662e-08,
)
TANH_DENOMINATOR = (
    1.0,
    0.46714342,
    0.025876982,
    0.00032856347,
    7.776559e-07,
)
