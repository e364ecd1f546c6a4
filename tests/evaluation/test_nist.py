"""NIST's families against the p-values that SP 800-22 publishes, appendix B, for 10^6 bits of two square roots."""

import itertools
import math

import numpy as np
import pytest

from fastgan.evaluation import nist
from fastgan.evaluation.nist import FAMILIES, nist_p_values

SQRT2, SQRT3 = 2, 3
PUBLISHED = {
    ("frequency", 0): (0.811881, 0.610051),
    ("block frequency", 0): (0.833222, 0.473961),
    ("cumulative sums", 0): (0.879009, 0.917121),
    ("cumulative sums", 1): (0.957206, 0.689519),
    ("runs", 0): (0.313427, 0.261123),
    ("longest run", 0): (0.012117, 0.446726),
    ("matrix rank", 0): (0.823810, 0.314498),
    ("spectrum", 0): (0.581909, 0.776046),
    ("non-overlapping templates", 0): (0.569461, 0.532235),  # 000000001
    ("universal", 0): (0.130805, 0.165981),
    ("approximate entropy", 0): (0.884740, 0.180481),
    ("random excursions", 4): (0.216235, 0.783283),  # x = +1
    ("random excursions variant", 8): (0.566118, 0.155066),  # x = -1
    ("serial", 0): (0.861925, 0.157500),
}
OLD_OVERLAPS = (0.367879, 0.183940, 0.137955, 0.099634, 0.069935, 0.140656)
OLD_REGISTERS = (0.01047, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833)


def square_root(number):
    """The first 10^6 binary digits of a square root."""
    digits = f"{math.isqrt(number << 2_000_000):b}"
    return np.frombuffer(digits[:1_000_000].encode(), np.uint8) - ord("0")


@pytest.fixture(scope="module")
def roots():
    return square_root(SQRT2), square_root(SQRT3)


@pytest.fixture(scope="module")
def random_bits():
    return np.random.default_rng(0).integers(0, 2, 1_000_000, dtype=np.uint8)


def test_every_family_gives_the_published_p_values(roots):
    found = [nist_p_values(bits) for bits in roots]
    for (family, row), published in PUBLISHED.items():
        assert [each[family][row] for each in found] == pytest.approx(published, abs=1.1e-6), family
    tested_below = {"overlapping template", "linear complexity"}
    assert {family for family, _ in PUBLISHED} | tested_below == set(FAMILIES)


def test_the_two_families_whose_chances_were_corrected_since(roots):
    overlaps = [nist.overlapping_template(bits, OLD_OVERLAPS)[0] for bits in roots]
    registers = [nist.linear_complexity(bits, OLD_REGISTERS)[0] for bits in roots]
    assert overlaps == pytest.approx([0.791982, 0.082716], abs=2e-5)
    assert registers == pytest.approx([0.317127, 0.346469], abs=1.1e-6)


def test_the_corrected_chances_of_overlaps_are_those_of_a_random_block():
    """By the chance of each (run of ones at the end, occurrences) after every bit."""
    chances = np.zeros((10, 6))
    chances[0, 0] = 1
    for _ in range(1032):
        after = np.zeros_like(chances)
        after[0] = chances.sum(axis=0) / 2
        after[1:9] = chances[:8] / 2
        longer = (chances[8] + chances[9]) / 2
        after[9, 1:] = longer[:-1]
        after[9, -1] += longer[-1]
        chances = after
    assert chances.sum(axis=0) == pytest.approx(nist.OVERLAPS, abs=1e-6)


def test_tables_of_chances_sum_to_one():
    for chances in (nist.OVERLAPS, nist.REGISTERS, *(row[-1] for row in nist.LONGEST_RUNS)):
        assert sum(chances) == pytest.approx(1, abs=2e-4)


def test_a_report_has_nists_188_rows_and_random_bits_pass_nearly_all(roots):
    p_values = nist_p_values(roots[0])
    assert list(p_values) == list(FAMILIES)
    every = np.concatenate(list(p_values.values()))
    assert len(every) == 188
    assert (every >= nist.LEVEL).mean() > 0.97
    assert ((0 <= every) & (every <= 1)).all()


