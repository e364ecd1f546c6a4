"""The commands: train, sample, evaluate, recipes, doctor. What they do is elsewhere; here is how they are asked."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastgan.errors import UserError, one_line

if TYPE_CHECKING:
    from fastgan.generator import Generator
    from fastgan.recipe import Recipe
    from fastgan.trainer import Trainer

app = typer.Typer(
    help="Train GANs made of dense layers on a plain CPU or one GPU, without a deep-learning framework.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Numbers and choices are taken as text, so that a recipe's own checks of its keys speak for the options too.
Text = str | None
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", show_default=False, help="A run's folder.")]
BestOfRun = Annotated[bool, typer.Option("--best", help="Take the run's best generator, not its last.")]


def run(arguments: list[str] | None) -> int:
    """Run one command and return its exit code; `UserError` for a mistake, also one in the command line itself."""
    from typer.exceptions import TyperException

    try:
        code = app(args=arguments, prog_name="fastgan", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "fastgan"
        message = error.format_message()
        if not message:  # the help was asked for by giving no command
            return 0
        full_stop = "" if message.endswith((".", "?")) else "."
        raise UserError(f"{message[0].lower()}{message[1:]}{full_stop} See {command} --help") from None
    return code if isinstance(code, int) else 0


@app.command()
def train(
    recipe: Annotated[
        Text, typer.Argument(metavar="RECIPE", help="A recipe's name, or a .toml file; digits if left out.")
    ] = None,
    data: Annotated[Text, typer.Option(metavar="PATH", help="File or folder to learn from.")] = None,
    epochs: Annotated[Text, typer.Option(metavar="N", help="Passes over the data, in all.")] = None,
    steps: Annotated[Text, typer.Option(metavar="N", help="Steps in all, instead of epochs.")] = None,
    batch_size: Annotated[Text, typer.Option(metavar="N", help="Rows of a batch.")] = None,
    seed: Annotated[Text, typer.Option(metavar="N", help="The same seed gives the same GAN.")] = None,
    backend: Annotated[Text, typer.Option(metavar="NAME", help="auto, numpy, cpu or cuda.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the run; one in runs/ if left out.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in this folder.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change any key of the recipe."),
    ] = None,
    best_metric: Annotated[
        Text, typer.Option(metavar="NAME", help="Measure by which best.safetensors is kept.")
    ] = None,
    early_stop: Annotated[
        Text, typer.Option(metavar="N", help="Stop after N looks without a new best.")
    ] = None,
    rollback: Annotated[
        bool | None,
        typer.Option("--rollback/--no-rollback", help="When training diverges, go back and halve the rates."),
    ] = None,
    log: Annotated[
        str, typer.Option(metavar="HOW", help="bar, keras (a line for every step) or quiet.")
    ] = "bar",
) -> int:
    """Train a recipe, by default an AC-GAN on handwritten digits."""
    from fastgan.folder import default_folder
    from fastgan.progress import make_progress
    from fastgan.recipe import DataSettings, load
    from fastgan.run import load_run, train_run

    progress = make_progress(log)
    if resume and (recipe or out):
        other = "a recipe" if recipe else "--out"
        raise UserError(f"--resume and {other} were given; {resume} knows its recipe and stays where it is")
    if epochs is not None and steps is not None:
        raise UserError("--epochs and --steps were given; give one of them")
    options = {
        "data.path": data,
        "training.batch_size": batch_size,
        "run.seed": seed,
        "run.backend": backend,
        "run.epochs": epochs,
        "run.steps": steps,
        "run.best_metric": best_metric,
        "run.early_stop": early_stop,
        "run.rollback": None if rollback is None else json.dumps(rollback),
    }
    given = [f"{path}={value}" for path, value in options.items() if value is not None]
    wanted = _changed(load_run(resume) if resume else load(recipe or "digits"), given)
    if steps is not None and not wanted.run.steps:
        raise UserError("steps is 0; it must be at least 1")
    reads_folder = wanted.data.source == "fashion-mnist" and Path(data or "").is_dir()
    if data is not None and wanted.data.source != "file" and not reads_folder:
        # How many rows the recipe's own source makes, and what of, says nothing of others.
        wanted.data = DataSettings("file", wanted.data.path, labels=wanted.data.labels)
        wanted.description = f"recipe {wanted.name} on other data"
    wanted = _changed(wanted, change or [])

    folder = resume or out or default_folder(wanted)
    quiet = log == "quiet"
    outcome = train_run(wanted, folder, progress, resume=bool(resume), say=None if quiet else _introduce)
    if outcome.rate_factor < 1:
        typer.echo(
            "fastgan: warning: training diverged and went on from a checkpoint; the learning rates are now "
            f"{outcome.rate_factor:g} times the recipe's",
            err=True,
        )
    if outcome.signal:
        with contextlib.suppress(OSError):  # the terminal may be gone
            typer.echo(
                f"stopped at step {outcome.step:,}; go on with: fastgan train --resume {folder}", err=True
            )
        return 128 + outcome.signal
    if not quiet:
        typer.echo(f"{outcome.step:,} steps, {outcome.seconds:.1f} s; pictures in {folder / 'samples'}")
    return 0


@app.command()
def sample(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", show_default=False, help="A run's folder, or its generator file.")
    ],
    n: Annotated[
        Text, typer.Option("-n", metavar="N", help="Samples to draw, 100 if left out; or ways.")
    ] = None,
    label: Annotated[
        Text, typer.Option(metavar="K", help="Class to draw, by name or number; any if left out.")
    ] = None,
    seed: Annotated[str, typer.Option(metavar="N", help="The same seed gives the same samples.")] = "0",
    truncation: Annotated[
        Text, typer.Option(metavar="T", help="Keep latent numbers within T: less variety, fewer odd samples.")
    ] = None,
    interpolate: Annotated[
        Text, typer.Option(metavar="N", help="Go from sample to sample in N steps, on 10 ways or -n.")
    ] = None,
    best: BestOfRun = False,
    output: Annotated[
        Path, typer.Option("-o", metavar="FILE", help="Name ending in .npy, .csv or .png.")
    ] = Path("samples.npy"),
) -> None:
    """Draw samples from a trained generator, in the data's own units."""
    from fastgan.export import write_samples

    written = write_samples(
        _load_generator(run, best),
        None if n is None else _whole("-n", n),
        label,
        _whole("--seed", seed),
        output,
        truncation=None if truncation is None else _number("--truncation", truncation),
        steps=None if interpolate is None else _whole("--interpolate", interpolate),
    )
    typer.echo(f"{written} in {output}")


