import numpy as np
import pytest
from scipy.stats import kstest

from fastgan.data import load_dataset
from fastgan.evaluation import evaluate, evaluate_sequences
from fastgan.evaluation.sequences import (
    bit_test,
    frequency_test,
    passed,
    rows_needed,
    serial_test,
    to_bits,
)

from .helpers import giving


def draw(rows, seed=0, width=8, bits=16):
    return np.random.default_rng(seed).integers(0, 2**bits, (rows, width))


def test_bits_are_those_of_python():
    rows = draw(5, width=3, bits=11)
    assert to_bits(rows, 11).tolist() == [
        [int(digit) for number in row for digit in f"{number:011b}"] for row in rows.tolist()
    ]


def test_rows_for_a_million_bits():
    assert rows_needed(8, 16) == 7813
    assert rows_needed(1, 1) == 1_000_000


@pytest.mark.parametrize(
    "test", [frequency_test, serial_test, lambda rows, bits: bit_test(to_bits(rows, bits))]
)
def test_p_values_of_random_numbers_are_uniform(test):
    p_values = [test(draw(600, seed), 16) for seed in range(200)]
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_each_test_sees_what_it_is_for():
    rows = draw(4000)
    one_bit = rows | (np.random.default_rng(1).random(rows.shape) < 0.1)  # the lowest bit, too often one
    assert bit_test(to_bits(one_bit, 16)) < 1e-6
    assert frequency_test(one_bit, 16) > 0.01
    low = np.where(rows >> 8 == 7, 0, rows)  # one of 256 classes is never there
    assert frequency_test(low, 16) < 1e-6
    paired = rows.copy()
    paired[:, 1::2] = rows[:, ::2] ^ (rows[:, 1::2] & 0xFFF)  # the highest bits of a pair agree
    assert serial_test(paired, 16) < 1e-6
    assert frequency_test(paired, 16) > 0.01


def test_few_bits_and_an_odd_width():
    rows = draw(3000, width=3, bits=1)
    assert frequency_test(rows, 1) > 0.01 < serial_test(rows, 1)


def test_nothing_passes_of_nothing():
    assert passed(np.empty(0)) is None
    assert passed(np.array([0.01, 0.0099, 0.5, 1])) == 0.75


def test_random_rows_reach_the_ceiling_and_others_do_not():
    fresh = draw(rows_needed(8, 16), seed=2)
    result = evaluate_sequences(fresh // 2, fresh, 16)
    assert result["ones, worst bit"] == {"generated": 0.5, "real": pytest.approx(0, abs=0.02)}
    for name, values in result.items():
        if "p-value" in name:
            assert values["generated"] < 1e-6 < 0.01 < values["real"]
    assert result["NIST rows passed"]["generated"] < 0.5 < 0.97 < result["NIST rows passed"]["real"]
    assert len([name for name in result if name.startswith("NIST, ")]) == 15


def test_the_data_source_knows_its_truth():
    data = load_dataset("sequences", rows=3000)
    fresh = load_dataset("sequences", rows=8000, seed=5).array
    result = evaluate(giving(fresh), data)
    assert result["samples"] == {"generated": 7813, "real": 3000}
    assert result["NIST rows passed"]["generated"] > 0.97
    for measure in ("bits", "chi-square", "serial"):
        assert result[f"{measure}, p-value"]["generated"] > 0.001
    assert result["KS distance, mean"]["generated"] < 1.6 * result["KS distance, mean"]["real"]