def test_small_examples_of_nists_own_sections():
    bits = np.array([int(digit) for digit in "1011010101"], np.uint8)
    assert nist.frequency(bits) == pytest.approx([0.527089], abs=1e-6)  # 2.1.4
    assert nist.runs(np.array([1, 0, 0, 1, 1, 0, 1, 0, 1, 1])) == pytest.approx([0.147232], abs=1e-6)  # 2.3.4
    # 2.13.4: z = 4 of 10 bits; NIST's sums there run over fewer terms than its program's, which these are.
    assert nist.cumulative_sums(np.array([1, 0, 1, 1, 0, 1, 0, 1, 1, 1]))[0] == pytest.approx(
        0.4116588, abs=1e-6
    )
    assert nist.shortest_register(np.array([1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1])) == 4  # 2.10.4


def test_ranks_are_the_dimensions_of_what_the_rows_span():
    matrices = np.random.default_rng(0).integers(0, 2, (40, 5, 4), dtype=np.uint8)
    choices = np.array(list(itertools.product((0, 1), repeat=5)))
    spans = [{tuple(row) for row in choices @ matrix % 2} for matrix in matrices]
    assert nist.binary_ranks(matrices).tolist() == [int(math.log2(len(span))) for span in spans]
    assert nist.binary_ranks(np.stack([np.eye(32), np.zeros((32, 32)), np.ones((32, 32))])).tolist() == [
        32,
        0,
        1,
    ]


def register(n):
    """Bits of a linear feedback shift register of length 60, x^60 + x^59 + 1."""
    bits = np.random.default_rng(3).integers(0, 2, n, dtype=np.uint8).tolist()
    for i in range(60, n):
        bits[i] = bits[i - 60] ^ bits[i - 59]
    return np.array(bits, np.uint8)


def uneven(bits):
    """More ones in every second block of 128 bits, as many fewer in the others."""
    blocks = bits[: bits.size // 256 * 256].reshape(-1, 256)
    chosen = np.random.default_rng(1).random(blocks.shape) < 0.1
    return np.where(chosen, np.arange(256) < 128, blocks).astype(np.uint8).ravel()


SPOILT = {
    "a hundredth more ones": (
        lambda bits: bits | (np.random.default_rng(1).random(bits.size) < 0.02),
        [
            "frequency",
            "cumulative sums",
            "overlapping template",
            "non-overlapping templates",
        ],
    ),
    "uneven blocks": (uneven, ["block frequency"]),
    "every bit twice": (
        lambda bits: bits.repeat(2)[: bits.size],
        ["runs", "longest run", "serial", "approximate entropy"],
    ),
    "every 32 bits twice": (
        lambda bits: bits.reshape(-1, 32).repeat(2, axis=0).ravel()[: bits.size],
        ["matrix rank"],
    ),
    "a period of 5,000": (lambda bits: np.tile(bits[:5000], 200), ["spectrum", "universal"]),
    "a shift register": (lambda bits: register(bits.size), ["linear complexity"]),
    "a walk that is drawn home": (
        lambda bits: np.concatenate(
            [bits[: bits.size // 2, None], 1 - bits[: bits.size // 2, None]], axis=1
        ).ravel(),
        ["random excursions", "random excursions variant"],
    ),
}


@pytest.mark.parametrize("flaw", SPOILT)
def test_bits_that_are_not_random_fail_where_they_should(random_bits, flaw):
    spoil, families = SPOILT[flaw]
    p_values = nist_p_values(spoil(random_bits))
    assert [family for family in families if p_values[family].min() >= 1e-4] == []


def test_each_family_is_failed_by_something():
    assert {family for _, families in SPOILT.values() for family in families} == set(FAMILIES)


@pytest.mark.parametrize("bit", [0, 1])
def test_constant_bits_fail_everything_without_a_warning(bit):
    every = np.concatenate(list(nist_p_values(np.full(1_000_000, bit, np.uint8)).values()))
    assert (every < nist.LEVEL).mean() > 0.9


def test_families_that_need_more_bits_are_left_out(random_bits):
    assert list(nist_p_values(random_bits[:128])) == ["frequency", "cumulative sums", "runs", "longest run"]
    assert nist_p_values(random_bits[:50]) == {}
