"""A recipe: everything one training run needs, in one TOML file that users copy and edit."""

from __future__ import annotations

import contextlib
import json
import re
import tomllib
import typing
from copy import deepcopy
from dataclasses import Field, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from fastgan.errors import UserError, nearest, shown
from fastgan.knobs import check_fields, checked, knob
from fastgan.looks import EVERY
from fastgan.outside import check_regular
from fastgan.quality import METRICS
from fastgan.settings import READERS, Settings, default

LONGEST = 1 << 15
"""Bytes of a recipe. What takes TOML's reader longest takes it some seconds then."""


@dataclass
class DataSettings:
    """Which data to learn from."""

    source: str = knob("data", "digits", "a source by name, or file when path says where the data is")
    path: str = knob("data", "", "file or folder of the data; empty: where the source looks by itself")
    rows: int = knob("data", 0, "rows to take, or to make; 0: all there are", least=0)
    std: float = knob(
        "data", 0.0, "standard deviation of the clusters of ring and grid; 0: their own", least=0.0
    )
    labels: str = knob("data", "auto", "column or file of the labels, none, or auto: those the source has")


@dataclass
class RunSettings:
    """How long to train, and what to write while training."""

    epochs: int = knob("run", 10, "passes over the data", least=1)
    steps: int = knob("run", 0, "generator steps, instead of epochs; 0: as many as the epochs make", least=0)
    samples_every: int = knob("run", 10, "epochs between pictures of samples; 0: only at the end", least=0)
    checkpoint_every: int = knob("run", 10, "epochs between checkpoints; 0: only at the end", least=0)
    checkpoint_minutes: float = knob(
        "run", 5.0, "minutes between checkpoints, beside those of epochs; 0: only these", least=0.0
    )
    rollback: bool = knob(
        "run", True, "when training diverges, go back to a checkpoint and halve the rates, up to 3 times"
    )
    samples_per_class: int = knob("run", 10, "samples of each class in a picture", least=1)
    monitor_every: int = knob(
        "run", EVERY, "most steps between looks at the players' balance; 0: none", least=0
    )
    best_metric: str = knob(
        "run",
        "auto",
        "measure, taken at each look, by which best.safetensors is kept; "
        "auto: sliced_wasserstein if early_stop is given, else none",
        choices=("auto", "none", *METRICS),
    )
    early_stop: int = knob("run", 0, "looks without a new best that end the training; 0: never", least=0)

    @property
    def metric(self) -> str:
        """The measure that `best_metric` means; empty for none."""
        if self.best_metric == "auto":
            return "sliced_wasserstein" if self.early_stop else ""
        return "" if self.best_metric == "none" else self.best_metric

    def check(self) -> None:
        """Raise `UserError` for the first knob whose type or value is impossible, or that contradicts another."""
        check_fields(self)
        if self.early_stop and not self.metric:
            raise UserError(
                f"early_stop is {self.early_stop} but best_metric is 'none'; set it to one of {', '.join(METRICS)}"
            )
        if self.metric and not self.monitor_every:
            raise UserError(
                f"monitor_every is 0 but {self.metric} is taken at each look; set it to {EVERY}, or another number"
            )


@dataclass
class Recipe:
    """A named run: its data, its GAN and its schedule. Nothing is checked here; `check` does that."""

    name: str
    description: str = ""
    data: DataSettings = field(default_factory=DataSettings)
    gan: Settings = field(default_factory=Settings)
    run: RunSettings = field(default_factory=RunSettings)


class Knob(NamedTuple):
    """Where a key lives: its section of the file, its part of a `Recipe`, and its declaration."""

    section: str
    name: str
    part: str
    hint: Any
    field: Field[Any]

    @property
    def path(self) -> str:
        """The name to give to `override`, such as ``training.batch_size``."""
        return f"{self.section}.{self.name}"

    def value(self, recipe: Recipe) -> Any:
        """Return this knob's value in `recipe`."""
        return getattr(getattr(recipe, self.part), self.name)


