"""Kernels of dense GAN training: each op is one generic function with a NumPy and a Numba version.

Called from Python on NumPy arrays an op runs its NumPy reference; called inside a function of yours that
``numba.njit`` compiles, it is compiled with it. See the README beside this package for the contract.
"""

from .activations import ACTIVATIONS, LEAKY_RELU, LINEAR, RELU, SIGMOID, TANH
from .clock import count_step, slot_rows
from .dense import (
    activation_backward,
    conditional_backward,
    conditional_backward_weights,
    conditional_forward,
    dense_backward,
    dense_backward_rows,
    dense_backward_weights,
    dense_forward,
)
from .dropout import dropout
from .losses import (
    BCE,
    HINGE,
    MSE,
    ROLES,
    WASSERSTEIN,
    acgan_head,
    acgan_head_rows,
    bce_with_logits,
    hinge,
    mean_rows,
    mse,
    softmax_cross_entropy,
    wasserstein,
)
from .maxout import maxout, maxout_backward, maxout_tangent
from .normalisation import (
    batch_moments,
    batch_norm_backward,
    batch_norm_forward,
    layer_norm_backward,
    layer_norm_forward,
    norm_parameter_gradients,
    running_inverse,
    update_running,
)
from .optimisers import adam, begin_update, rmsprop, sgd
from .permutation import shuffled_rows
from .philox import integers, key_of, normal, uniform
from .rows import copy, gather_labels, gather_rows, one_hot_rows
from .softmax import grouped_softmax, grouped_softmax_backward

__all__ = [
    "ACTIVATIONS",
    "BCE",
    "HINGE",
    "LEAKY_RELU",
    "LINEAR",
    "MSE",
    "RELU",
    "ROLES",
    "SIGMOID",
    "TANH",
    "WASSERSTEIN",
    "acgan_head",
    "acgan_head_rows",
    "activation_backward",
    "adam",
    "batch_moments",
    "batch_norm_backward",
    "batch_norm_forward",
    "bce_with_logits",
    "begin_update",
    "conditional_backward",
    "conditional_backward_weights",
    "conditional_forward",
    "copy",
    "count_step",
    "dense_backward",
    "dense_backward_rows",
    "dense_backward_weights",
    "dense_forward",
    "dropout",
    "gather_labels",
    "gather_rows",
    "grouped_softmax",
    "grouped_softmax_backward",
    "hinge",
    "integers",
    "key_of",
    "layer_norm_backward",
    "layer_norm_forward",
    "maxout",
    "maxout_backward",
    "maxout_tangent",
    "mean_rows",
    "mse",
    "norm_parameter_gradients",
    "normal",
    "one_hot_rows",
    "rmsprop",
    "running_inverse",
    "sgd",
    "shuffled_rows",
    "slot_rows",
    "softmax_cross_entropy",
    "uniform",
    "update_running",
    "wasserstein",
]
