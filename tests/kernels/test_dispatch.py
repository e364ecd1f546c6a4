import inspect

import numpy as np
import pytest
from numba import njit

import fastgan_kernels as fk
from fastgan_kernels import dispatch

from .helpers import CONTRACTS, compile_op

OPS = [getattr(fk, name) for name in fk.__all__ if hasattr(getattr(fk, name), "registry")]


@dispatch.op
def which(x: np.ndarray) -> int:
    """An op that tells which version ran."""
    return 1


@dispatch.compiled(which)
def _which_cpu(x):
    return 2


class DeviceArray(np.ndarray):
    """Stands for an array of another kind."""


@which.register
def _which_device(x: DeviceArray) -> int:
    return 3


@njit
def which_compiled(x):
    return which(x)


def test_the_caller_chooses_the_version():
    x = np.zeros(2, np.float32)
    assert which(x) == 1
    assert which_compiled(x) == 2


def test_a_registered_kind_of_array_has_its_own_version():
    assert which(np.zeros(2, np.float32).view(DeviceArray)) == 3


def test_a_memory_map_runs_the_reference(tmp_path):
    assert which(np.memmap(tmp_path / "x", np.float32, "w+", shape=2)) == 1


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_versions_have_the_same_parameters(op):
    assert list(inspect.signature(dispatch.COMPILED[op]).parameters) == list(inspect.signature(op).parameters)


def test_the_tests_know_every_op():
    assert set(OPS) == set(CONTRACTS) == {op for op in dispatch.COMPILED if op is not which}


def test_one_op_is_compiled_once():
    assert compile_op(fk.sgd) is compile_op(fk.sgd)
