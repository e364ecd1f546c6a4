from __future__ import annotations

import numpy as np
import pytest

from fastgan.data import from_arrays, rows_like
from fastgan.errors import UserError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(50, 3))
IMAGES = RNG.integers(0, 256, (20, 4, 5), np.uint8)


def refused(match, *args, **kwargs):
    with pytest.raises(UserError, match=match) as caught:
        from_arrays(*args, **kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint16", "int32", "int64", "uint64", "float16", "float64", ">f4", ">i2", "longdouble"],
)
def test_other_dtypes_become_float32_but_samples_keep_theirs(dtype):
    x = (TABLE > 0).astype(dtype) if dtype == "bool" else np.abs(TABLE * 10).astype(dtype)
    data = from_arrays(x)
    assert data.array.dtype == (np.uint8 if dtype == "bool" else np.float32) and data.array.dtype.isnative
    back = data.spec.to_data_units(data.spec.to_network_units(data.array))
    np.testing.assert_allclose(
        back.astype(np.float64), x.astype(np.float64), atol=1e-2 if dtype == "float16" else 1e-5
    )
    assert np.dtype(data.spec.dtype).kind == ("u" if dtype == "bool" else x.dtype.kind)


@pytest.mark.parametrize("x", [IMAGES.reshape(20, 20), TABLE.astype(np.float32)])
def test_uint8_and_float32_are_not_copied(x):
    data = from_arrays(x)
    assert np.shares_memory(data.array, x) and type(data.array) is np.ndarray


@pytest.mark.parametrize("make", [np.asfortranarray, lambda x: x[::2], lambda x: x[:, ::-1]])
def test_rows_end_up_contiguous_and_writeable(make):
    x = make(TABLE.astype(np.float32))
    x.flags.writeable = False
    data = from_arrays(x)
    assert data.array.flags.c_contiguous and data.array.flags.writeable
    np.testing.assert_array_equal(data.array, x)


def test_images_become_flat_rows_without_a_copy():
    data = from_arrays(IMAGES)
    assert (data.spec.kind, data.spec.image_shape, data.spec.width) == ("image", (4, 5), 20)
    assert np.shares_memory(data.array, IMAGES)
    assert from_arrays(IMAGES[..., None]).spec.image_shape == (4, 5)
    colour = from_arrays(RNG.random((9, 4, 5, 3)))
    assert colour.spec.image_shape == (4, 5, 3) and colour.array.shape == (9, 60)


def test_kinds():
    assert from_arrays(TABLE).spec.kind == "table"
    assert from_arrays(TABLE[:, :2]).spec.kind == "points"
    assert from_arrays((TABLE[:, :2] * 9).astype(int)).spec.kind == "table"
    assert from_arrays([[1, 2, 3], [4, 5, 6]]).spec.kind == "table"


def test_minmax_is_by_column_in_a_table_and_shared_in_an_image():
    x = np.array([[0, 10.0], [1, 30]])
    np.testing.assert_allclose(from_arrays(x, scaling="minmax").spec.to_network_units(x), [[-1, -1], [1, 1]])
    data = from_arrays(x.reshape(2, 1, 2))
    np.testing.assert_allclose(data.spec.to_network_units(x), [[-1, -1 / 3], [-14 / 15, 1]], rtol=1e-6)
    assert data.spec.bounded and (data.spec.low, data.spec.high) == (0, 30)


def test_black_is_zero_in_integer_images():
    assert from_arrays(np.maximum(IMAGES, 9)).spec.low == 0
    assert from_arrays(np.minimum(IMAGES, 16)).spec.high == 16


