"""Recipes: the packaged ones, reading and writing, overrides, and every refusal in one line."""

import itertools
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgan import recipe as recipes
from fastgan.data import SOURCES
from fastgan.data.scaling import SCALINGS
from fastgan.errors import UserError
from fastgan.recipe import KNOBS, DataSettings, Recipe, RunSettings
from fastgan.settings import Settings

SEED_RECIPES = {"digits", "fashion-mnist", "sequences", "tokens", "least-squares", "vanilla", "ring", "grid"}


def refusal(action, *args) -> str:
    with pytest.raises(UserError) as caught:
        action(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


def parse(text: str) -> Recipe:
    return recipes.parse(text, "mine")


def test_every_promised_recipe_is_packaged():
    assert set(recipes.names()) == SEED_RECIPES


@pytest.mark.parametrize("name", recipes.names())
def test_packaged_recipe_loads_says_what_it_is_and_round_trips(name):
    loaded = recipes.load(name)
    recipes.check(loaded)
    assert loaded.name == name
    assert loaded.description
    assert recipes.parse(recipes.to_toml(loaded), name) == loaded


@pytest.mark.parametrize("name", recipes.names())
def test_packaged_recipe_says_where_it_departs_from_its_source(name):
    text = recipes.source_text(name)
    header = text.partition("description =")[0]
    assert "Departures:" in header
    assert all(len(line) <= 110 for line in text.splitlines())
    assert set(tomllib.loads(text)) <= {"description", *recipes.SECTIONS}


@pytest.mark.parametrize("name", recipes.names())
def test_packaged_recipe_names_a_source_there_is(name):
    assert recipes.load(name).data.source in SOURCES


def test_the_scalings_are_those_the_data_knows():
    assert KNOBS["scaling"].field.metadata["choices"] == SCALINGS


def test_an_empty_recipe_is_all_defaults():
    assert parse("") == Recipe("mine", "", DataSettings(), Settings(), RunSettings())


def test_a_key_has_one_home():
    declared = sum(len(vars(kind())) for kind in (DataSettings, Settings, RunSettings))
    assert len(KNOBS) == declared
    assert recipes.SECTIONS == ("data", "model", "training", "optimiser", "run")


def test_a_file_is_named_after_itself(tmp_path: Path):
    file = tmp_path / "my-digits.toml"
    file.write_text(recipes.source_text("digits"), encoding="utf-8")
    for given_as in (file, str(file)):
        loaded = recipes.load(given_as)
        assert loaded.name == "my-digits"
        assert recipes.differences(loaded, recipes.load("digits")) == []


def test_the_resolved_file_lists_every_key_in_a_stable_order():
    text = recipes.to_toml(recipes.load("digits"))
    tables = tomllib.loads(text)
    assert list(tables) == ["description", *recipes.SECTIONS]
    assert [(section, key) for section in recipes.SECTIONS for key in tables[section]] == [
        (knob.section, knob.name) for knob in KNOBS.values()
    ]
    assert "\ngenerator = [128, 256]\n" in text
    assert text == recipes.to_toml(recipes.load("digits"))


@given(
    rate=st.floats(min_value=1e-300, max_value=1e300),
    widths=st.lists(st.integers(1, 10**6), max_size=6),
    seed=st.integers(0, 2**64 - 1),
    text=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_values_round_trip_exactly(rate, widths, seed, text):
    gan = Settings(generator=widths, generator_lr=rate, seed=seed)
    original = Recipe("mine", text, DataSettings(path=text), gan, RunSettings())
    recipes.check(original)
    assert parse(recipes.to_toml(original)) == original


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("training.batch_size=128", 128),
        ("training.batch_size = 128", 128),
        ("optimiser.generator_lr=3e-4", 3e-4),
        ("optimiser.generator_lr=1", 1.0),
        ("optimiser.generator_lr=.9", 0.9),
        ("optimiser.generator_lr=+1.e-2", 0.01),
        ("model.generator=[8, 16]", (8, 16)),
        ("model.generator=[]", ()),
        ("training.loss=mse", "mse"),
        ("training.loss='mse'", "mse"),
        ('training.loss="mse"', "mse"),
        ("data.path=/some/where/a=b", "/some/where/a=b"),
        ("data.path=2024", "2024"),
        ("run.seed=18446744073709551615", 2**64 - 1),
    ],
)
def test_an_override_changes_one_key_of_a_copy(assignment, value):
    base = recipes.load("ring")
    changed = recipes.override(base, assignment)
    path = assignment.partition("=")[0].strip()
    assert KNOBS[path.partition(".")[2]].value(changed) == value
    assert [line.partition(":")[0] for line in recipes.differences(base, changed)] == [path]
    assert base == recipes.load("ring")


