"""Generators and checkpoints as safetensors files: arrays and text, nothing that can run.

A generator file holds ``generator.params``, ``data.scale`` and ``data.shift``, and with batch norm its running moments,
``generator.running``; a checkpoint holds both players' parameters and optimiser moments and the step besides. The text
beside the arrays is the settings and the description of the data, as JSON, and a checksum of all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgan.atomic import write_atomically
from fastgan.data.dataset import Dataset, DataSpec
from fastgan.errors import Damaged, UserError, shown
from fastgan.forms import running_moments
from fastgan.json_rows import LARGEST
from fastgan.outside import check_regular
from fastgan.settings import Settings
from fastgan.state import lasting

if TYPE_CHECKING:
    from fastgan.generator import Generator
    from fastgan.trainer import Trainer

FORMAT_VERSION = 1

Tensors = dict[str, np.ndarray]


def save_generator(generator: Generator, path: str | Path, recipe: str = "") -> None:
    """Write a generator; `recipe` is the text of the recipe that trained it, kept for the reader."""
    tensors = {"generator.params": generator.net.params}
    running = running_moments(generator.net)
    if running is not None:
        tensors["generator.running"] = running
    _write(path, "generator", tensors, generator.settings, generator.spec, generator.n_classes, recipe)


def save_checkpoint(trainer: Trainer, path: str | Path, recipe: str = "", before: Path | None = None) -> None:
    """Write all that the next step depends on: both players, their optimisers' state, the step, the data's digest.

    The checkpoint that was there is kept as `before`.
    """
    spec, n_classes = trainer.dataset.spec, trainer.n_classes
    kept = {
        "data_digest": trainer.dataset.digest(),
        "data_shape": trainer.dataset.shape_in_words(),
        "schedule_epoch": str(trainer.schedule_epoch),
        "rate_factor": repr(trainer.rate_factor),
    }
    tensors = lasting(trainer.gan_to_read)
    _write(path, "checkpoint", tensors, trainer.settings, spec, n_classes, recipe, kept, before)


def restore(trainer: Trainer, stored: Stored) -> None:
    """Put a checkpoint's arrays into a trainer of the same settings and data; `UserError` if they differ."""
    if stored.kind != "checkpoint":
        raise UserError(f"{stored.path} holds a generator alone; resume from a checkpoint")
    if stored.n_classes != trainer.n_classes:
        raise UserError(
            f"{stored.path} was trained with {stored.n_classes} classes but these data have {trainer.n_classes}; "
            "resume with the same data and labels"
        )
    changed = stored.change_of(trainer.dataset)
    if changed:
        raise UserError(f"{stored.path} was trained on other data ({changed}); resume with the same data")
    buffers = lasting(trainer.gan)
    for name, buffer in buffers.items():
        tensor = stored.tensors.get(name)
        if tensor is None or tensor.shape != buffer.shape or tensor.dtype != buffer.dtype:
            found = "missing" if tensor is None else f"{tensor.dtype} {tensor.shape}"
            raise UserError(
                f"{stored.path}: {name} is {found}, expected {buffer.dtype} {buffer.shape}; "
                "the file was changed after it was written"
            )
        if buffer.dtype.kind == "i" and not 0 <= tensor[0] < LARGEST:
            raise UserError(
                f"{stored.path}: {name} is {tensor[0]}, which no training reaches; start a new one"
            )
    for name, buffer in buffers.items():
        buffer[...] = stored.tensors[name]
    trainer.reschedule(stored.schedule_epoch, stored.rate_factor)


def _check_arrays(tensors: Tensors, spec: DataSpec) -> None:
    np.dtype(spec.dtype)
    for name in ("generator.params", "data.scale", "data.shift"):
        tensor = tensors[name]
        wanted = tensor.shape if name == "generator.params" else (spec.width,)
        if tensor.dtype != np.float32 or tensor.shape != wanted:
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, expected float32 {wanted}")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} holds NaN or infinity")


def _settings_from(values: dict[str, Any], path: str | Path) -> Settings:
    """Settings as a file has them, checked; `UserError` names those of a newer fastgan."""
    unknown = sorted(values.keys() - {each.name for each in fields(Settings)})
    if unknown:
        raise UserError(
            f"{path} has settings that this fastgan does not know ({', '.join(map(shown, unknown))}); "
            "a newer one wrote it: upgrade fastgan"
        )
    settings = Settings(**values)
    settings.forget_unread()
    settings.check()
    return settings


