"""The 15 families of randomness tests of NIST SP 800-22 (Rukhin et al., revision 1a, 2010) on one sequence of bits.

Every family takes bits (n,) uint8 of 0 and 1 and returns its p-values, one for each row of the report that NIST's own
program writes: 188 on 10^6 bits, with that program's parameters. They are tested against values that NIST publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

LEVEL = 0.01
"""A row passes with a p-value of at least this: SP 800-22, section 1.1.5."""

LONGEST_RUNS = (
    (750_000, 10_000, 10, (0.0882, 0.2092, 0.2483, 0.1933, 0.1208, 0.0675, 0.0727)),
    (6272, 128, 4, (0.1174, 0.2430, 0.2493, 0.1752, 0.1027, 0.1124)),
    (128, 8, 1, (0.2148, 0.3672, 0.2305, 0.1875)),
)
"""Sections 2.4.2 and 3.4: least bits, bits of a block, first class of longest runs, chance of each class."""

OVERLAPS = (0.364091, 0.185659, 0.139381, 0.100571, 0.0704323, 0.139865)
"""Section 3.8: chances of 0 ... 4, and 5 or more, runs of 9 ones in 1,032 bits (Hamano and Kaneko 2007)."""

REGISTERS = (1 / 96, 1 / 32, 1 / 8, 1 / 2, 1 / 4, 1 / 16, 1 / 48)
"""Section 3.10: chances that the complexity of a block is 3 or more below its mean, 2, 1, 0 and so on."""


def frequency(bits: np.ndarray) -> np.ndarray:
    """Section 2.1: as many ones as zeros."""
    from scipy.special import erfc

    return np.atleast_1d(erfc(abs(2 * bits.sum(dtype=np.int64) - bits.size) / np.sqrt(2 * bits.size)))


def block_frequency(bits: np.ndarray, length: int = 128) -> np.ndarray:
    """Section 2.2: as many ones as zeros in each block."""
    blocks = _blocks(bits, length)
    return _upper_tail(4 * length * ((blocks.mean(axis=1) - 0.5) ** 2).sum(), len(blocks))


def cumulative_sums(bits: np.ndarray) -> np.ndarray:
    """Section 2.13: how far the random walk strays, forwards and backwards."""
    from scipy.special import ndtr

    steps, n = 2 * bits.astype(np.int64) - 1, bits.size
    found = []
    for walk in (steps.cumsum(), steps[::-1].cumsum()):
        far = np.abs(walk).max()
        k = np.arange(int((-n / far + 1) / 4), int((n / far - 1) / 4) + 1)
        wide = np.arange(int((-n / far - 3) / 4), int((n / far - 1) / 4) + 1)
        inside = ndtr((4 * k + 1) * far / np.sqrt(n)) - ndtr((4 * k - 1) * far / np.sqrt(n))
        beyond = ndtr((4 * wide + 3) * far / np.sqrt(n)) - ndtr((4 * wide + 1) * far / np.sqrt(n))
        found.append(1 - inside.sum() + beyond.sum())
    return np.array(found)


def runs(bits: np.ndarray) -> np.ndarray:
    """Section 2.3: as many changes between ones and zeros as chance makes."""
    from scipy.special import erfc

    n, share = bits.size, bits.mean()
    if abs(share - 0.5) >= 2 / np.sqrt(n):
        return np.zeros(1)
    changes = 1 + np.count_nonzero(bits[1:] != bits[:-1])
    spread = share * (1 - share)
    return np.atleast_1d(erfc(abs(changes - 2 * n * spread) / (2 * np.sqrt(2 * n) * spread)))


def longest_run(bits: np.ndarray) -> np.ndarray:
    """Section 2.4: the longest run of ones in each block, against the tables there (needs 128 bits)."""
    _, length, shortest, chances = next(row for row in LONGEST_RUNS if bits.size >= row[0])
    blocks = _blocks(bits, length)
    ones = blocks.cumsum(axis=1, dtype=np.int64)
    before = np.maximum.accumulate(np.where(blocks == 0, ones, 0), axis=1)
    return _chi_square((ones - before).max(axis=1) - shortest, chances)


def matrix_rank(bits: np.ndarray) -> np.ndarray:
    """Section 2.5: the rank over GF(2) of 32 x 32 matrices."""
    size = 32
    ranks = binary_ranks(_blocks(bits, size * size).reshape(-1, size, size))
    i = np.arange(size)
    full = np.prod(1 - 2.0 ** (i - size))
    less = np.prod((1 - 2.0 ** (i[:-1] - size)) ** 2 / (1 - 2.0 ** (i[:-1] - size + 1))) / 2
    return _chi_square(size - ranks, [full, less, 1 - full - less])


def binary_ranks(matrices: np.ndarray) -> np.ndarray:
    """Rank over GF(2) of each of many matrices (n, rows, columns) of 0 and 1, by elimination in all at once."""
    rows = matrices.astype(bool)
    ranks = np.zeros(len(rows), np.int64)
    every = np.arange(len(rows))
    for column in range(rows.shape[2]):
        has = rows[:, :, column].copy()
        pivot = rows[every, has.argmax(axis=1)]
        # Every row that has a one here loses it to the pivot, which so becomes zero itself and is used up.
        rows ^= has[:, :, None] & pivot[:, None, :]
        ranks += has.any(axis=1)
    return ranks


def spectrum(bits: np.ndarray) -> np.ndarray:
    """Section 2.6: the share of Fourier peaks under the height that 95 % of them should stay under."""
    from scipy.fft import rfft
    from scipy.special import erfc

    n = bits.size
    peaks = np.abs(rfft(2.0 * bits - 1))[: n // 2]
    low = np.count_nonzero(peaks < np.sqrt(np.log(1 / 0.05) * n))
    return np.atleast_1d(erfc(abs(low - 0.95 * n / 2) / np.sqrt(n * 0.95 * 0.05 / 4) / np.sqrt(2)))


def aperiodic_templates(length: int) -> np.ndarray:
    """Patterns of bits, as numbers in ascending order, that cannot overlap themselves; 148 of length 9."""
    return np.array(
        [
            word
            for word in range(2**length)
            if all(word >> shift != word & (1 << length - shift) - 1 for shift in range(1, length))
        ]
    )


def non_overlapping_templates(bits: np.ndarray, length: int = 9, blocks: int = 8) -> np.ndarray:
    """Section 2.7: how often each aperiodic template occurs in each of 8 blocks; a row for each template."""
    from scipy.special import gammaincc

    size = bits.size // blocks
    windows = np.array([_words(block, length) for block in _blocks(bits, size)])
    # A template that cannot overlap itself occurs as often with overlaps as without.
    counts = np.array([np.bincount(block, minlength=2**length) for block in windows])
    counts = counts[:, aperiodic_templates(length)]
    mean = (size - length + 1) / 2**length
    variance = size * (1 / 2**length - (2 * length - 1) / 2 ** (2 * length))
    return gammaincc(blocks / 2, ((counts - mean) ** 2).sum(axis=0) / variance / 2)


def overlapping_template(bits: np.ndarray, chances: Sequence[float] = OVERLAPS) -> np.ndarray:
    """Section 2.8: how often a run of 9 ones occurs in each block of 1,032 bits, overlaps counted."""
    windows = np.array([_words(block, 9) for block in _blocks(bits, 1032)])
    return _chi_square((windows == 2**9 - 1).sum(axis=1), chances)


def universal(bits: np.ndarray) -> np.ndarray:
    """Section 2.9: Maurer's test, how far back each word occurred before (387,840 bits or more)."""
    from scipy.special import erfc

    length, mean, variance = 6, 5.2177052, 2.954
    if bits.size >= 904_960:
        length, mean, variance = 7, 6.1962507, 3.125
    first = 10 * 2**length
    words = _blocks(bits, length) @ (1 << np.arange(length)[::-1])
    order = np.argsort(words, kind="stable")
    back = np.empty(len(words), np.int64)
    places = order + 1  # counted from 1; a word that was never seen stands at 0
    back[order] = np.where(np.diff(words[order], prepend=-1) != 0, places, np.diff(places, prepend=0))
    tested = len(words) - first
    average = np.log2(back[first:]).sum() / tested
    correction = 0.7 - 0.8 / length + (4 + 32 / length) * tested ** (-3 / length) / 15
    return np.atleast_1d(erfc(abs(average - mean) / (np.sqrt(2 * variance / tested) * correction)))


