"""The activations of a dense layer: one table of names and codes, values and derivatives.

A derivative is computed from the activation's output y alone, so that a layer keeps one array a row.

=============  ====  ========================  =====================
name           code  y                         dy/dz from y
=============  ====  ========================  =====================
linear         0     z                         1
relu           1     max(z, 0)                 1 if y > 0 else 0
leaky_relu     2     z if z > 0 else slope z   1 if y > 0 else slope
tanh           3     tanh z                    1 - y^2
sigmoid        4     1 / (1 + e^-z)            y (1 - y)
=============  ====  ========================  =====================
"""

from __future__ import annotations

LINEAR, RELU, LEAKY_RELU, TANH, SIGMOID = range(5)

ACTIVATIONS: dict[str, int] = {
    "linear": LINEAR,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "tanh": TANH,
    "sigmoid": SIGMOID,
}
