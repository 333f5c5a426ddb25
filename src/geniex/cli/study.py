"""`geniex study`: one network on many crossbars, described in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from geniex.cli.app import console, progress_bars, readable, say
from geniex.cli.subjects import chosen_config, chosen_network, drawn_images
from geniex.configuration import TrainingConfig, read_config
from geniex.files import check_writable
from geniex.study import (
    Outcome,
    Point,
    PointStore,
    StudyConfig,
    Subject,
    outcomes,
    points_of,
    run_study,
    write_frame,
)

__all__ = ["study_app"]

study_app = typer.Typer(help="One network on many crossbars, described in a file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The study, TOML or YAML; docs/studies.md says what it can hold.")]
Out = Annotated[Path, typer.Option(help="Folder for results.parquet, a row per point and model.")]
Cache = Annotated[Path, typer.Option(help="Folder of points that were computed; studies can share one.")]
OUT, CACHE = Path("runs/study"), Path("runs/points")


@study_app.command(name="run")
@readable
def run_command(file: File, out: Out = OUT, cache: Cache = CACHE) -> None:
    """Compute the points of a study that are not in the cache; a run that was killed goes on where it was."""
    points, subject = _study(file)
    store = PointStore(cache)
    found = {outcome.key: outcome for outcome in outcomes(points, subject, store)}
    check_writable(out / "results.parquet")
    with progress_bars() as bars:
        whole, stage = bars.add_task("points", total=len(points), note=""), bars.add_task("", total=1, note="")

        def advance(name: str, done: int, total: int) -> None:
            bars.update(stage, description=name, completed=done, total=total)

        for outcome in run_study(list(found.values()), subject, store, advance):
            found[outcome.key] = outcome
            bars.update(whole, advance=1, note=escape(_brief(outcome)))
            write_frame(list(found.values()), out / "results.parquet")
    _shown(list(found.values()), out)


@study_app.command(name="show")
@readable
def show_command(file: File, out: Out = OUT, cache: Cache = CACHE) -> None:
    """Print what is known of a study, and write its table; nothing is computed."""
    points, subject = _study(file)
    _shown(outcomes(points, subject, PointStore(cache)), out)


def _study(file: Path) -> tuple[list[Point], Subject]:
    study, folder = read_config(file, StudyConfig), file.parent
    config, own_folder = chosen_config(None if study.config is None else folder / study.config, study.network)
    network = chosen_network(study.network, None if study.weights is None else folder / study.weights)
    images = drawn_images(None if study.data is None else folder / study.data, study.seed, study.images)
    recipe = TrainingConfig() if study.training is None else read_config(folder / study.training, TrainingConfig)
    subject = Subject(network, images, study.models, own_folder, study.emulators, recipe)
    return points_of(study, config, own_folder), subject


def _shown(found: Sequence[Outcome], out: Path) -> None:
    """Print a row per point and model, and write the table."""
    write_frame(found, out / "results.parquet")
    table = Table(box=None, pad_edge=False)
    axes = list(found[0].point.values) if found else []
    for name in (*axes, "model"):
        table.add_column(escape(name), overflow="fold")
    for name in ("top-1 %", "95 % interval", "vs digital", "NF error %"):
        table.add_column(name, justify="right")
    for outcome in found:
        values = [escape(str(value)) for value in outcome.point.values.values()]
        if outcome.result is None:
            table.add_row(*values, escape(_brief(outcome)), "", "", "", "")
            continue
        for model in outcome.result["models"]:
            table.add_row(*values, *_cells(model))
            values = [""] * len(values)
    console.print(table)
    done = sum(outcome.result is not None for outcome in found)
    failed = sum(outcome.result is None and outcome.error is not None for outcome in found)
    say(f"{done} of {len(found)} points are done, {failed} failed.\nTable: {(out / 'results.parquet').resolve()}")


def _cells(model: dict) -> list[str]:
    difference, nf = model["difference"], model["nf"]
    return [
        model["name"],
        f"{100 * model['top1']:.1f}",
        f"{100 * model['low']:.1f} to {100 * model['high']:.1f}",
        "" if difference is None else f"{100 * difference:+.1f}",
        "" if nf is None else f"{nf['rmse']:.3g}",
    ]


def _brief(outcome: Outcome) -> str:
    if outcome.result is not None:
        return f"{outcome.point}: done"
    return "not run yet" if outcome.error is None else f"failed: {outcome.error.splitlines()[0]}"
