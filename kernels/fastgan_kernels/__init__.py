"""Kernels of dense GAN training: each op is one generic function with a NumPy and a Numba version.

Called from Python on NumPy arrays an op runs its NumPy reference; called inside a function of yours that
``numba.njit`` compiles, it is compiled with it. See the README beside this package for the contract.
"""

from .activations import ACTIVATIONS, LEAKY_RELU, LINEAR, RELU, SIGMOID, TANH
from .bigrams import bigram_columns, bigrams, bigrams_backward, bigrams_tangent
from .categories import one_hot_draws
from .clock import count_step, slot_rows
from .columns import add_columns, join_columns, take_columns
from .dense import (
    activation_backward,
    conditional_backward,
    conditional_backward_weights,
    conditional_forward,
    dense_backward,
    dense_backward_rows,
    dense_backward_weights,
    dense_forward,
    dense_tangent,
)
from .dropout import dropout
from .embedding import embed_labels, embed_labels_backward
from .layers import (
    layers_adam,
    layers_backward_rows,
    layers_forward,
    layers_gradient,
    layers_tangent,
)
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
from .noise import add_noise
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
from .optimisers import adam, average, begin_update, clip, rmsprop, sgd, shrink, sum_of_squares
from .penalty import activation_curvature, add, due, first_column, mix_rows, slope_penalty
from .permutation import shuffled_rows
from .philox import integers, key_of, normal, signs, uniform
from .relativistic import relativistic_rows
from .rows import copy, gather_labels, gather_rows, one_hot_rows
from .softmax import grouped_softmax, grouped_softmax_backward
from .spectral import (
    layers_spectral_backward,
    layers_spectral_scale,
    power_iteration,
    spectral_backward,
    spectral_scale,
)

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
    "activation_curvature",
    "adam",
    "add",
    "add_columns",
    "add_noise",
    "average",
    "batch_moments",
    "batch_norm_backward",
    "batch_norm_forward",
    "bce_with_logits",
    "begin_update",
    "bigram_columns",
    "bigrams",
    "bigrams_backward",
    "bigrams_tangent",
    "clip",
    "conditional_backward",
    "conditional_backward_weights",
    "conditional_forward",
    "copy",
    "count_step",
    "dense_backward",
    "dense_backward_rows",
    "dense_backward_weights",
    "dense_forward",
    "dense_tangent",
    "dropout",
    "due",
    "embed_labels",
    "embed_labels_backward",
    "first_column",
    "gather_labels",
    "gather_rows",
    "grouped_softmax",
    "grouped_softmax_backward",
    "hinge",
    "integers",
    "join_columns",
    "key_of",
    "layer_norm_backward",
    "layer_norm_forward",
    "layers_adam",
    "layers_backward_rows",
    "layers_forward",
    "layers_gradient",
    "layers_spectral_backward",
    "layers_spectral_scale",
    "layers_tangent",
    "maxout",
    "maxout_backward",
    "maxout_tangent",
    "mean_rows",
    "mix_rows",
    "mse",
    "norm_parameter_gradients",
    "normal",
    "one_hot_draws",
    "one_hot_rows",
    "power_iteration",
    "relativistic_rows",
    "rmsprop",
    "running_inverse",
    "sgd",
    "shrink",
    "shuffled_rows",
    "signs",
    "slope_penalty",
    "slot_rows",
    "softmax_cross_entropy",
    "spectral_backward",
    "spectral_scale",
    "sum_of_squares",
    "take_columns",
    "uniform",
    "update_running",
    "wasserstein",
]
