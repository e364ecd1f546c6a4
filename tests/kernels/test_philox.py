import numpy as np
import pytest
from scipy import stats

import fastgan_kernels as fk
from fastgan_kernels.philox import philox, philox_blocks

from .helpers import compile_op, poisoned, run_both

SIZES = [1, 2, 7, 16, 17, 47, 63, 64, 65, 130]
DRAWS = {"uniform": fk.uniform, "normal": fk.normal, "signs": fk.signs, "integers": fk.integers}
EVERY_DRAW = pytest.mark.parametrize("name", DRAWS)
F = 0xFFFFFFFF


def draw(name, size, seed=1, step=0, stream=0, bound=1000):
    """Draw with the compiled version."""
    key, at = fk.key_of(seed), np.array([step])
    out = poisoned(size, dtype=np.int64 if name == "integers" else np.float32)
    arguments = (out, bound, key, at, stream) if name == "integers" else (out, key, at, stream)
    compile_op(DRAWS[name])(*arguments)
    return out


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((F, F, F, F), (F, F), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "digits of pi"],
)
def test_known_answers(counter, key, words):
    """The vectors of Random123, kat_vectors, philox4x32 with 10 rounds."""
    assert philox(*map(np.uint64, counter + key)) == words


def test_known_answer_of_the_reference():
    blocks = philox_blocks(1, fk.key_of(0), 0, 0)
    np.testing.assert_array_equal(blocks[0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8])


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("step", [0, 1, 2**32 - 1, 2**32, 2**63 - 1])
def test_reference_has_the_words_of_the_compiled_block(seed, step):
    for stream in (0, 7, 2**32 - 1):
        key = fk.key_of(seed)
        blocks = philox_blocks(3, key, step, stream)
        for block in range(3):
            counter = map(np.uint64, (block, stream, step & F, step >> 32, *key))
            assert philox(*counter) == tuple(blocks[block])


def test_elements_are_the_words_of_blocks_side_by_side():
    key, i = fk.key_of(5), np.arange(200)
    blocks = philox_blocks(64, key, 9, 2)
    out = run_both(
        fk.integers, out=poisoned(200, dtype=np.int64), bound=2**32, key=key, step=np.array([9]), stream=2
    )["out"]
    np.testing.assert_array_equal(out, blocks[i // 64 * 16 + i % 16, i % 64 // 16])


def test_key_of_a_seed_is_its_two_words():
    np.testing.assert_array_equal(
        fk.key_of(0x0123456789ABCDEF), np.array([0x89ABCDEF, 0x01234567], np.uint32)
    )


@pytest.mark.parametrize("step", [0, 5, 2**32 + 5, 2**62])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("op", [fk.uniform, fk.normal, fk.signs])
def test_versions_agree(op, size, step):
    counted = {"key": fk.key_of(2**40 + 3), "step": np.array([step]), "stream": 2**32 - 1}
    after = run_both(op, out=poisoned(size), **counted)
    assert np.isfinite(after["out"]).all()


@pytest.mark.parametrize("bound", [1, 2, 10, 2**31, 2**32])
@pytest.mark.parametrize("size", SIZES)
def test_integer_versions_agree(size, bound):
    counted = {"key": fk.key_of(3), "step": np.array([2**33]), "stream": 6}
    out = run_both(fk.integers, out=poisoned(size, dtype=np.int64), bound=bound, **counted)["out"]
    assert out.min() >= 0 and out.max() < bound


@pytest.mark.parametrize("op", [fk.uniform, fk.normal, fk.signs])
def test_any_shape_is_filled_in_its_own_order(op):
    counted = {"key": fk.key_of(4), "step": np.array([1]), "stream": 0}
    flat = run_both(op, out=poisoned(35), **counted)["out"]
    rows = run_both(op, out=poisoned(5, 7), **counted)["out"]
    np.testing.assert_array_equal(rows.ravel(), flat)


@EVERY_DRAW
def test_a_longer_draw_begins_with_the_shorter_one(name):
    longest = draw(name, max(SIZES))
    for size in SIZES:
        np.testing.assert_array_equal(draw(name, size), longest[:size])


@EVERY_DRAW
def test_another_seed_stream_or_step_is_another_draw(name):
    others = [
        {},
        {"seed": 2},
        {"seed": 2**32 + 1},
        {"stream": 1},
        {"stream": 2**31},
        {"step": 1},
        {"step": 2**32},
        {"step": 2**32 + 1},
    ]
    draws = [draw(name, 4000, **other) for other in others]
    np.testing.assert_array_equal(draw(name, 4000), draws[0])
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)


def test_uniform_is_uniform():
    out = draw("uniform", 200_000)
    assert out.min() >= 0 and out.max() < 1
    np.testing.assert_array_equal(out * 2.0**24 % 1, 0)
    assert stats.kstest(out, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(out[:-1], out[1:])[0, 1]) < 0.01


def test_normal_is_normal():
    out = draw("normal", 200_000).astype(float)
    assert stats.kstest(out, "norm").pvalue > 0.01
    moments = [np.mean(out), np.var(out), stats.skew(out), stats.kurtosis(out)]
    # standard errors: sqrt(1 / n), sqrt(2 / n), sqrt(6 / n), sqrt(24 / n)
    assert (np.abs(np.array(moments) - [0, 1, 0, 0]) < 4 * np.sqrt(np.array([1, 2, 6, 24]) / len(out))).all()
    assert np.abs(out).max() <= 5.8
    pairs = out.reshape(-1, 2, 16).swapaxes(1, 2).reshape(-1, 2)  # words 0 and 1, or 2 and 3, of one block
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.015
    assert abs(np.corrcoef(np.square(pairs).T)[0, 1]) < 0.015


def test_signs_are_as_likely_as_each_other():
    out = draw("signs", 200_000)
    np.testing.assert_array_equal(np.abs(out), 1)
    assert abs(out.mean()) < 4 / np.sqrt(len(out))
    assert abs(np.mean(out[:-1] * out[1:])) < 4 / np.sqrt(len(out))


@pytest.mark.parametrize(
    ("rows", "groups", "categories"), [(1, 1, 1), (3, 5, 1), (7, 3, 4), (512, 6, 16), (2, 1, 300)]
)
def test_categories_are_where_the_uniform_numbers_say(rows, groups, categories):
    counted = {"key": fk.key_of(4), "step": np.array([2**33]), "stream": 3}
    out = poisoned(rows, groups * categories)
    out = run_both(fk.one_hot_draws, out=out, categories=categories, **counted)["out"]
    units = run_both(fk.uniform, out=poisoned(rows, groups), **counted)["out"].astype(float)
    expected = np.eye(categories)[np.floor(units * categories).astype(int)] * np.sqrt(categories)
    np.testing.assert_allclose(out, expected.reshape(out.shape), rtol=1e-7, atol=0)


def test_categories_are_as_likely_as_each_other():
    out = np.empty((20_000, 15), np.float32)
    fk.one_hot_draws(out, 5, fk.key_of(1), np.array([0]), 0)
    drawn = out.reshape(20_000, 3, 5).argmax(axis=2)
    for group in drawn.T:
        assert stats.chisquare(np.bincount(group)).pvalue > 0.01
    pairs = np.bincount(drawn[:, 0] * 5 + drawn[:, 1])
    assert len(pairs) == 25 and stats.chisquare(pairs).pvalue > 0.01


def test_integers_cover_their_range_evenly():
    counts = np.bincount(draw("integers", 100_000, bound=10))
    assert len(counts) == 10
    assert stats.chisquare(counts).pvalue > 0.01
    np.testing.assert_array_equal(draw("integers", 100, bound=1), 0)
