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

# absolute error: fit 1.5e-07, fused 2.86e-07, separate 3.19e-07
# erf x = x P(x^2 - ERF_CENTRE), |x| at most ERF_CLAMP.
ERF_CENTRE = 8.0
ERF_CLAMP = 4.0
ERF = (
    0.353531,
    -0.022072129,
    0.0020574022,
    -0.0002103101,
    2.2028005e-05,
    -2.2914369e-06,
    2.2823922e-07,
    -2.0983242e-08,
    1.964619e-09,
    -1.9995978e-10,
    1.4136521e-11,
    -3.4691136e-13,
    4.7316938e-14,
    -1.0958735e-14,
    5.7639205e-16,
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
