"""What the file of `geniex evaluate` can say, and the hardware that it builds."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from torch import nn

from geniex.calibration import load_calibration
from geniex.configuration.costs import CostSection
from geniex.configuration.effects import EffectSection
from geniex.configuration.hardware import AccumulatorSection, AdcSection, InputSection, WeightSection
from geniex.configuration.sections import TABLE, CellSection, CrossbarSection, FileSection, Section
from geniex.conversion import LayerConfig
from geniex.converters import DigitalFloor, DummyColumn, FloorRemoval, PaperFloor
from geniex.evaluation.images import Preprocess
from geniex.evaluation.options import RunOptions
from geniex.functional import HardwareConfig
from geniex.hints import nearest
from geniex.models.circuit import Circuit
from geniex.models.guard import Policy

__all__ = ["EvaluationConfig"]

FLOORS: dict[str, FloorRemoval] = {"paper": PaperFloor(), "dummy_column": DummyColumn(), "digital": DigitalFloor()}
NoTable = Annotated[Literal["none"], Tag("none")]


def _branch(value: object) -> str:
    return "none" if value == "none" else TABLE


class LayerSection(Section):
    """Which layers run on crossbars."""

    digital: tuple[str, ...] = Field(
        default=(), strict=False, description="names of layers to leave digital; * matches any part of a name"
    )
    pack_groups: bool = Field(
        default=False, description="whether groups of a grouped convolution share a crossbar, as many as fit"
    )


class PreprocessSection(Section):
    """What the network wants done to uint8 RGB images: resize, crop, reorder, then (scale x - mean) / deviation."""

    resize: int | None = Field(
        default=None, ge=1, description="length of the shorter side, in pixels; left out, the size is kept"
    )
    crop: int | None = Field(
        default=None,
        ge=1,
        description="side of the square cut from the centre, in pixels; images that are such squares were "
        "cut before and are not resized; left out, all is kept",
    )
    channel_order: Literal["RGB", "BGR"] = Field(default="RGB", description="order of the network's input channels")
    scale: float = Field(default=1 / 255, description="factor on pixel values 0..255")
    mean: tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), strict=False, description="per channel in the network's order, after scale"
    )
    deviation: tuple[float, float, float] = Field(
        default=(1.0, 1.0, 1.0), strict=False, description="per channel in the network's order, after scale"
    )
    interpolation: Literal["bilinear", "bicubic"] = Field(
        default="bilinear", description="of resize, with antialiasing"
    )

    @model_validator(mode="after")
    def _builds(self) -> "PreprocessSection":
        self.build()
        return self

    def build(self) -> Preprocess:
        """The function from images to inputs."""
        return Preprocess(**self.model_dump())


class EmulatorSection(Section):
    """The trained network behind the model `geniex`."""

    file: str = Field(
        default="nominal_64x64_v250",
        description="a file made by `geniex train`, relative to this one, or the name of a shipped emulator",
    )


class ReducedSection(Section):
    """The reduced-order model behind the model `reduced`."""

    order: int = Field(default=3, ge=1, le=4, description="how far it expands; 4 errs least and takes longest")


class ExactSection(Section):
    """The comparison of every model with the exact circuit, on tiles and inputs of the run."""

    reads: int = Field(default=1024, ge=1, description="number of reads (one input on one tile) drawn from the run")
    images: int = Field(
        default=4, ge=1, description="number of images, the first of the run, from which they are drawn"
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the draw, of chips and of noise")


@dataclass(frozen=True)
class LayerSettings:
    """The hardware of all layers but some: a `LayerConfig` that other processes can be given.

    Attributes:
        hardware: of a layer on crossbars.
        digital: names of layers that stay digital; * matches any part of a name.
    """

    hardware: HardwareConfig
    digital: tuple[str, ...] = ()

    def __call__(self, name: str, module: nn.Module) -> HardwareConfig | None:
        """Of the layer of that name; None leaves it digital."""
        return None if any(fnmatchcase(name, pattern) for pattern in self.digital) else self.hardware


class EvaluationConfig(FileSection):
    """Hardware and run of `geniex evaluate`."""

    command = "evaluate"

    adc: Annotated[Annotated[AdcSection, Tag(TABLE)] | NoTable, Discriminator(_branch)] = Field(
        default=AdcSection(), description='"none" rounds to one product of levels, unclipped'
    )
    accumulator: Annotated[Annotated[AccumulatorSection, Tag(TABLE)] | NoTable, Discriminator(_branch)] = Field(
        default=AccumulatorSection(), description='"none" holds every sum'
    )
    costs: Annotated[Annotated[CostSection, Tag(TABLE)] | NoTable, Discriminator(_branch)] = Field(
        default=CostSection(), description='"none" measures no energy'
    )
    floor: Literal["paper", "dummy_column", "digital"] = Field(
        default="paper",
        description="removal of the current of digit 0: paper (ratio on the remainder), dummy_column, digital",
    )
    outside: Policy = Field(
        default="raise",
        description="what a model does that is asked for what it was not made for: raise, warn (once) or ignore",
    )
    calibration: str | None = Field(
        default=None,
        description="a file made by `geniex calibrate`, relative to this one: its number formats and full scales take "
        "the place of fraction_bits and full_scale",
    )
    batch: int = Field(default=16, ge=1, description="images per forward pass")
    chips: int = Field(default=1, ge=1, description="chips to write and measure, where effects draw")
    crossbar: CrossbarSection = Field(default=CrossbarSection())
    cell: CellSection = Field(default=CellSection())
    weights: WeightSection = Field(default=WeightSection())
    inputs: InputSection = Field(default=InputSection())
    effects: EffectSection = Field(default=EffectSection())
    layers: LayerSection = Field(default=LayerSection())
    preprocess: PreprocessSection = Field(default=PreprocessSection())
    emulator: EmulatorSection = Field(default=EmulatorSection())
    reduced: ReducedSection = Field(default=ReducedSection())
    exact: ExactSection = Field(default=ExactSection())

    @model_validator(mode="after")
    def _builds(self) -> "EvaluationConfig":
        self.hardware()
        return self

    def hardware(self) -> HardwareConfig:
        """Digits, tiles and converters."""
        return HardwareConfig(
            rows=self.crossbar.rows,
            cols=self.crossbar.cols,
            weights=self.weights.number(),
            inputs=self.inputs.number(),
            slice_bits=self.weights.slice_bits,
            stream_bits=None if isinstance(self.inputs.stream_bits, int) else self.inputs.stream_bits,
            signed_inputs=self.inputs.coding(),
            dac=self.inputs.dac(),
            adc=None if isinstance(self.adc, str) else self.adc.build(),
            g_on=1 / self.cell.r_on,
            g_off=1 / (self.cell.r_on * self.cell.on_off),
            floor=FLOORS[self.floor],
            mapping=self.weights.build_mapping(),
            accumulator=None if isinstance(self.accumulator, str) else self.accumulator.build(),
            pack_groups=self.layers.pack_groups,
        )

    def run_options(self) -> RunOptions:
        """How images are prepared and batched, and how models are compared with the exact circuit."""
        return RunOptions(
            prepare=self.preprocess.build(),
            batch=self.batch,
            exact=Circuit(self.crossbar.build(), self.cell.build()),
            chips=self.chips,
            reads=self.exact.reads,
            read_images=self.exact.images,
            seed=self.exact.seed,
            costs=None if isinstance(self.costs, str) else self.costs.build(),
            energy_images=1 if isinstance(self.costs, str) else self.costs.images,
        )

    def layer_config(self, network: nn.Module, folder: Path = Path()) -> LayerConfig:
        """The hardware of each layer of `network`; with `calibration`, as it was calibrated.

        Args:
            network: the digital network.
            folder: that the name of the calibration is relative to.

        Raises:
            FileNotFoundError: if there is no calibration of that name.
            ValueError: if a name in `layers.digital` matches no layer, or the calibration is of another network.
        """
        hardware, names = self.hardware(), [name for name, _ in network.named_modules() if name]
        for pattern in self.layers.digital:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ValueError(
                    f"`layers.digital` names {pattern!r}, but no layer is called so.{nearest(pattern, names)}"
                )

        settings = LayerSettings(hardware, self.layers.digital)
        if self.calibration is None:
            return settings
        calibration = load_calibration(folder / self.calibration, settings)
        calibration.check(network)
        return calibration