@app.command()
def evaluate(
    run: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    best: BestOfRun = False,
    test: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Real rows that were not learnt from, to measure beside."),
    ] = None,
) -> None:
    """Measure a run's samples beside real rows, and draw them."""
    from rich.console import Console

    from fastgan.data.dataset import check_like
    from fastgan.evaluation import draw_evaluation, evaluate, format_report, learnt_from, left_out
    from fastgan.folder import EVALUATION, unharmed
    from fastgan.run import changed_data, load_data, load_run, load_test

    recipe = load_run(run)
    generator = _load_generator(run, best)
    dataset = load_data(recipe)
    check_like(generator.spec, dataset)
    unseen = load_test(recipe, dataset, test)
    with Console(stderr=True).status("measuring (up to a minute) ..."):  # on a terminal alone
        result = evaluate(generator.sample_classes, dataset, unseen)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        typer.echo(format_report(result))
        drawn = False
        with unharmed(run / EVALUATION):
            draw_evaluation(generator.sample_classes, dataset, run / EVALUATION, unseen)
            drawn = True
        if drawn:
            typer.echo(f"\npicture: {run / EVALUATION}")
    for line in filter(None, (changed_data(run, dataset) or learnt_from(dataset, unseen), left_out())):
        typer.echo(line, err=True)


@app.command()
def recipes(
    name: Annotated[Text, typer.Argument(metavar="NAME", help="Print this recipe's file.")] = None,
) -> None:
    """List the recipes, or print one to copy and edit."""
    from fastgan import recipe

    if name is not None:
        typer.echo(recipe.source_text(name), nl=False)
        return
    _table([(each, recipe.load(each).description) for each in recipe.names()])


@app.command()
def doctor() -> None:
    """Say which backends work here, and why others do not."""
    from fastgan.doctor import report

    _table(report())


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


def _table(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        typer.echo(f"{name:<{width}}  {text}")


def _introduce(trainer: Trainer, folder: Path) -> None:
    """Say what is trained on what, before the first step."""
    gan, dataset = trainer.gan, trainer.dataset
    count = len(gan.generator.params) + len(gan.discriminator.params)
    classes = f", {trainer.n_classes} classes" if trainer.n_classes else ""
    resumed = f", from step {trainer.step:,}" if trainer.step else ""
    typer.echo(f"backend: {trainer.backend.description}")
    typer.echo(
        f"data: {one_line(dataset.name)}, {len(dataset):,} rows of {dataset.spec.width}{classes}; {count:,} parameters"
    )
    typer.echo(f"run: {folder}{resumed}")
    if not trainer.backend.ready():
        typer.echo("compiling, once for this version (some ten seconds) ...")


def _changed(recipe: Recipe, assignments: list[str]) -> Recipe:
    """Override keys; of epochs and steps, the last one given counts."""
    from fastgan.recipe import override

    recipe = override(recipe, *assignments)
    paths = [assignment.partition("=")[0].strip() for assignment in assignments]
    lengths = [path for path in paths if path in ("run.epochs", "run.steps")]
    if lengths[-1:] == ["run.epochs"]:
        recipe.run.steps = 0
    return recipe


def _whole(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{option} is {text!r}; it must be a whole number") from None


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{option} is {text!r}; it must be a number") from None


def _load_generator(run: Path, best: bool = False) -> Generator:
    from fastgan.folder import BEST, GENERATOR
    from fastgan.gan import load

    if not run.is_dir():
        if best:
            raise UserError(f"--best was given with {run}; give a run's folder, or leave --best out")
        return load(run)
    name = BEST if best else GENERATOR
    if not (run / name).exists():
        advice = _why_no_best(run) if best else "give a run's folder after its first checkpoint"
        raise UserError(f"{run} holds no {name}; {advice}")
    return load(run / name)


def _why_no_best(run: Path) -> str:
    """Why a run's folder has no best generator, or how it comes to one."""
    from fastgan.folder import BEST_COURSE
    from fastgan.json_rows import read_rows
    from fastgan.run import load_run

    settings = load_run(run).run
    if not settings.metric:
        return "give a run's folder trained with --best-metric"
    looks = read_rows(run / BEST_COURSE, {"step", settings.metric})
    if looks and not any(math.isfinite(look[settings.metric]) for look in looks):
        return f"no look so far had a finite {settings.metric}; leave --best out"
    return f"train on past a look, which are {settings.monitor_every:,} steps apart: --resume {run}"