def test_text_can_be_emptied_again():
    changed = recipes.override(recipes.load("ring"), "data.path=here")
    assert recipes.override(changed, "data.path=") == recipes.load("ring")


@pytest.mark.parametrize(
    "off",
    [
        "training.gradient_penalty=none",
        "training.gradient_penalty=r1",
        "optimiser.decay_epochs=0",
        "training.token_noise=0",
    ],
)
@pytest.mark.parametrize("name", ["ring", "fashion-mnist", "tokens"])
def test_a_method_that_is_turned_off_takes_its_own_knobs_with_it(name, off):
    changed = recipes.override(recipes.load(name), off)
    recipes.check(changed)
    without = recipes.override(changed, "training.gradient_penalty=none")
    odd = recipes.override(without, "training.penalty_weight=2")
    assert "penalty_weight is 2.0 but gradient_penalty is 'none'" in refusal(recipes.check, odd)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize(
    ("assignments", "name", "value"),
    [
        (
            [
                "model.maxout_pieces=3",
                "model.generator_activation=relu",
                "model.discriminator_activation=maxout",
            ],
            "maxout_pieces",
            3,
        ),
        (
            [
                "model.leaky_slope=.1",
                "model.discriminator_activation=relu",
                "model.generator_activation=leaky_relu",
            ],
            "leaky_slope",
            0.1,
        ),
        (["optimiser.momentum=.5", "optimiser.optimiser=sgd", "training.batch_size=8"], "momentum", 0.5),
    ],
)
def test_what_was_assigned_stays_in_any_order(assignments, name, value, order):
    changed = recipes.override(recipes.load("ring"), *[assignments[i] for i in order])
    recipes.check(changed)
    assert getattr(changed.gan, name) == value


@pytest.mark.parametrize("order", [1, -1])
def test_what_was_assigned_without_effect_is_refused_in_any_order(order):
    assignments = ["optimiser.beta1=0.9", "optimiser.optimiser=sgd"]
    odd = recipes.override(recipes.load("ring"), *assignments[::order])
    assert "beta1 is 0.9 but optimiser is 'sgd'" in refusal(recipes.check, odd)


def test_a_run_of_an_older_fastgan_may_hold_knobs_without_effect():
    text = recipes.to_toml(recipes.load("ring")).replace("momentum = 0.0", "momentum = 0.9")
    assert "momentum is 0.9" in refusal(recipes.parse, text, "ring")
    assert recipes.parse(text, "ring", of_run=True) == recipes.load("ring")


def test_an_optimiser_takes_its_own_knobs_with_it():
    sgd = recipes.override(recipes.load("tokens"), "optimiser.optimiser=sgd")
    recipes.check(sgd)
    assert sgd.gan.beta2 == 0.999
    fast = recipes.override(sgd, "optimiser.momentum=.9")
    recipes.check(fast)
    assert recipes.override(fast, "optimiser.optimiser=rmsprop").gan.momentum == 0


