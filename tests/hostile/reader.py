"""A process that reads files under watch: what came of each, what it cost, and what else it tried.

It is asked with a line of JSON, ``[kind, path]``, and answers with one: ``outcome`` is "read", "refused" (one line for
the user, in ``says``) or "broken" (anything else, with the traceback); ``grew`` is by how many bytes the most memory
in use was above that before, and ``allowed`` by how many it may be; ``watched`` names what no reader may do.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fastgan import checkpoint, load
from fastgan import recipe as recipes
from fastgan.data import Dataset, load_dataset
from fastgan.errors import UserError
from fastgan.json_rows import read_rows
from fastgan.settings import Settings
from fastgan.trainer import Trainer

CONSTANT, MULTIPLE, PACKED = 192 << 20, 32, 500
"""A reader may take so many bytes more, and so many times the size of a file, or of one that is packed: 100 times that,
unpacked, as 8-bit integers that become float32."""

FOR_ITSELF = 4 << 30
"""Bytes of address space that may be reserved besides, of which nothing is used."""

WIDEST = 4096
"""Columns of rows on which the smallest GAN is trained, too."""

FORBIDDEN = (
    *(
        "pickle.find_class",
        "socket.connect",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
    ),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "shutil.rmtree"),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

READERS_OF_OURS = Path(str(checkpoint.__file__)).with_name("data")
MISTAKES = (AssertionError, AttributeError, LookupError, NameError, TypeError, ZeroDivisionError)

watched: list[str] | None = None


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what no reader may do."""
    if watched is None:
        return
    if event in FORBIDDEN or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
        watched.append(f"{event} {str(arguments)[:200]}")


def read_data(path: str, **options: Any) -> None:
    use(load_dataset("file", path, **options))


def use(data: Dataset) -> None:
    """All that follows on reading, up to a step."""
    data.digest()
    rows = data.thinned(5)
    spec = data.spec
    units = spec.to_network_units(rows)
    assert units.shape == (len(rows), spec.network_width) and np.isfinite(units).all()
    assert np.isfinite(spec.to_data_units(units).astype(np.float64)).all()
    assert len(data.labels) in (0, len(data))
    assert not len(data.labels) or 0 <= data.labels.min() <= data.labels.max() < spec.n_classes
    json.dumps(spec.to_metadata(), allow_nan=False).encode()
    "".join(spec.columns + spec.class_names).encode()
    if spec.network_width <= WIDEST and spec.n_classes <= WIDEST:
        small = Settings(generator=[2], discriminator=[2], latent_dim=1, batch_size=2, backend="numpy")
        Trainer(small, data).train(1)


def read_generator(path: str) -> None:
    generator = load(path)
    samples = generator.sample(3, seed=1)
    assert samples.dtype == generator.spec.dtype and samples.shape == (3, generator.spec.width)
    assert np.isfinite(samples).all()


def read_checkpoint(path: str) -> None:
    one = trainer()
    checkpoint.restore(one, checkpoint.Stored(path))
    one.train(1)


def trainer() -> Any:
    """The one whose checkpoints are damaged."""
    from fastgan.data import from_arrays

    x = np.random.default_rng(0).integers(0, 256, (24, 4)).astype(np.uint8)
    settings = Settings(
        generator=[3], discriminator=[3], latent_dim=2, batch_size=4, generator_norm="batch", backend="numpy"
    )
    return Trainer(settings, from_arrays(x, np.arange(24) % 3))


def read_recipe(path: str) -> None:
    recipe = recipes.load(path)
    assert recipes.parse(recipes.to_toml(recipe), recipe.name) == recipe


def read_lines(path: str) -> None:
    for row in read_rows(Path(path), {"step", "loss"}):
        assert abs(row["step"]) <= 2**53 and isinstance(float(row["loss"]), float)


READERS: dict[str, Callable[[str], None]] = {
    "data": read_data,
    "generator": read_generator,
    "checkpoint": read_checkpoint,
    "recipe": read_recipe,
    "lines": read_lines,
}


def status(name: str) -> int:
    """A figure of this process's memory, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) << 10


def is_packed(path: str) -> bool:
    return path.endswith((".gz", ".npz", ".parquet")) or os.path.isdir(path)


def size_of(path: str) -> int:
    """Bytes of a file, or of all in a folder."""
    place = Path(path)
    files = [*place.glob("*"), *place.glob("*/*")] if os.path.isdir(path) else [place]
    return sum(os.path.getsize(file) for file in files if os.path.isfile(file))


def judge(kind: str, path: str) -> dict[str, Any]:
    """Read one file."""
    global watched
    allowed = CONSTANT + (PACKED if is_packed(path) else MULTIPLE) * size_of(path)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status("VmRSS")
    resource.setrlimit(
        resource.RLIMIT_AS,
        (status("VmSize") + allowed + FOR_ITSELF * (kind != "data"), resource.RLIM_INFINITY),
    )
    says, outcome, watched = "", "read", []
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            READERS[kind](path)
    except UserError as error:
        hidden = is_hidden(error, kind)
        cause = "".join(traceback.format_exception(error.__context__)) if hidden else ""
        outcome, says = ("broken", f"{error}, for\n{cause}") if hidden else ("refused", str(error))
    except BaseException:
        outcome, says = "broken", traceback.format_exc()
    if warned:
        outcome, says = (
            "broken",
            f"warned: {warned[0].category.__name__}: {warned[0].message}; then {outcome} {says}",
        )
    found, watched = watched, None
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return dict(outcome=outcome, says=says, grew=status("VmHWM") - before, allowed=allowed, watched=found)


def is_hidden(error: UserError, kind: str) -> bool:
    """Whether a refusal stands for a mistake in a reader of ours, or for memory that a file's word made it ask for."""
    cause, place = error.__context__, ""
    for frame, _ in traceback.walk_tb(cause.__traceback__ if cause else None):
        place = frame.f_code.co_filename
    if isinstance(cause, MemoryError):  # Python's parser has it too, for brackets that are too deep
        return not place.endswith("ast.py") and "do not fit into memory" not in str(error)
    ours = kind == "data" and Path(place).is_relative_to(READERS_OF_OURS)
    return ours and isinstance(cause, MISTAKES)


def check(answer: dict[str, Any]) -> None:
    """Hold an answer of `judge` to the rules."""
    outcome, says = answer["outcome"], answer["says"]
    assert outcome in ("read", "refused"), says
    assert outcome == "read" or (says and says.isprintable() and len(says) < 2000), repr(says)
    assert answer["grew"] <= answer["allowed"], f"{answer['grew'] >> 20} MiB; {outcome} {says}"
    assert answer["watched"] == []


def prepare() -> None:
    """Import all that is imported where it is first needed, and watch from now on."""
    with suppress(ImportError):
        import PIL.Image

        PIL.Image.init()
    with suppress(ImportError):
        import pyarrow.parquet  # noqa: F401
    import safetensors.numpy  # noqa: F401
    import scipy.special  # noqa: F401

    trainer().train(1)
    sys.addaudithook(watch)


def main() -> None:
    """Answer until there is no more to read."""
    prepare()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(judge(*json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
