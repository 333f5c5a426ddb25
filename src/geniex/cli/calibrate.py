"""`geniex calibrate`: number formats and full scales that fit a network's data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from torch import Tensor

from geniex.calibration import (
    AdcScale,
    CalibratedLayer,
    Calibration,
    Max,
    MeanSquaredError,
    Method,
    Percentile,
    Span,
    calibrate,
)
from geniex.cli.app import console, progress_bars, say
from geniex.cli.subjects import Data, Network, Weights, chosen_config, chosen_network, drawn_images
from geniex.configuration import EvaluationConfig
from geniex.converters import ColumnScales
from geniex.digital import Scaled
from geniex.evaluation import LabelledImages
from geniex.files import check_writable

__all__ = ["calibrate_command"]

HEADERS = ("inputs\nup to", "\nstep", "clip\n%", "weights\nup to", "\nstep", "clip\n%", "ADC\nuA", "clip\n%")


def calibrate_command(
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration of `geniex evaluate`: bits, tiles, layers, images. Left out: the demo's."),
    ] = None,
    network: Network = None,
    weights: Weights = None,
    data: Data = None,
    images: Annotated[int, typer.Option(min=1, help="How many images to calibrate on, drawn with --seed.")] = 64,
    method: Annotated[
        Literal["max", "percentile", "mse"],
        typer.Option(
            help="What a step is chosen by: the largest number, a percentile of the magnitudes, or the smallest mean "
            "squared error."
        ),
    ] = "max",
    percentile: Annotated[
        float | None, typer.Option(help="Share of the numbers that --method percentile holds. Left out: 99.9.")
    ] = None,
    per_channel: Annotated[
        bool, typer.Option("--per-channel", help="A step of the weights per output channel.")
    ] = False,
    adc: Annotated[
        Literal["configured", "layer", "column"],
        typer.Option(help="Full scale of the ADC: as configured, or found per layer or per column."),
    ] = "configured",
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which images are drawn.")] = 0,
    out: Annotated[
        Path, typer.Option(help="JSON file to write; `calibration` in a configuration of `geniex evaluate` names it.")
    ] = Path("calibration.json"),
) -> None:
    """Number formats and ADC full scales that fit a network's weights and activations, found on images."""
    if out.suffix != ".json":
        raise ValueError(f"The file of a calibration must end in .json; got {out}.")
    check_writable(out)
    chosen_method = _method(method, percentile)
    scale = None if adc == "configured" else AdcScale(adc == "column", chosen_method)
    settings, folder = chosen_config(config, network)
    settings = settings.model_copy(update={"calibration": None})  # what the file names may be what is to be written
    chosen, labelled = chosen_network(network, weights), drawn_images(data, seed, images, settings.preprocess)
    with progress_bars() as bars:
        batches = _Batches(labelled, settings, bars)
        layers = settings.layer_config(chosen, folder)
        calibration = calibrate(chosen, batches, layers, chosen_method, per_channel, scale)
    calibration.save(out)
    console.print(_table(calibration))
    missed = [name for name, layer in calibration.layers.items() if not layer.is_reached]
    if missed:
        say(f"No data reached {', '.join(missed)}: formats as configured.")
    say(f"Calibration: {out.resolve()}")


class _Batches:
    """Images as a network takes them, with a bar for each time that they are gone through."""

    def __init__(self, images: LabelledImages, settings: EvaluationConfig, bars: Progress) -> None:
        self.images, self.size, self.prepare = images.images, settings.batch, settings.preprocess.build()
        self.bars, self.stages = bars, 0

    def __iter__(self) -> Iterator[Tensor]:
        task = self.bars.add_task(f"pass {self.stages + 1}", total=len(self.images), note="")
        self.stages += 1
        for first in range(0, len(self.images), self.size):
            part = self.images[first : first + self.size]
            yield self.prepare(part)
            self.bars.update(task, advance=len(part))


def _method(name: str, percentile: float | None) -> Method:
    if percentile is not None and name != "percentile":
        raise ValueError(f"`--percentile` is of `--method percentile`; got `--method {name}`. Leave one of them out.")
    methods = {
        "max": Max,
        "mse": MeanSquaredError,
        "percentile": lambda: Percentile(99.9 if percentile is None else percentile),
    }
    return methods[name]()


def _table(calibration: Calibration) -> Table:
    """One row per layer; of several steps and full scales, the largest."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, title_justify="left")
    table.add_column("layer", overflow="fold", min_width=8)
    for header in ("kind", *HEADERS):
        table.add_column(header, justify="right", no_wrap=True)
    for name, layer in calibration.layers.items():
        table.add_row(Text(name or "(network)"), layer.kind, *_cells(layer))
    return table


def _cells(layer: CalibratedLayer) -> list[str]:
    inputs, weights, readings = (
        [getattr(product, kind) for product in layer.products] for kind in ("inputs", "weights", "readings")
    )
    return [
        *(_reach(inputs), _step(layer.inputs), _clipped(inputs)),
        *(_reach(weights), _step(layer.weights), _clipped(weights)),
        *(_full_scale(layer.full_scale), _clipped(readings)),
    ]


def _reach(spans: list[Span]) -> str:
    """The largest magnitude."""
    return f"{max(max(-span.least, span.most) for span in spans):.3g}" if _count(spans) else "-"


def _clipped(spans: list[Span]) -> str:
    """In percent."""
    count = _count(spans)
    return f"{100 * sum(span.clipped for span in spans) / count:.2f}" if count else "-"


def _count(spans: list[Span]) -> int:
    return sum(span.count for span in spans)


def _step(number: Scaled | None) -> str:
    if number is None:
        return "as set"
    return f"<={max(number.step):.2g}" if isinstance(number.step, tuple) else f"{number.step:.2g}"


def _full_scale(scale: float | ColumnScales | None) -> str:
    """In microampere."""
    if scale is None:
        return "as set"
    if isinstance(scale, ColumnScales):
        return f"<={1e6 * max(x for tile in scale.amperes for crossbar in tile for x in crossbar):.3g}"
    return f"{1e6 * scale:.3g}"
