"""Files that were damaged, swapped, edited, or come from elsewhere: each is one line, never a traceback."""

import dataclasses
import json
import re

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import fastgan
from fastgan import checkpoint
from fastgan.errors import UserError
from fastgan.settings import Settings


@pytest.fixture
def trainer(make_trainer):
    trainer = make_trainer("bytes", classes=3)
    trainer.train(3)
    return trainer


@pytest.fixture
def path(trainer, tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoint.save_checkpoint(trainer, path, "the recipe")
    return path


def contents(path):
    with safe_open(str(path), framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def write(path, tensors, metadata):
    """Write a file whose checksum is right, whatever is wrong with it besides."""
    save_file(tensors, path, metadata | {"checksum": checkpoint.checksum(tensors, metadata)})


def refused(path, message):
    with pytest.raises(UserError, match="^[^\n]*" + message + "[^\n]*$") as caught:
        fastgan.load(path)
    assert str(path) in str(caught.value)


def test_a_checkpoint_holds_what_the_next_step_depends_on(trainer, path):
    stored = checkpoint.Stored(path)
    assert stored.kind == "checkpoint" and stored.recipe == "the recipe" and stored.n_classes == 3
    assert stored.settings == trainer.settings
    assert int(stored.tensors["clock"][0]) == 3
    for player in ("generator", "discriminator"):
        for name in ("params", "mean", "square", "updates"):
            array = getattr(getattr(trainer.gan, player), name)
            np.testing.assert_array_equal(stored.tensors[f"{player}.{name}"], array)
    np.testing.assert_array_equal(fastgan.load(path).sample(5, seed=1), trainer.generator.sample(5, seed=1))


@pytest.mark.parametrize("factor", ["0", "2", "nan", "half"])
def test_a_rate_factor_that_cannot_be(path, factor):
    edit(path, rate_factor=factor)
    refused(path, "is not a whole fastgan file")


def test_nothing_in_a_file_can_run(path):
    header = path.read_bytes()[8:]
    assert header.startswith(b"{") and b"pickle" not in header


def test_cut_short_at_any_length(path):
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    lengths = {0, 1, 7, 8, 9, 100, header - 1, header, header + 1, len(whole) // 2, len(whole) - 1}
    lengths |= {int(n) for n in np.random.default_rng(0).integers(0, len(whole), 40)}
    for length in lengths:
        path.write_bytes(whole[:length])
        refused(path, "is no safetensors file, or is cut short")


def test_other_bytes(path):
    whole = path.read_bytes()
    for other in (b"hello", bytes(1000), b"\\xff" * 1000, whole + b"more", b"PK" + whole):
        path.write_bytes(other)
        refused(path, "is no safetensors file, or is cut short")


def test_a_byte_that_is_damaged_anywhere_is_noticed(path):
    whole = bytearray(path.read_bytes())
    for place in range(0, len(whole), 5):
        damaged = whole.copy()
        damaged[place] ^= 0x15
        path.write_bytes(damaged)
        refused(path, "; train again|another program|upgrade fastgan")


def test_missing_folder_foreign(tmp_path):
    refused(tmp_path / "missing", "does not exist; give a file that fastgan wrote")
    refused(tmp_path, "cannot be read|is no safetensors file|is a folder")
    save_file({"x": np.zeros(3)}, tmp_path / "foreign")
    refused(tmp_path / "foreign", "is a safetensors file of another program")
    save_file({"x": np.zeros(3)}, tmp_path / "foreign", {"format": "pt"})
    refused(tmp_path / "foreign", "is a safetensors file of another program")


@pytest.mark.parametrize(
    ("version", "said"), [("2", "2"), ("999", "999"), ("", "unknown"), ("one", "one"), ("-1", "-1")]
)
def test_a_newer_version(path, version, said):
    tensors, metadata = contents(path)
    write(path, tensors, metadata | {"format_version": version})
    refused(path, f"has format version {said} but this fastgan reads up to 1; upgrade fastgan")


def edit(path, settings=None, data=None, tensors=None, **metadata):
    old_tensors, old = contents(path)
    new = old | {name: str(value) for name, value in metadata.items()}
    if settings:
        new["settings"] = json.dumps(json.loads(old["settings"]) | settings)
    if data:
        new["data"] = json.dumps(json.loads(old["data"]) | data)
    changed = {name: each for name, each in (old_tensors | (tensors or {})).items() if each is not None}
    write(path, changed, new)


@pytest.mark.parametrize(
    "edits",
    [
        dict(settings={"generator": [8]}),
        dict(settings={"generator": [10**9]}),
        dict(settings={"latent_dim": 5}),
        dict(settings={"latent_dim": -5}),
        dict(settings={"loss": "unknown"}),
        dict(settings={"unknown": 1}),
        dict(settings={"output": "softmax"}),
        dict(data={"width": 5}),
        dict(data={"width": "wide"}),
        dict(data={"vocabulary": 5}),
        dict(data={"dtype": "nonsense"}),
        dict(data={"unknown": 1}),
        dict(n_classes=4),
        dict(n_classes=-3),
        dict(n_classes="three"),
        dict(tensors={"generator.params": None}),
        dict(tensors={"generator.params": np.zeros(3, np.float32)}),
        dict(tensors={"generator.params": np.zeros((2, 3), np.float32)}),
        dict(tensors={"data.scale": None}),
        dict(tensors={"data.scale": np.zeros(3, np.float32)}),
        dict(tensors={"data.shift": np.zeros(4, np.int64)}),
    ],
    ids=str,
)
def test_edited(path, edits):
    edit(path, **edits)
    with pytest.raises(UserError, match=r"^[^\n]+$") as caught:
        fastgan.load(path)
    assert "checksum" not in str(caught.value)


def test_parameters_of_another_dtype(path):
    params = contents(path)[0]["generator.params"]
    edit(path, tensors={"generator.params": params.astype(np.float64)})
    refused(path, r"is not a whole fastgan file \(generator.params is float64")


def test_a_setting_of_a_newer_fastgan(path):
    edit(path, settings={"sharpness": 3, "a\nb": 1})
    refused(path, r"settings that this fastgan does not know \('a\\nb', 'sharpness'\).*upgrade fastgan")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"'])
@pytest.mark.parametrize("name", ["settings", "data"])
def test_edited_text(path, name, text):
    tensors, metadata = contents(path)
    write(path, tensors, metadata | {name: text})
    refused(path, "is not a whole fastgan file")


@pytest.mark.parametrize("name", ["kind", "settings", "data", "n_classes"])
def test_text_left_out(path, name):
    tensors, metadata = contents(path)
    write(path, tensors, {key: value for key, value in metadata.items() if key != name})
    refused(path, f"is not a whole fastgan file \\('{name}'\\)")


@pytest.mark.parametrize(
    "tensors",
    [
        {"clock": None},
        {"clock": np.zeros(2, np.int64)},
        {"discriminator.mean": None},
        {"discriminator.params": np.zeros(4, np.float32)},
        {"generator.square": np.zeros(4, np.float32)},
        {"generator.updates": np.zeros(1, np.float32)},
    ],
    ids=str,
)
def test_a_checkpoint_that_does_not_fit_changes_nothing(make_trainer, state_of, path, tensors):
    edit(path, tensors=tensors)
    other = make_trainer("bytes", classes=3, seed=1)
    before = state_of(other)
    name = re.escape(next(iter(tensors)))
    with pytest.raises(
        UserError, match=f"^[^\n]*: {name} is [^\n]*; the file was changed after it was written$"
    ):
        checkpoint.restore(other, checkpoint.Stored(path))
    assert state_of(other) == before


def test_a_generator_is_no_checkpoint(trainer, make_trainer, tmp_path):
    trainer.generator.save(tmp_path / "g")
    with pytest.raises(UserError, match=r"holds a generator alone; resume from a checkpoint$"):
        checkpoint.restore(make_trainer("bytes", classes=3), checkpoint.Stored(tmp_path / "g"))


def test_other_data_than_the_checkpoints(make_trainer, path):
    other = make_trainer("bytes", classes=3, rows=20)  # of another range, and so another scale
    expected = r"was trained on other data \(96 rows of 4 uint8, 3 classes -> 20 rows of 4 uint8, 3 classes\); resume"
    with pytest.raises(UserError, match=expected):
        checkpoint.restore(other, checkpoint.Stored(path))


@pytest.mark.parametrize("part", ["array", "labels"])
def test_other_data_of_the_same_range(make_trainer, path, part):
    other = make_trainer("bytes", classes=3)
    changed = getattr(other.dataset, part).copy()
    changed[40] = changed[41] if part == "array" else (changed[40] + 1) % 3
    other.dataset = dataclasses.replace(other.dataset, **{part: changed})
    with pytest.raises(
        UserError, match=r"was trained on other data \(96 rows of .*, of other values\); resume"
    ):
        checkpoint.restore(other, checkpoint.Stored(path))


def test_other_classes_than_the_checkpoints(make_trainer, path):
    with pytest.raises(UserError, match=r"was trained with 3 classes but these data have 0; resume with"):
        checkpoint.restore(make_trainer("bytes"), checkpoint.Stored(path))


def test_a_file_of_an_older_fastgan_may_hold_knobs_without_effect(trainer, path):
    checkpoint.save_checkpoint(trainer, path)
    edit(path, settings={"momentum": 0.9, "maxout_pieces": 3})
    stored = checkpoint.Stored(path)
    assert stored.settings == trainer.settings
    checkpoint.restore(trainer, stored)


def test_other_settings_than_the_checkpoints(trainer, path):
    stored = checkpoint.Stored(path)
    stored.check_settings(trainer.settings)
    free = Settings.of(trainer.settings)
    free.backend, free.threads = "cpu", 3
    stored.check_settings(free)
    free.generator_lr, free.generator = 0.5, (8, 8)
    expected = r"was trained with other settings \(generator: \(7,\) -> \(8, 8\); generator_lr: 0.0002 -> 0.5\); resume"
    with pytest.raises(UserError, match=expected):
        stored.check_settings(free)


def test_a_folder_in_place_of_a_file(tmp_path):
    refused(tmp_path, "cannot be read: Is a directory")


def test_weights_that_are_not_finite_are_not_written(trainer, tmp_path):
    """They could not be read back, and would take the place of a good file."""
    good = tmp_path / "g.safetensors"
    checkpoint.save_generator(trainer.generator, good)
    before = good.read_bytes()
    trainer.gan.generator.params[0] = np.nan
    with pytest.raises(
        UserError, match=r"^\S+ was not written, for the generator's weights hold NaN or infinity; "
    ):
        checkpoint.save_generator(trainer.generator, good)
    with pytest.raises(UserError, match="was not written"):
        checkpoint.save_checkpoint(trainer, tmp_path / "c.safetensors")
    assert good.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]
