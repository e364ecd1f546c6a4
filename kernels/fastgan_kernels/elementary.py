"""Elementary functions of one float32 for compiled loops: inline polynomials, so that LLVM vectorises the loop.

PyPI's llvmlite has no vector math library: `math.exp` in a loop is a call an element, some 15 times slower. A float64
is rounded to float32 first. Coefficients are Chebyshev interpolants of the functions in float64, rounded to float32.
The largest errors, over every range the tests sweep, are stated in each docstring in units in the last place (ulp).
"""

from __future__ import annotations

import numpy as np
from numba import njit

# No "reassoc" here: the two-part constants below only work in the order they are written.
_EXACT = {"error_model": "numpy", "fastmath": {"contract", "nsz"}}

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_TWO = np.float32(2.0)

_LOG2_E = np.float32(1.4426950408889634)
_LN_2_HIGH = np.float32(0.693359375)  # 9 bits: exact times a whole number
_LN_2_LOW = np.float32(-2.12194440e-4)
# Added and taken off again, it rounds a float32 below 2^22 to a whole number, in two additions on every machine.
_WHOLE = np.float32(1.5 * 2**23)

_EXP_LEAST = np.float32(-87.33654)  # below, the result would be subnormal
_EXP_MOST = np.float32(88.37626)  # above, the exponent would not fit


@njit(**_EXACT)
def exp(x: np.float32) -> np.float32:
    """e^x = 2^k * (1 + r + r^2 P(r)), r = x - k ln 2; 1.1 ulp on [-87.3, 88.3], clamped outside."""
    x = np.float32(x)
    x = _EXP_LEAST if x < _EXP_LEAST else (_EXP_MOST if x > _EXP_MOST else x)
    k = (x * _LOG2_E + _WHOLE) - _WHOLE
    r = x - k * _LN_2_HIGH
    r = r - k * _LN_2_LOW
    p = np.float32(1.3926177e-3)
    p = p * r + np.float32(8.3631743e-3)
    p = p * r + np.float32(4.1666556e-2)
    p = p * r + np.float32(1.6666578e-1)
    p = p * r + _HALF
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (_ONE + (r + r * r * p)) * power


@njit(**_EXACT)
def tanh(x: np.float32) -> np.float32:
    """Odd polynomial near zero, 1 - 2 / (e^2|x| + 1) beyond 0.625; 1.4 ulp."""
    size = abs(x)
    s = x * x
    p = np.float32(-6.0967142e-3)
    p = p * s + np.float32(2.0997180e-2)
    p = p * s + np.float32(-5.3850908e-2)
    p = p * s + np.float32(1.3332769e-1)
    p = p * s + np.float32(-3.3333328e-1)
    near = x + x * (s * p)
    far = _ONE - _TWO / (exp(_TWO * size) + _ONE)
    far = far if x > np.float32(0.0) else -far
    return near if size < np.float32(0.625) else far


@njit(**_EXACT)
def sigmoid(x: np.float32) -> np.float32:
    """1 / (1 + e^-x); 2.5 ulp above e^-87, and never a NaN at +-infinity."""
    return _ONE / (_ONE + exp(-x))


@njit(forceinline=True, **_EXACT)
def log(x: np.float32) -> np.float32:
    """Ln x = k ln 2 + (f - f^2/2 + f^3 Q(f)), x = 2^k (1 + f), for normal x > 0; 1 ulp."""
    bits = np.float32(x).view(np.int32)
    # sqrt(1/2) as the lower end of the mantissa centres f on zero.
    k = np.int32((bits - np.int32(0x3F3504F3)) >> np.int32(23))
    f = np.int32(bits - np.int32(k << np.int32(23))).view(np.float32) - _ONE
    q = np.float32(6.9716111e-2)
    q = q * f + np.float32(-1.1479734e-1)
    q = q * f + np.float32(1.1685420e-1)
    q = q * f + np.float32(-1.2425687e-1)
    q = q * f + np.float32(1.4249058e-1)
    q = q * f + np.float32(-1.6667803e-1)
    q = q * f + np.float32(2.0000716e-1)
    q = q * f + np.float32(-2.4999997e-1)
    q = q * f + np.float32(3.3333331e-1)
    s = f * f
    k_float = np.float32(k)
    low = s * (f * q) + k_float * _LN_2_LOW
    low = low - _HALF * s
    return k_float * _LN_2_HIGH + (f + low)


@njit(**_EXACT)
def softplus(x: np.float32) -> np.float32:
    """ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), a polynomial in e^-|x|; 2.4 ulp, stable everywhere."""
    t = exp(-abs(x))
    p = np.float32(-3.1760570e-3)
    p = p * t + np.float32(1.9542526e-2)
    p = p * t + np.float32(-5.6373611e-2)
    p = p * t + np.float32(1.0543624e-1)
    p = p * t + np.float32(-1.5269667e-1)
    p = p * t + np.float32(1.9663274e-1)
    p = p * t + np.float32(-2.4951616e-1)
    p = p * t + np.float32(3.3329710e-1)
    p = p * t + np.float32(-4.9999893e-1)
    p = p * t + _ONE
    return (x if x > np.float32(0.0) else np.float32(0.0)) + t * p


@njit(forceinline=True, **_EXACT)
def cos_sin_turns(u: np.float32) -> tuple[np.float32, np.float32]:
    """Cos 2 pi u and sin 2 pi u for u in [0, 1): the angle in turns makes the reduction exact; 1e-7 absolute."""
    u = np.float32(u)
    quarter = (u * np.float32(4.0) + _WHOLE) - _WHOLE
    r = u - quarter * np.float32(0.25)
    s = r * r
    c = np.float32(59.220169)
    c = c * s + np.float32(-85.442845)
    c = c * s + np.float32(64.939316)
    c = c * s + np.float32(-19.739209)
    c = c * s + _ONE
    d = np.float32(-75.401613)
    d = d * s + np.float32(81.592543)
    d = d * s + np.float32(-41.341663)
    d = d * s + np.float32(6.2831853)
    d = d * r
    turn = np.int32(quarter) & np.int32(3)
    swapped = (turn & np.int32(1)) == np.int32(1)
    cosine = d if swapped else c
    sine = c if swapped else d
    cosine = -cosine if (turn == np.int32(1)) or (turn == np.int32(2)) else cosine
    sine = -sine if turn >= np.int32(2) else sine
    return cosine, sine