def test_overrides_may_agree_only_at_the_end():
    odd = recipes.override(recipes.load("digits"), "training.batch_size=33")
    assert "batch_size is 33" in refusal(recipes.check, odd)
    recipes.check(recipes.override(odd, "training.update=joint"))


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("training.batchsize=3", ["'batchsize'", "did you mean 'batch_size'?", "[training]"]),
        ("trainin.widths=3", ["'trainin'", "did you mean 'training'?"]),
        ("model.batch_size=3", ["model.batch_size", "batch_size is in [training]", "training.batch_size"]),
        ("batch_size=3", ["names no section", "write training.batch_size=3"]),
        ("batchsize=3", ["not section.key=value"]),
        ("training.batch_size", ["not section.key=value"]),
        ("=", ["not section.key=value"]),
        ("", ["not section.key=value"]),
        ("training.batch_size=many", ["batch_size is 'many'", "a whole number"]),
        ("training.batch_size=", ["batch_size is ''", "a whole number"]),
        ("training.batch_size=2.5", ["batch_size is 2.5", "a whole number"]),
        ("training.batch_size=2\n[run]", ["batch_size is '2\\n[run]'", "a whole number"]),
        ("training.loss=bcee", ["loss is 'bcee'", "did you mean 'bce'?"]),
        ("model.generator=64", ["generator is 64", "such as [64, 64]"]),
        ("model.generator=[64", ["generator is '[64'", "such as [64, 64]"]),
        ("optimiser.generator_lr=-1e-4", ["generator_lr is -0.0001", "above 0"]),
        ("optimiser.generator_lr=nan", ["generator_lr is nan", "finite"]),
        ("optimiser.generator_lr=.9.9", ["generator_lr is '.9.9'", "a number"]),
        ("training.batch_size=.9", ["batch_size is '.9'", "a whole number"]),
        ("run.epochs=0", ["epochs is 0", "at least 1"]),
    ],
)
def test_a_wrong_override_is_refused(assignment, parts):
    message = refusal(recipes.override, recipes.load("digits"), assignment)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[training]\nbatch_size 3", ["not TOML", "line 2"]),
        ("[training]\nbatch_size = 3\nloss =", ["not TOML", "line 3"]),
        ("[training", ["not TOML", "line 1"]),
        ("[run]\nseed = 1\nseed = 2", ["not TOML", "line 3"]),
        ("a = " + "[" * 20_000, ["not TOML"]),
        ("[run]\nseed = " + "9" * 5000, ["not TOML"]),
        ("batch_size = 3", ["batch_size stands outside a section", "[training]"]),
        ("trainning = 3", ["'trainning'", "did you mean 'training'?"]),
        ("[trainning]", ["'trainning'", "did you mean 'training'?"]),
        ('"a\\nb" = 3', ["'a\\nb'", "the sections are"]),
        ("training = 3", ["training is 3", "must be a section"]),
        ("[[training]]", ["training is [{}]", "must be a section"]),
        ("description = 3", ["description is 3", "text"]),
        ("[training]\nbatch_sise = 64", ["'batch_sise'", "did you mean 'batch_size'?"]),
        ("[model]\nbatch_size = 64", ["batch_size is in [training]"]),
        ('[training]\n"a\\nb" = 64', ["'a\\nb'"]),
        ("[training.loss]\na = 1", ["loss is {'a': 1}", "text"]),
        ("[training]\nbatch_size = true", ["batch_size is True", "a whole number"]),
        ("[training]\nbatch_size = 2024-01-01", ["batch_size is", "a whole number"]),
        ("[training]\nbatch_size = 33", ["batch_size is 33", "even"]),
        ('[training]\nloss = "hinge"\nlabel_smoothing = 0.1', ["label_smoothing is 0.1", "hinge"]),
        ('[data]\nscaling = "minmix"', ["scaling is 'minmix'", "did you mean 'minmax'?"]),
        ("[data]\nrows = -1", ["rows is -1", "at least 0"]),
        ("[run]\nepochs = 0", ["epochs is 0", "at least 1"]),
    ],
)
def test_a_wrong_file_is_refused(text, parts):
    message = refusal(parse, text)
    assert message.startswith("recipe mine: ")
    assert all(part in message for part in parts), message


def test_an_unknown_name_is_refused_with_the_nearest_and_the_list():
    message = refusal(recipes.load, "fashionmnist")
    assert "did you mean 'fashion-mnist'?" in message
    assert all(name in message for name in recipes.names())
    assert ".toml" in message
    assert refusal(recipes.source_text, "../recipes/digits").startswith("there is no recipe")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    assert "No such file" in refusal(recipes.load, tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    assert "directory" in refusal(recipes.load, tmp_path / "folder.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refusal(recipes.load, tmp_path / "binary.toml")


def test_a_wrong_file_is_named_by_its_path(tmp_path: Path):
    file = tmp_path / "recipe.toml"
    for text, mistake in (("[run", "not TOML"), ("[run]\nepochs = 0", "epochs is 0")):
        file.write_text(text)
        assert refusal(recipes.load, file).startswith(f"recipe {file}: {mistake}")


def test_differences_show_old_and_new():
    base = recipes.load("digits")
    other = recipes.override(recipes.override(base, "training.batch_size=128"), "model.generator=[32]")
    other.gan.loss = "mse"
    assert recipes.differences(base, other) == [
        "model.generator: [128, 256] -> [32]",
        'training.loss: "bce" -> "mse"',
        "training.batch_size: 64 -> 128",
    ]
    other.description = "another text is no other configuration"
    assert recipes.differences(other, other) == []