def approximate_entropy(bits: np.ndarray, length: int = 10) -> np.ndarray:
    """Section 2.12: the frequencies of patterns of 10 bits against those of 11."""
    from scipy.special import xlogy

    short, long = (_circular_counts(bits, size) / bits.size for size in (length, length + 1))
    entropy = xlogy(short, short).sum() - xlogy(long, long).sum()
    return _upper_tail(2 * bits.size * (np.log(2) - entropy), 2**length)


def random_excursions(bits: np.ndarray) -> np.ndarray:
    """Section 2.14: visits to 8 places in each cycle of the random walk; no rows if it has too few cycles."""
    walk, cycle, cycles = _walk(bits)
    found = []
    for x in (-4, -3, -2, -1, 1, 2, 3, 4) if _has_enough(cycles, bits.size) else ():
        visits = np.bincount(cycle[walk == x], minlength=cycles)
        leave = 1 / (2 * abs(x))
        chances = [1 - leave, *(leave**2 * (1 - leave) ** (k - 1) for k in range(1, 5))]
        found.append(_chi_square(visits, [*chances, leave * (1 - leave) ** 4]))
    return np.concatenate([*found, np.empty(0)])


def random_excursions_variant(bits: np.ndarray) -> np.ndarray:
    """Section 2.15: visits to 18 places in all; no rows if the random walk has too few cycles."""
    from scipy.special import erfc

    walk, _, cycles = _walk(bits)
    if not _has_enough(cycles, bits.size):
        return np.empty(0)
    places = np.array([x for x in range(-9, 10) if x])
    visits = np.array([np.count_nonzero(walk == x) for x in places])
    return erfc(np.abs(visits - cycles) / np.sqrt(2 * cycles * (4 * np.abs(places) - 2)))


