"""The commands: train, sample, evaluate, recipes, doctor. What they do is elsewhere; here is how they are asked."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fastgan.errors import UserError

app = typer.Typer(
    help="Train GANs made of dense layers, on a plain CPU or one GPU, without a deep-learning framework.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


class BackendName(StrEnum):
    """What can run a step."""

    auto = "auto"
    numpy = "numpy"
    cpu = "cpu"
    cuda = "cuda"


class Log(StrEnum):
    """How to show progress."""

    bar = "bar"
    keras = "keras"
    quiet = "quiet"


def usage_errors() -> type[Exception]:
    """The exception of a command line that typer cannot read."""
    from typer.exceptions import TyperException

    return TyperException


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a .toml file.")] = "digits",
    data: Annotated[str | None, typer.Option(metavar="PATH", help="Data file or folder.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Train until this epoch.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Train until this step.")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Rows of a batch.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of everything random.")] = None,
    backend: Annotated[BackendName | None, typer.Option(help="What runs the steps.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's folder.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Train the run there on.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override any key.")
    ] = None,
    log: Annotated[Log, typer.Option(help="A bar, a line for every step, or nothing.")] = Log.bar,
) -> int:
    """Train a recipe, by default an AC-GAN on handwritten digits."""
    from fastgan import recipe as recipes
    from fastgan.progress import make_progress
    from fastgan.run import default_folder, train_run

    wanted = _resumed(resume, recipe, out) if resume else recipes.load(recipe)
    for path, value in (
        ("training.batch_size", batch_size),
        ("run.seed", seed),
        ("run.backend", backend and backend.value),
        ("run.epochs", epochs),
        ("run.steps", steps),
    ):
        if value is not None:
            wanted = recipes.override(wanted, f"{path}={value}")
    if epochs is not None and steps is not None:
        raise UserError("both --epochs and --steps were given; give one of them")
    if epochs is not None:
        wanted.run.steps = 0
    if data is not None:
        _set_data(wanted, data)
    for assignment in change or []:
        wanted = recipes.override(wanted, assignment)
    folder = resume or out or default_folder(wanted)
    progress = make_progress(log.value)
    quiet = log is Log.quiet
    outcome = train_run(
        wanted, folder, progress, resume=resume is not None, say=None if quiet else _introduce
    )
    if outcome.signal:
        typer.echo(
            f"stopped at step {outcome.step}; to train on: fastgan train --resume {outcome.folder}", err=True
        )
        return 128 + outcome.signal
    if not quiet:
        typer.echo(f"{outcome.step:,} steps in {outcome.seconds:.1f} s; see {outcome.folder}/samples")
    return 0


@app.command()
def sample(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a .safetensors file.")],
    n: Annotated[int, typer.Option("-n", metavar="N", help="Samples to draw.")] = 100,
    label: Annotated[int | None, typer.Option(metavar="K", help="The class to show.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed, the same samples.")] = 0,
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="A .npy, .csv or .png file.")] = Path(
        "samples.npy"
    ),
) -> None:
    """Draw samples from a trained generator, in the data's own units."""
    from fastgan.export import write_samples
    from fastgan.generator import Generator

    generator: Generator = _load_generator(run)
    write_samples(generator.sample(n, label, seed), generator, label, output)
    typer.echo(f"{n:,} samples in {output}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a run's samples against real rows."""
    from fastgan.data import load_test_split
    from fastgan.evaluation import evaluate, format_report
    from fastgan.run import load_data, load_run

    recipe = load_run(run)
    generator = _load_generator(run)
    dataset = load_data(recipe)
    test = load_test_split(recipe.data.source, recipe.data.path)
    result = evaluate(generator.sample, dataset, test)
    typer.echo(json.dumps(result, indent=2) if as_json else format_report(result))


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe's file.")] = None,
) -> None:
    """List the recipes, or print one to copy and edit."""
    from fastgan import recipe

    if name is not None:
        typer.echo(recipe.source_text(name), nl=False)
        return
    names = recipe.names()
    width = max(map(len, names))
    for each in names:
        typer.echo(f"{each:<{width}}  {recipe.load(each).description}")


@app.command()
def doctor() -> None:
    """Say which backends work here, with versions and threads, and why others do not."""
    from fastgan.doctor import report

    rows = report()
    width = max(len(subject) for subject, _ in rows)
    for subject, finding in rows:
        typer.echo(f"{subject:<{width}}  {finding}")


def _version(wanted: bool) -> None:
    if wanted:
        from fastgan import __version__

        typer.echo(f"fastgan {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _introduce(trainer: Any) -> None:
    """Say what is trained on what, before the first step."""
    gan, dataset = trainer.gan, trainer.dataset
    count = len(gan.generator.params) + len(gan.discriminator.params)
    typer.echo(f"backend: {trainer.backend.description}")
    typer.echo(f"data: {dataset.name}, {len(dataset):,} rows of {dataset.spec.width}; {count:,} parameters")
    if not trainer.backend.ready():
        typer.echo("compiling the kernels, once for this version ...")


def _resumed(resume: Path, recipe: str, out: Path | None) -> Any:
    from fastgan.run import load_run

    if out is not None:
        raise UserError("both --resume and --out were given; a resumed run goes on in its own folder")
    wanted = load_run(resume)
    if recipe not in ("digits", wanted.name):
        raise UserError(f"{resume} holds a run of {wanted.name!r}, not of {recipe!r}; leave the recipe out")
    return wanted


def _set_data(recipe: Any, path: str) -> None:
    """Point a recipe at `path`; a recipe whose source reads no file becomes one that does."""
    recipe.data.path = path
    if recipe.data.source not in ("file", "fashion-mnist"):
        recipe.data.source = "file"


def _load_generator(run: Path) -> Any:
    from fastgan.gan import load
    from fastgan.run import GENERATOR

    return load(run / GENERATOR if run.is_dir() else run)
