"""`geniex study`: one network on many crossbars, described in a file."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress

from geniex.cli.app import console, progress_bars, readable, say
from geniex.cli.subjects import chosen_config, chosen_network, drawn_images, weights_of
from geniex.cluster import Cluster
from geniex.configuration import EvaluationConfig, TrainingConfig, read_config
from geniex.configuration.sections import fields_of
from geniex.files import check_writable
from geniex.loading import check_models
from geniex.report.formats import count
from geniex.report.points import StudyPage
from geniex.study import (
    Outcome,
    Point,
    PointStore,
    StudyConfig,
    Subject,
    outcomes,
    page_of,
    points_of,
    run_study,
    write_frame,
    write_page,
)

__all__ = ["study_app"]

study_app = typer.Typer(help="One network on many crossbars, described in a file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The study, TOML or YAML; docs/studies.md says what it can hold.")]
Out = Annotated[Path, typer.Option(help="Folder for results.parquet, a row per point and model, and report.html.")]
Cache = Annotated[Path, typer.Option(help="Folder of points that were computed; studies can share one.")]
Scheduler = Annotated[
    str | None,
    typer.Option(help="tcp://host:port of a Dask cluster that computes instead of this process; needs geniex\\[dask]."),
]
OUT, CACHE = Path("runs/study"), Path("runs/points")
SIZES = ("preprocess.resize", "preprocess.crop", "preprocess.interpolation")
LIVE_ROWS = 16  # of a live table: more would not fit a terminal


@dataclass(frozen=True)
class _Study:
    """A study file, read.

    Attributes:
        study: what it says.
        base: the configuration that its axes change.
        points: its points.
        subject: network, images, models.
        title: for people.
        found: outcomes by key, in the order of the points.
    """

    study: StudyConfig
    base: EvaluationConfig
    points: list[Point]
    subject: Subject
    title: str
    found: dict[str, Outcome] = field(default_factory=dict)

    def page(self) -> StudyPage:
        """What is known."""
        provenance = {"command": shlex.join(["geniex", *sys.argv[1:]])}
        return page_of(list(self.found.values()), self.study, self.base, self.title, provenance)


@study_app.command(name="run")
@partial(readable, goes_on=True)
def run_command(file: File, out: Out = OUT, cache: Cache = CACHE, scheduler: Scheduler = None) -> None:
    """Compute the points of a study that are not in the cache; a run that was killed goes on where it was."""
    about, store = _read(file), PointStore(cache)
    _look_up(about, store)
    check_writable(out / "results.parquet")
    check_writable(store.folder / "results")
    cluster = None if scheduler is None else Cluster(scheduler, say)
    with progress_bars() as bars, _live(bars) as show, closing(cluster) if cluster is not None else nullcontext():
        whole, stage = bars.add_task("points", total=len(about.points), note=""), bars.add_task("", total=1, note="")

        def advance(name: str, done: int, total: int) -> None:
            bars.update(stage, description=name[:28], completed=done, total=total)

        for outcome in run_study(list(about.found.values()), about.subject, store, advance, cluster):
            about.found[outcome.key] = outcome
            bars.update(whole, advance=1, note=escape(_brief(outcome)))
            write_frame(list(about.found.values()), out / "results.parquet")
            show(about.page())
    _shown(about, out)


@study_app.command(name="show")
@readable
def show_command(file: File, out: Out = OUT, cache: Cache = CACHE) -> None:
    """Print what is known of a study, and write its table and page; nothing is computed."""
    about = _read(file)
    _look_up(about, PointStore(cache))
    _shown(about, out)


def _read(file: Path) -> _Study:
    study, folder = read_config(file, StudyConfig), file.parent
    check_models(study.models)
    config, own_folder = chosen_config(None if study.config is None else folder / study.config, study.network)
    network = chosen_network(study.network, weights_of(study.weights, folder))
    data = None if study.data is None else folder / study.data
    _check_sizes(study, data)
    images = drawn_images(data, study.seed, study.images, config.preprocess)
    subject = Subject(network, images, study.models, own_folder, study.emulators, _recipe(study, folder))
    title = study.title or f"{type(network).__name__} on {images.source}"
    return _Study(study, config, points_of(study, config, own_folder), subject, title)


def _check_sizes(study: StudyConfig, data: Path | None) -> None:
    """Raise ValueError if points want photos in different sizes: they are read once, and resized then."""
    moved = [name for axis in study.axes for name in fields_of(axis) if name in SIZES]
    if moved and data is not None and data.is_dir():
        raise ValueError(
            f"`axes` moves {moved[0]!r}, but photos of a folder, {data}, are resized once, when they are read. "
            "Make a study per size, or pack them larger (`geniex pack --resize`): an npz file is resized by each point."
        )


def _recipe(study: StudyConfig, folder: Path) -> TrainingConfig:
    """How emulators are trained; files that it names are relative to its own folder."""
    if study.training is None:
        return TrainingConfig()
    path = folder / study.training
    return read_config(path, TrainingConfig).named_from(path.parent)


def _look_up(about: _Study, store: PointStore) -> None:
    """Find what the cache knows, and say what it has of other versions, which would be expected to be found."""
    if others := store.of_other_versions():
        versions = ", ".join(sorted(others))
        say(f"{count(others.total(), 'result')} in {store.folder} will not be used: of geniex {versions}.")
    about.found.update((outcome.key, outcome) for outcome in outcomes(about.points, about.subject, store))


@contextmanager
def _live(bars: Progress) -> Iterator:
    """What shows the table so far above the bars; on what is no terminal it shows nothing."""
    from geniex.report.table import study_table  # slow to import

    if not console.is_terminal:
        yield lambda page: None
        return
    bars.stop()
    with Live(bars, console=console, refresh_per_second=4) as live:
        yield lambda page: live.update(Group(study_table(page, LIVE_ROWS), bars))


def _shown(about: _Study, out: Path) -> None:
    """Print a row per point, and write table and page."""
    from geniex.report.study import study_summary  # plots are slow to import
    from geniex.report.table import study_table

    page = about.page()
    write_frame(list(about.found.values()), out / "results.parquet")
    write_page(page, out / "report.html")
    console.print(study_table(page))
    for point in page.points:
        if point.error is not None:
            say(f"{point.label} failed: {point.error.splitlines()[0]}")
    say(f"{study_summary(page)}\n")
    say(f"Page: {(out / 'report.html').resolve()}\nTable: {(out / 'results.parquet').resolve()}")


def _brief(outcome: Outcome) -> str:
    if outcome.result is not None:
        return f"{outcome.point}: done"
    return "not run yet" if outcome.error is None else f"failed: {outcome.error.splitlines()[0]}"