def _knobs_of(part: str, kind: type) -> list[Knob]:
    hints = typing.get_type_hints(kind)
    return [Knob(f.metadata["section"], f.name, part, hints[f.name], f) for f in fields(kind)]


_PARTS = {"data": DataSettings, "gan": Settings, "run": RunSettings}
_ALL = [each for part, kind in _PARTS.items() for each in _knobs_of(part, kind)]
SECTIONS = tuple(dict.fromkeys(each.section for each in _ALL))
KNOBS = {each.name: each for section in SECTIONS for each in _ALL if each.section == section}


def names() -> list[str]:
    """Return the names of the recipes inside the package."""
    return sorted(
        file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml")
    )


def source_text(name_or_file: str | Path) -> str:
    """Return a recipe's TOML text, comments included; `UserError` if there is no such recipe or file."""
    name = str(name_or_file)
    if name.endswith(".toml"):
        check_regular(name)
        try:
            with open(name, encoding="utf-8") as file:
                return file.read(LONGEST + 1)
        except UnicodeDecodeError:
            raise UserError(f"recipe {name} is not a text file; a recipe is TOML in UTF-8") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"recipe {name} cannot be read: {reason}; check the file's name") from None
    known = names()
    if name not in known:
        raise UserError(
            f"there is no recipe {name!r}{nearest(name, known)}; "
            f"give one of {', '.join(known)}, or a file whose name ends in .toml"
        )
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def load(name_or_file: str | Path, of_run: bool = False) -> Recipe:
    """Return the packaged recipe of that name, or the one in a file whose name ends in ``.toml``; see `parse`."""
    text = source_text(name_or_file)
    name = str(name_or_file)
    return parse(text, Path(name).stem if name.endswith(".toml") else name, name, of_run)


def parse(text: str, name: str, origin: str = "", of_run: bool = False) -> Recipe:
    """Return the checked recipe that TOML `text` describes; keys it leaves out keep their defaults.

    One `of_run`, as `to_toml` writes it, says at least where its data are from, and an older fastgan may have let it
    have keys without effect.

    Raises `UserError`, its line beginning with `origin` (the file it was read from) or else the name, for text
    that is not TOML, an unknown section or key, and an impossible type or value.
    """
    recipe = Recipe(name)
    try:
        if len(text) > LONGEST:
            raise UserError(f"longer than any recipe; the most is {LONGEST:,} letters")
        said = _toml(text)
        for key, value in said.items():
            _set_top_level(recipe, key, value)
        if of_run:
            if "source" not in said.get("data", {}):
                raise UserError("not whole, for it names no source of data; put back what the training wrote")
            recipe.gan.forget_unread()
        check(recipe)
    except UserError as error:
        raise UserError(f"recipe {origin or name}: {error}") from None
    return recipe


def override(recipe: Recipe, *assignments: str) -> Recipe:
    """Return a copy of `recipe` changed by each ``section.key=value``; the one given stays as it is.

    A value is read as TOML; a bare word is text. Each knob is checked by itself, whether they agree is not: `check`
    that. A method that is turned off takes with it what the recipe says of it, such as ``penalty_weight`` with
    ``training.gradient_penalty=none``, but nothing that was assigned here.
    """
    changed = deepcopy(recipe)
    assigned = {_assign(changed, assignment) for assignment in assignments}
    for name, reader in READERS.items():
        if name not in assigned and assigned & set(reader.others) and changed.gan.is_unread(name):
            setattr(changed.gan, name, default(name))
    return changed


