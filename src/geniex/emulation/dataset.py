"""Datasets: solved samples in a folder of shards, made in parts that survive a kill, and read again.

Shard k comes from its own generator, so that neither the number of workers nor their order changes a bit of it. A
folder holds `manifest.json` and `shard-00000.npz` ...; a file is whole or not there.
"""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from geniex.emulation.cluster import solve_on_cluster
from geniex.emulation.manifest import DatasetPlan, Manifest, differences_from
from geniex.emulation.samples import Advance, Samples
from geniex.emulation.shards import make_shard, problem, read_shard
from geniex.files import exclusive, replacing
from geniex.threads import in_order

__all__ = ["Dataset", "DatasetRun", "make_dataset", "open_dataset"]

MANIFEST = "manifest.json"
AGAIN = "Run the `geniex dataset` command that made it again: it makes what is missing or damaged, and keeps the rest."


@dataclass(frozen=True)
class DatasetRun:
    """How a dataset is made; what is in it does not depend on this.

    Attributes:
        workers: threads that solve; None is the number of torch's.
        scheduler: `tcp://host:port` of a Dask cluster that solves instead. This process writes what it solves.
        advance: told how far it is, in crossbars.
        say: told what was found wrong and is made anew, and other things out of the ordinary.
    """

    workers: int | None = None
    scheduler: str | None = None
    advance: Advance = lambda stage, done, total, note: None
    say: Callable[[str], None] = lambda message: None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"`workers` must be at least 1; got {self.workers}.")
        if self.workers is not None and self.scheduler is not None:
            raise ValueError("`workers` are threads of this machine, and a cluster has its own: leave it out.")


@dataclass(frozen=True)
class Dataset:
    """A folder of shards.

    Attributes:
        folder: that holds them.
        manifest: what they are.
    """

    folder: Path
    manifest: Manifest

    def path(self, shard: int) -> Path:
        """The file of a shard."""
        return self.folder / f"shard-{shard:05}.npz"

    def samples(self, shard: int) -> Samples:
        """The samples of a shard, checked against its checksum; currents in float32.

        Raises:
            FileNotFoundError: if it is missing.
            ValueError: if it is damaged, was edited, or is another shard.
        """
        content = self.path(shard).read_bytes()
        try:
            return read_shard(content, self.manifest.window, self.manifest.digest(), shard)
        except ValueError as error:
            raise ValueError(f"{self.path(shard)} is not whole: {error} {AGAIN}") from error

    def missing(self) -> list[int]:
        """Numbers of the shards that are not there."""
        return [shard for shard in range(self.manifest.shards) if not self.path(shard).exists()]

    def describe(self) -> str:
        """What it is, in a line."""
        recipe = self.manifest.recipe
        return (
            f"dataset {self.manifest.digest()[:16]}: {recipe.crossbars} crossbars with {recipe.inputs} inputs each, "
            f"seed {recipe.seed}"
        )