class Stored:
    """A file read back: its kind ("generator" or "checkpoint"), arrays, settings and data description."""

    def __init__(self, path: str | Path):
        tensors, metadata = _read(path)
        try:
            self.kind: str = metadata["kind"]
            self.settings = _settings_from(json.loads(metadata["settings"]), path)
            self.n_classes = int(metadata["n_classes"])
            self.spec = DataSpec.from_metadata(
                json.loads(metadata["data"]), tensors["data.scale"], tensors["data.shift"]
            )
            self.recipe = metadata.get("recipe", "")
            self.digest = metadata.get("data_digest", "")
            self.data_shape = metadata.get("data_shape", "")
            self.schedule_epoch = int(metadata.get("schedule_epoch", 1))
            self.rate_factor = float(metadata.get("rate_factor", 1))
            if not 0 < self.rate_factor <= 1:
                raise ValueError(f"rate_factor is {self.rate_factor}, expected above 0, at most 1")
            if not 0 < self.schedule_epoch < LARGEST:
                raise ValueError(f"schedule_epoch is {self.schedule_epoch}")
            _check_arrays(tensors, self.spec)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise UserError(f"{path} is not a whole fastgan file ({error}); train again") from None
        self.tensors = tensors
        self.path = path

    @property
    def step(self) -> int:
        """Training steps made; `UserError` for a generator alone."""
        if "clock" not in self.tensors:
            raise UserError(f"{self.path} holds a generator alone; give a checkpoint")
        return int(self.tensors["clock"].reshape(-1)[0])

    def change_of(self, dataset: Dataset) -> str:
        """How `dataset` differs from what a checkpoint was trained on; empty where it does not."""
        if self.digest == dataset.digest():
            return ""
        then, now = self.data_shape, dataset.shape_in_words()
        return f"{now}, of other values" if now == then else f"{then} -> {now}"

    def check_settings(self, settings: Settings) -> None:
        """Raise `UserError` naming the settings that differ from those stored and would change the training."""
        advice = "resume with the same ones, or start a new training"
        check_same(self.settings, settings, str(self.path), advice)


def check_same(before: Settings, now: Settings, name: str, advice: str) -> None:
    """Raise `UserError` naming the settings that differ and would change the training of `name`."""
    old, new = asdict(before), asdict(now)
    free = ("backend", "threads", "captured")
    changed = [
        f"{name}: {old[name]} -> {new[name]}" for name in old if old[name] != new[name] and name not in free
    ]
    if changed:
        raise UserError(f"{name} was trained with other settings ({'; '.join(changed)}); {advice}")


def _write(
    path: str | Path,
    kind: str,
    tensors: Tensors,
    settings: Settings,
    spec: DataSpec,
    n_classes: int,
    recipe: str,
    more: Mapping[str, str] | None = None,
    before: Path | None = None,
) -> None:
    from safetensors.numpy import save

    if not np.isfinite(tensors["generator.params"]).all():
        raise UserError(
            f"{path} was not written, for the generator's weights hold NaN or infinity; train anew"
        )
    metadata = {
        "format": "fastgan",
        "format_version": str(FORMAT_VERSION),
        "kind": kind,
        "settings": json.dumps({**asdict(Settings.of(settings))}),
        "n_classes": str(n_classes),
        "data": json.dumps(spec.to_metadata()),
        "recipe": recipe,
        **(more or {}),
    }
    tensors = {**tensors, "data.scale": spec.scale, "data.shift": spec.shift}
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    metadata["checksum"] = checksum(contiguous, metadata)
    write_atomically(path, *_in_order(save(contiguous, metadata)), before=before)


def checksum(tensors: Tensors, metadata: Mapping[str, str]) -> str:
    """SHA-256 of the arrays and of the text beside them, but for the checksum there."""
    text = sorted((name, value) for name, value in metadata.items() if name != "checksum")
    digest = hashlib.sha256(json.dumps(text).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _in_order(content: bytes) -> tuple[bytes, memoryview]:
    """The same safetensors file with the text beside the arrays sorted, for safetensors writes it in any order.

    In two parts, so that the arrays are not in memory once more.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header, memoryview(content)[start:]


def _read(path: str | Path) -> tuple[Tensors, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not (isinstance(path, str | Path) and str(path)):
        raise UserError(f"path is {path!r}; it must be the path of a file that fastgan wrote")
    check_regular(path)
    try:
        open(path, "rb").close()  # safetensors says of a file that may not be read that there is none
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist; give a file that fastgan wrote, or its run's folder"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, TypeError, ValueError) as error:
        raise Damaged(f"{path} is no safetensors file, or is cut short ({error})") from None
    if metadata.get("format") != "fastgan":
        raise UserError(f"{path} is a safetensors file of another program; give one that fastgan wrote")
    version = metadata.get("format_version", "")
    if not version.isdecimal() or len(version) > 9 or int(version) > FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version or 'unknown'} but this fastgan reads up to {FORMAT_VERSION}; "
            "upgrade fastgan"
        )
    if metadata.get("checksum") != checksum(tensors, metadata):
        raise Damaged(f"{path} was changed after it was written (its checksum differs)")
    return tensors, metadata