def test_standard_has_zero_mean_and_unit_variance():
    data = from_arrays(TABLE * [1, 100, 1e-3] + [0, 7, -3], scaling="standard")
    units = data.spec.to_network_units(data.array)
    np.testing.assert_allclose(units.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(units.std(axis=0), 1, rtol=1e-3)
    assert not data.spec.bounded and data.spec.low is None
    assert from_arrays(TABLE[:, :2]).spec.bounded is False
    image = from_arrays(IMAGES, scaling="standard")
    units = image.spec.to_network_units(image.array)
    np.testing.assert_allclose([units.mean(), units.std()], [0, 1], atol=1e-5)


def test_no_scaling():
    data = from_arrays(TABLE, scaling="none")
    np.testing.assert_array_equal(data.spec.to_network_units(data.array), data.array)
    assert not data.spec.bounded
    assert from_arrays(np.clip(TABLE, -1, 1), scaling="none").spec.bounded


@pytest.mark.parametrize("scaling", ["minmax", "standard"])
@pytest.mark.parametrize("value", [0.0, 5.0, -0.1, 1e30, 1e-40])
def test_a_constant_column_becomes_zero_and_comes_back(scaling, value):
    x = np.column_stack([TABLE, np.full(50, value)]).astype(np.float32)
    data = from_arrays(x, scaling=scaling)
    units = data.spec.to_network_units(data.array)
    assert np.isfinite(units).all() and np.isfinite(data.spec.scale).all() and (data.spec.scale != 0).all()
    np.testing.assert_array_equal(units[:, 3], 0)
    np.testing.assert_allclose(data.spec.to_data_units(units), x, atol=1e-5)


def test_columns_of_extreme_range_scale():
    x = np.array([[-3e38, 1e-30], [3e38, 2e-30]], np.float32)
    units = from_arrays(x, scaling="minmax").spec.to_network_units(x)
    np.testing.assert_allclose(units, [[-1, -1], [1, 1]], rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_float32_cannot_hold(value):
    x = TABLE.copy()
    x[7, 2] = x[8, 0] = value
    refused("row 7, column 2 .*finite", x)


def test_infinity_in_float16():
    x = TABLE.astype(np.float16)
    x[7, 2] = np.inf
    refused("row 7, column 2", x)


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.float32(3), r"shape \(\)"),
        (TABLE[0], r"shape \(3,\)"),
        (np.zeros((4, 3, 5, 5)), r"shape \(4, 3, 5, 5\)"),
        (TABLE[:1], "one row"),
        (TABLE[:0], "no values"),
        (TABLE[:, :0], "no values"),
        (np.zeros((2, 2**20 + 1), np.uint8), "rows of 1,048,577 values, more than 1,048,576"),
        (TABLE.astype(complex), "complex128"),
        (TABLE.astype(object), "object"),
        (TABLE.astype(str), "dtype <U"),
        (np.zeros((4, 3), "datetime64[s]"), "datetime64"),
        ([[1, 2], [3]], "not an array"),
    ],
)
def test_rows_that_cannot_be_learned(x, match):
    refused(match, x)


def test_bad_scaling_name():
    refused(r"scaling 'minmx' .*did you mean 'minmax'\?", TABLE, scaling="minmx")


def test_tokens():
    x = RNG.integers(0, 300, (50, 6))
    data = from_arrays(x, vocabulary=300)
    assert data.spec.kind == "tokens" and data.spec.vocabulary == 300 and data.array.dtype == np.uint16
    assert data.spec.network_width == 1800 and not data.spec.bounded
    np.testing.assert_array_equal(data.spec.to_data_units(data.spec.to_network_units(data.array)), x)
    assert from_arrays(x % 20, vocabulary=20).array.dtype == np.uint8
    refused("token 299 in row", np.where(x == 299, 299, x % 299), vocabulary=299)
    refused("token -1 in row 0", x - x[0, 0] - 1, vocabulary=300)
    refused("dtype float64", TABLE, vocabulary=3)
    refused("at least 2", x * 0, vocabulary=1)
    refused("no meaning for tokens", x, vocabulary=300, scaling="minmax")


def test_rows_like():
    spec = from_arrays(IMAGES).spec
    assert rows_like(spec, IMAGES[:1]).shape == (1, 20)
    assert rows_like(spec, IMAGES.reshape(20, 20)).shape == (20, 20)
    for wrong, match in [
        (IMAGES[:, :3], "rows of 15 values, expected 20"),
        (IMAGES[0, 0], "expected .rows, 20."),
        (np.full((2, 20), np.nan), "nan in row 0, column 0"),
        (IMAGES[:0], "no values"),
    ]:
        with pytest.raises(UserError, match=match):
            rows_like(spec, wrong)
    tokens = from_arrays(RNG.integers(0, 4, (9, 3)), vocabulary=4).spec
    with pytest.raises(UserError, match="token 4 in row 1, column 2"):
        rows_like(tokens, [[0, 1, 2], [1, 2, 4]])
    with pytest.raises(UserError, match="float64"):
        rows_like(tokens, np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("centre", "spread", "held"), [(1.7e9, 100, False), (1.7e9, 1e6, True), (5.0, 0.0, True)]
)
def test_a_column_too_narrow_for_its_distance_from_zero(centre, spread, held):
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=50), centre + spread * rng.uniform(-1, 1, 50)], axis=1)
    if held:
        assert np.isfinite(from_arrays(x).spec.scale).all()
    else:
        with pytest.raises(
            UserError, match=r"^X: column 1 reaches from 16999.* subtract its least value first$"
        ):
            from_arrays(x, name="X")


def test_masked_values_are_not_learnt_as_if_they_were_there():
    masked = np.ma.masked_greater(TABLE, 1)
    refused("^X: some values are masked; remove such rows, or fill them$", masked, name="X")
    refused("some values are masked", TABLE, np.ma.masked_equal(np.arange(50) % 3, 1))
    np.testing.assert_array_equal(from_arrays(np.ma.array(TABLE)).array, from_arrays(TABLE).array)
