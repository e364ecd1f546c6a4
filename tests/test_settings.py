"""Every knob: a value of the wrong type or out of range is refused in one line, a possible one is kept."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgan_kernels
from fastgan import networks, settings
from fastgan.errors import UserError
from fastgan.knobs import check_fields, checked
from fastgan.recipe import KNOBS, Knob
from fastgan.settings import Settings

WRONG_TYPES = {
    bool: ([1, "yes", None], "true or false"),
    str: ([1, None, ["bce"]], "text"),
    int: ([2.5, "2", None, True, [2], math.nan, np.array([2])], "a whole number"),
    float: (["0.1", None, True, [0.1], 1j, np.array([0.1])], "a number"),
}
NOT_LISTS = [64, "64", {"a": 1}, None]

EVERY_KNOB = pytest.mark.parametrize("knob", KNOBS.values(), ids=lambda knob: knob.path)


def check_one(knob: Knob, value):
    return checked(knob.name, value, knob.hint, knob.field)


def refusal(knob: Knob, value) -> str:
    with pytest.raises(UserError) as caught:
        check_one(knob, value)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith((f"{knob.name} is ", f"{knob.name} holds "))
    return message


def default_of(knob: Knob):
    factory = knob.field.default_factory
    return factory() if callable(factory) else knob.field.default


def numbers_outside(limits) -> list[float]:
    """The nearest impossible numbers on each side that has a limit."""
    outside = [limits["least"] - 1] if limits["least"] is not None else []
    outside += [limits["most"] + 1] if limits["most"] is not None else []
    outside += [bound for bound in (limits["above"], limits["below"]) if bound is not None]
    return outside


@EVERY_KNOB
def test_a_default_is_possible_and_explained(knob):
    assert check_one(knob, default_of(knob)) == default_of(knob)
    assert knob.field.metadata["help"]


@EVERY_KNOB
def test_a_wrong_type_is_refused(knob):
    if knob.hint in WRONG_TYPES:
        values, expectation = WRONG_TYPES[knob.hint]
        for value in values:
            assert expectation in refusal(knob, value)
    else:
        for value in NOT_LISTS:
            assert "a list of whole numbers" in refusal(knob, value)
        for item in ("64", 6.5, None, True):
            assert refusal(knob, [64, item]) == f"{knob.name} holds {item!r}; each must be a whole number"


@EVERY_KNOB
def test_a_value_out_of_range_is_refused(knob):
    limits = knob.field.metadata
    is_list = knob.hint not in WRONG_TYPES
    for number in numbers_outside(limits):
        message = refusal(knob, [64, number] if is_list else number)
        assert any(words in message for words in ("at least", "above", "below", "at most")), message
    if knob.hint is float:
        for number in (math.nan, math.inf, -math.inf, 10**400):
            assert "a finite number" in refusal(knob, number)
    if limits["choices"]:
        message = refusal(knob, limits["choices"][0] + "x")
        assert f"did you mean '{limits['choices'][0]}'" in message
        assert all(choice in message for choice in limits["choices"])


@EVERY_KNOB
def test_every_number_knob_has_a_lower_limit(knob):
    if knob.hint not in (str, bool):
        assert knob.field.metadata["least"] is not None or knob.field.metadata["above"] is not None


def test_the_names_are_those_that_the_code_behind_them_knows():
    assert settings.ACTIVATIONS == tuple(fastgan_kernels.ACTIVATIONS)
    assert settings.LOSSES == (*fastgan_kernels.ROLES, "relativistic")
    assert settings.OPTIMISERS == tuple(networks.OPTIMISERS)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_whole_numbers_of_numpy_become_int(kind):
    settings = Settings(batch_size=kind(32), generator=np.array([3, 5], dtype=kind))
    settings.check()
    assert type(settings.batch_size) is int
    assert settings.generator == (3, 5)
    assert all(type(width) is int for width in settings.generator)


def test_a_whole_number_does_for_a_float_knob():
    settings = Settings(generator_lr=1, beta1=np.float32(0.5), discriminator_lr=np.float64(0.25))
    settings.check()
    assert (settings.generator_lr, settings.beta1, settings.discriminator_lr) == (1.0, 0.5, 0.25)
    assert all(type(v) is float for v in (settings.generator_lr, settings.beta1, settings.discriminator_lr))


@given(width=st.integers(max_value=0), place=st.integers(0, 3))
def test_any_width_below_one_is_refused_anywhere(width, place):
    widths = [4, 4, 4]
    widths.insert(place, width)
    assert f"generator holds {width}; each must be at least 1" == refusal(KNOBS["generator"], widths)


@given(
    value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))
)
def test_any_value_is_kept_or_refused_in_one_line(value):
    for knob in KNOBS.values():
        try:
            check_one(knob, value)
        except UserError as error:
            assert str(error).startswith((f"{knob.name} is ", f"{knob.name} holds "))
            assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("loss", ["wasserstein", "hinge"])
def test_smoothing_needs_a_target(loss):
    with pytest.raises(UserError, match=r"label_smoothing is 0\.1"):
        Settings(loss=loss, label_smoothing=0.1).check()


def test_a_half_batch_needs_an_even_batch():
    with pytest.raises(UserError, match="batch_size is 65, which"):
        Settings(batch_size=65).check()
    Settings(batch_size=65, update="joint").check()


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        (
            dict(momentum=0.9),
            "momentum is 0.9 but optimiser is 'adam', so that it has no effect; set optimiser to sgd, or set momentum "
            "to 0.0",
        ),
        (
            dict(rho=0.5),
            "rho is 0.5 but optimiser is 'adam', so that it has no effect; set optimiser to rmsprop, or",
        ),
        (
            dict(optimiser="sgd", beta1=0.9),
            "beta1 is 0.9 but optimiser is 'sgd', so that it has no effect; set opti",
        ),
        (dict(optimiser="rmsprop", beta2=0.9), "beta2 is 0.9 but optimiser is 'rmsprop', so"),
        (
            dict(optimiser="sgd", epsilon=1e-8),
            "epsilon is 1e-08 but optimiser is 'sgd', so that it has no effect",
        ),
        (
            dict(init_std=0.1),
            "init_std is 0.1 but init is 'he', so that it has no effect; set init to normal, or",
        ),
        (
            dict(maxout_pieces=3),
            "maxout_pieces is 3 but generator_activation is 'relu' and discriminator_activation is 'leaky_relu', so "
            "that it has no effect; set discriminator_activation to maxout, or set maxout_pieces to 5",
        ),
        (
            dict(leaky_slope=0.1, discriminator_activation="tanh"),
            "leaky_slope is 0.1 but generator_activation is 'rel",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_knob_without_effect_is_refused(changes, refused):
    with pytest.raises(UserError) as error:
        Settings(**changes).check()
    assert str(error.value).startswith(refused)


def test_a_knob_that_one_player_reads_has_an_effect():
    Settings(maxout_pieces=3, generator_activation="maxout").check()
    Settings(leaky_slope=0.1, generator_activation="leaky_relu", discriminator_activation="tanh").check()
    Settings(optimiser="rmsprop", rho=0.5, epsilon=1e-5).check()


def test_check_fields_stops_at_the_first_wrong_knob():
    with pytest.raises(UserError, match=r"^generator is"):
        check_fields(Settings(generator="64", batch_size="64"))