def serial(bits: np.ndarray, length: int = 16) -> np.ndarray:
    """Section 2.11: every pattern of 16 bits as often as every other."""
    from scipy.special import gammaincc

    counts = (_circular_counts(bits, size).astype(np.float64) for size in range(length, length - 3, -1))
    psi = [len(each) / bits.size * (each**2).sum() - bits.size for each in counts]
    return np.array(
        [
            gammaincc(2.0 ** (length - 2), (psi[0] - psi[1]) / 2),
            gammaincc(2.0 ** (length - 3), (psi[0] - 2 * psi[1] + psi[2]) / 2),
        ]
    )


def linear_complexity(bits: np.ndarray, chances: Sequence[float] = REGISTERS) -> np.ndarray:
    """Section 2.10: the shortest feedback shift register that makes each block of 500 bits."""
    length = 500
    registers = np.array([shortest_register(block) for block in _blocks(bits, length)])
    mean = length / 2 + 8 / 36 - (length / 3 + 2 / 9) / 2.0**length
    return _chi_square(np.ceil(registers - mean + 2 / 9 + 2.5).astype(np.int64), chances)


def shortest_register(bits: np.ndarray) -> int:
    """Length of the shortest linear feedback shift register that makes `bits` (Berlekamp and Massey 1969).

    Polynomials over GF(2) are Python's whole numbers, a bit a coefficient.
    """
    connection, last, past = 1, 1, 0
    length, gap = 0, 1
    for n, bit in enumerate(bits.tolist()):
        past = past << 1 | bit
        if (connection & past).bit_count() & 1:
            old = connection
            connection ^= last << gap
            if 2 * length <= n:
                length, last, gap = n + 1 - length, old, 0
        gap += 1
    return length


FAMILIES: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "frequency": (100, frequency),
    "block frequency": (12_800, block_frequency),
    "cumulative sums": (100, cumulative_sums),
    "runs": (100, runs),
    "longest run": (128, longest_run),
    "matrix rank": (38_912, matrix_rank),
    "spectrum": (1000, spectrum),
    "non-overlapping templates": (100_000, non_overlapping_templates),
    "overlapping template": (998_976, overlapping_template),
    "universal": (387_840, universal),
    "approximate entropy": (100_000, approximate_entropy),
    "random excursions": (1_000_000, random_excursions),
    "random excursions variant": (1_000_000, random_excursions_variant),
    "serial": (1_000_000, serial),
    "linear complexity": (1_000_000, linear_complexity),
}
"""Name -> the least bits that SP 800-22 asks for with these parameters, and the test."""


def nist_p_values(bits: np.ndarray) -> dict[str, np.ndarray]:
    """Run every family that has enough of `bits` (n,), each of them 0 or 1; p-values of each, one a row."""
    bits = np.ascontiguousarray(bits, np.uint8)
    return {name: family(bits) for name, (least, family) in FAMILIES.items() if bits.size >= least}


def _blocks(bits: np.ndarray, length: int) -> np.ndarray:
    """Cut into whole blocks (count, length); what is left over at the end is not used."""
    return bits[: bits.size // length * length].reshape(-1, length)


def _words(bits: np.ndarray, length: int) -> np.ndarray:
    """Return every window of `length` bits as a number, the first bit highest: (n - length + 1,) int64."""
    words = np.zeros(bits.size - length + 1, np.int64)
    for i in range(length):
        words = words << 1 | bits[i : i + words.size]
    return words


def _circular_counts(bits: np.ndarray, length: int) -> np.ndarray:
    """How often each of 2^length patterns occurs, windows going on from the end to the start."""
    return np.bincount(_words(np.concatenate([bits, bits[: length - 1]]), length), minlength=2**length)


def _walk(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the random walk (n,), the cycle from zero to zero that each step is in, and the number of cycles."""
    walk = (2 * bits.astype(np.int64) - 1).cumsum()
    home = walk == 0
    return walk, home.cumsum() - home, int(np.count_nonzero(home) + (walk[-1] != 0))


def _has_enough(cycles: int, n: int) -> bool:
    return cycles >= max(500, 0.005 * np.sqrt(n))


def _chi_square(classes: np.ndarray, chances: Sequence[float]) -> np.ndarray:
    """Return the p-value (1,) of observed classes, clipped to 0 ... k, against their chances."""
    counts = np.bincount(np.clip(classes, 0, len(chances) - 1), minlength=len(chances))
    expected = len(classes) * np.asarray(chances)
    return _upper_tail(((counts - expected) ** 2 / expected).sum(), len(chances) - 1)


def _upper_tail(statistic: float, degrees: float) -> np.ndarray:
    """Return the chance (1,) of a chi-square variable above `statistic`."""
    from scipy.special import gammaincc

    return np.atleast_1d(gammaincc(degrees / 2, statistic / 2))