def open_dataset(folder: str | os.PathLike[str]) -> Dataset:
    """A finished dataset. Its shards are checked when they are read.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if its manifest is damaged, or shards are missing.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"There is no dataset in {folder}. `geniex dataset` makes one.")
    dataset = Dataset(Path(folder), Manifest.read(path))
    missing = dataset.missing()
    if missing:
        counts = f"{len(missing)} of {dataset.manifest.shards} shards are missing"
        raise ValueError(f"{folder} is not finished: {counts}. {AGAIN}")
    return dataset


def make_dataset(folder: str | os.PathLike[str], plan: DatasetPlan, run: DatasetRun | None = None) -> Dataset:
    """Draw and solve what is not there yet. Whole shards stay, damaged ones are made anew.

    Args:
        folder: to write to; made if it is not there.
        plan: what the dataset is.
        run: who solves, who is told.

    Raises:
        ValueError: if the folder holds another dataset; nothing in it is changed.
        OSError: if a file cannot be written, or another process is at work in the folder.
        RuntimeError: if a circuit does not converge, or the cluster fails.
    """
    folder, run = Path(folder), run or DatasetRun()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give the name of a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        dataset = _claim(folder, plan.manifest(), run)
        _fill(dataset, plan, run)
    return dataset


def _claim(folder: Path, wanted: Manifest, run: DatasetRun) -> Dataset:
    """The dataset that was begun in the folder, or is begun now."""
    path = folder / MANIFEST
    if not path.exists():
        dataset = Dataset(folder, wanted)
        _refuse_foreign(dataset)
        _write(path, wanted.to_json().encode(), "")
        return dataset
    found = Manifest.read(path)
    begun, now = _listed(found.versions), _listed(wanted.versions)
    different = differences_from(found, {**wanted.identity(), "drawn": found.drawn})
    if not different and found.drawn != wanted.drawn:
        different = f"{now} draw other digits than {begun}, which made it"
    if different:
        raise ValueError(
            f"{folder} holds another dataset: {different}. Give another folder, or the configuration that it was made "
            "with; nothing was changed."
        )
    if begun != now:
        run.say(f"{folder} was begun by {begun} and is continued by {now}, which draw the same digits.")
    return Dataset(folder, found)


def _refuse_foreign(dataset: Dataset) -> None:
    """Raise ValueError if there are shards without their manifest, and none is of this dataset."""
    present = sorted(set(range(dataset.manifest.shards)) - set(dataset.missing()))
    if present and all(_problem(dataset, shard) for shard in present):
        raise ValueError(
            f"{dataset.folder} holds shards without a {MANIFEST}, and they are not of this configuration. "
            "Give another folder; nothing was changed."
        )


def _fill(dataset: Dataset, plan: DatasetPlan, run: DatasetRun) -> None:
    """Make the shards that are not there or not whole."""
    for name in ("shard-*.npz", MANIFEST):
        for left in dataset.folder.glob(f".{name}.*"):  # by a run that was killed while it wrote
            left.unlink()
    waiting, manifest = _to_make(dataset, run), dataset.manifest
    total, whole = manifest.recipe.crossbars, manifest.shards - len(waiting)
    done = total - sum(map(manifest.crossbars_in, waiting))
    run.advance("solve", done, total, "")
    with closing(_solved(plan, waiting, run)) as solved:
        for shard, content in solved:
            kept = f" {whole} of {manifest.shards} shards are whole and stay."
            _write(dataset.path(shard), content, kept)
            whole, done = whole + 1, done + manifest.crossbars_in(shard)
            run.advance("solve", done, total, "")


def _to_make(dataset: Dataset, run: DatasetRun) -> list[int]:
    """Numbers of the shards that are not there, or not whole; these are named."""
    waiting = dataset.missing()
    present = sorted(set(range(dataset.manifest.shards)) - set(waiting))
    threads = run.workers or torch.get_num_threads()
    problems = in_order(present, lambda shard: _problem(dataset, shard), threads, threads)
    with closing(problems):
        for count, (shard, found) in enumerate(zip(present, problems, strict=True), 1):
            run.advance("check", count, len(present), "")
            if found:
                run.say(f"{dataset.path(shard)} is made anew: {found}")
                waiting.append(shard)
    return sorted(waiting)


def _problem(dataset: Dataset, shard: int) -> str:
    return problem(dataset.path(shard).read_bytes(), dataset.manifest.digest(), shard)


def _solved(plan: DatasetPlan, shards: Sequence[int], run: DatasetRun) -> Generator[tuple[int, bytes], None, None]:
    """Number and file of each shard, as they come."""
    if run.scheduler is not None:
        return solve_on_cluster(plan, shards, run.scheduler, run.say)
    threads = run.workers or torch.get_num_threads()
    return in_order(shards, lambda shard: (shard, make_shard(plan, shard)), threads, threads)


def _write(path: Path, content: bytes, kept: str) -> None:
    try:
        with replacing(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise OSError(
            f"{path} cannot be written: {error.strerror or error}.{kept} Make room: the same "
            "command goes on where it was."
        ) from error


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