def _assign(recipe: Recipe, assignment: str) -> str:
    """Change a recipe by ``section.key=value``; returns the key."""
    target, equals, text = assignment.partition("=")
    target, text = target.strip(), text.strip()
    section, dot, key = target.partition(".")
    if not dot and section in KNOBS:
        raise UserError(f"{assignment!r} names no section; write {KNOBS[section].path}={text}")
    if not (equals and dot and section and key):
        raise UserError(f"{assignment!r} is not section.key=value, such as training.batch_size=128")
    found = _find(section, key)
    value = checked(key, _value(text, found.hint), found.hint, found.field)
    setattr(getattr(recipe, found.part), key, value)
    return key


def check(recipe: Recipe) -> None:
    """Raise `UserError` for the first knob whose type or value is impossible, or that contradicts another."""
    check_fields(recipe.data)
    recipe.gan.check()
    recipe.run.check()


def to_toml(recipe: Recipe) -> str:
    """Return a checked recipe as TOML with every knob; `parse` turns it back into an equal one."""
    import tomli_w

    tables: dict[str, Any] = {"description": recipe.description}
    for each in KNOBS.values():
        tables.setdefault(each.section, {})[each.name] = each.value(recipe)
    return re.sub(r"\[\n[\d\s,]*\]", _on_one_line, tomli_w.dumps(tables))


def differences(a: Recipe, b: Recipe) -> list[str]:
    """Return one line, such as ``training.batch_size: 64 -> 128``, for each knob that differs."""
    pairs = [(each.path, each.value(a), each.value(b)) for each in KNOBS.values()]
    return [f"{path}: {json.dumps(old)} -> {json.dumps(new)}" for path, old, new in pairs if old != new]


def _on_one_line(numbers: re.Match[str]) -> str:
    return f"[{', '.join(re.findall(r'[0-9]+', numbers[0]))}]"


def _folder() -> Any:
    return resources.files("fastgan") / "recipes"


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last_line = f"at line {text.count(chr(10)) + 1}, the last"
        raise UserError(f"not TOML: {str(error).replace('at end of document', last_line)}") from None
    except (RecursionError, ValueError):
        raise UserError("not TOML that can be read: brackets too deep, or a number too long") from None


def _set_top_level(recipe: Recipe, key: str, value: Any) -> None:
    """Set the description, or every key of the section `key`, unchecked."""
    if key == "description":
        if not isinstance(value, str):
            raise UserError(f"description is {shown(value)}; it must be text")
        recipe.description = value
    elif key in KNOBS and not isinstance(value, dict):
        raise UserError(f"{key} stands outside a section; it is in [{KNOBS[key].section}]")
    else:
        _check_section(key)
        if not isinstance(value, dict):
            raise UserError(f"{key} is {shown(value)}; it must be a section: [{key}], then its keys")
        for name, item in value.items():
            setattr(getattr(recipe, _find(key, name).part), name, item)


def _check_section(section: str) -> None:
    if section not in SECTIONS:
        known = ", ".join(f"[{name}]" for name in SECTIONS)
        raise UserError(
            f"there is no section {section!r}{nearest(section, SECTIONS)}; the sections are {known}"
        )


def _find(section: str, key: str) -> Knob:
    """Return the knob `key` of `section`, or raise `UserError` with the nearest right name."""
    found = KNOBS.get(key)
    if found is None:
        _check_section(section)
        known = ", ".join(each.name for each in KNOBS.values() if each.section == section)
        raise UserError(f"there is no key {key!r} in [{section}]{nearest(key, KNOBS)}; it has {known}")
    if found.section != section:
        raise UserError(f"{section}.{key}: {key} is in [{found.section}]; write {found.path}")
    return found


def _value(text: str, hint: Any) -> Any:
    """Read `text` as one TOML value; what is not one, or is none although the knob takes text, is text.

    A number may also be written as Python has it, such as ``.9``.
    """
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        with contextlib.suppress(ValueError):
            return float(text) if hint is float else text
        return text
    is_text_knob = hint is str and not isinstance(parsed["value"], str)
    return text if len(parsed) > 1 or is_text_knob else parsed["value"]
