"""What a configuration file can say: tables of fields with defaults, bounds and meaning, and the objects they build.

The descriptions are the documentation: `template` prints them as a commented file.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from torch import nn

from geniex.circuit.spec import CrossbarSpec
from geniex.conversion import LayerConfig
from geniex.converters import Adc, Dac, DigitalFloor, DummyColumn, FloorRemoval, PaperFloor
from geniex.devices import DeviceModel, Ohmic, SeriesAccess, Sinh
from geniex.devices.description import build_device, describe_device, read_device
from geniex.digital import Accumulator, FixedPoint
from geniex.emulation.recipe import DatasetRecipe, TrainingRecipe
from geniex.emulation.recorded import load_digits
from geniex.emulation.sampling import Corners, DigitSampling, MixedDigits, Mixture
from geniex.evaluation.images import Preprocess
from geniex.functional import HardwareConfig
from geniex.hints import nearest
from geniex.mapping import DifferentialPair, Mapping, OffsetColumn
from geniex.models.guard import Policy
from geniex.window import Window

__all__ = ["BRANCHES", "FOLDER", "EvaluationConfig", "Section", "TrainingConfig"]

FLOORS: dict[str, FloorRemoval] = {"paper": PaperFloor(), "dummy_column": DummyColumn(), "digital": DigitalFloor()}
MAPPINGS: dict[str, Mapping] = {"differential_pair": DifferentialPair(), "offset_column": OffsetColumn()}
FOLDER = "folder"  # in pydantic's context, what names of files are relative to
TABLE, NAME = "<table>", "<name>"
BRANCHES = (TABLE, NAME)
"""In pydantic's errors, the branches of a choice between a table and a name."""
NoTable = Annotated[Literal["none"], Tag("none")]


def _branch(value: object) -> str:
    return "none" if value == "none" else TABLE


def _device_branch(value: object) -> str:
    return TABLE if isinstance(value, dict) else NAME


def _described(device: dict[str, Any]) -> dict[str, Any]:
    """A description with every field, those left out too; ValueError if it describes no device."""
    return describe_device(build_device(device))


DeviceTable = Annotated[dict[str, Any], AfterValidator(_described), Tag(TABLE)]
DeviceName = Annotated[Literal["sinh", "ohmic"], Tag(NAME)]


def _check_width(name: str, width: int, total: int) -> None:
    if total % width:
        possible = ", ".join(str(w) for w in range(1, 9) if total % w == 0)
        raise ValueError(f"{name} must divide bits = {total}; got {width}. Possible: {possible}.")


class Section(BaseModel):
    """A table of a configuration file; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CrossbarSection(Section):
    """Geometry and parasitic resistances of one crossbar; a tile of a layer fills one crossbar."""

    rows: int = Field(default=64, ge=1, description="word lines (inputs) of a crossbar")
    cols: int = Field(default=64, ge=1, description="bit lines (outputs) of a crossbar")
    r_source: float = Field(default=500.0, ge=0, description="driver of each word line, in ohm")
    r_sink: float = Field(default=100.0, ge=0, description="sense amplifier of each bit line, in ohm")
    r_row: float = Field(default=2.5, ge=0, description="word-line wire between neighbouring cells, in ohm")
    r_col: float = Field(default=2.5, ge=0, description="bit-line wire between neighbouring cells, in ohm")
    driven_ends: int = Field(default=1, ge=1, le=2, description="2 drives word lines from both ends, each by r_source")
    sensed_ends: int = Field(default=1, ge=1, le=2, description="2 senses bit lines at both ends, each by r_sink")

    def build(self) -> CrossbarSpec:
        """The circuit's geometry."""
        return CrossbarSpec(**self.model_dump())


class CellSection(Section):
    """The memory cells."""

    device: Annotated[DeviceName | DeviceTable, Discriminator(_device_branch)] = Field(
        default="sinh", description="I-V curve: sinh (I = g v0 sinh(v / v0)) or ohmic (I = g v)"
    )
    v0: float = Field(default=0.25, gt=0, description="voltage at which the sinh bends, in volt; ohmic cells ignore it")
    file: str | None = Field(
        default=None,
        description="instead of device and v0: a file made by `geniex fit-device`, relative to this one",
    )
    r_access: float = Field(default=0.0, ge=0, description="resistance in series with each cell, in ohm")
    r_on: float = Field(default=1e5, gt=0, description="resistance of the largest weight digit, in ohm")
    on_off: float = Field(default=6.0, gt=1, description="resistance of digit 0 over r_on")

    @model_validator(mode="before")
    @classmethod
    def _reads_file(cls, content: Any, info: Any) -> Any:
        """The device in `file` as a table, so that results say what was computed whatever becomes of the file."""
        if not isinstance(content, dict) or not isinstance(content.get("file"), str):
            return content
        surplus = [name for name in ("device", "v0") if name in content]
        if surplus:
            raise ValueError(f"`file` takes the place of {' and '.join(surplus)}; leave out one or the other.")
        try:
            device = read_device(Path((info.context or {}).get(FOLDER, "")) / content["file"])
        except OSError as error:
            raise ValueError(str(error)) from error
        return {**content, "file": None, "device": describe_device(device)}

    def build(self) -> DeviceModel:
        """The cells' I-V curve."""
        device = build_device(self.device) if isinstance(self.device, dict) else self._named()
        return SeriesAccess(device, self.r_access) if self.r_access else device

    def _named(self) -> DeviceModel:
        return Sinh(self.v0) if self.device == "sinh" else Ohmic()


class WeightSection(Section):
    """Number format of the weights: signed fixed point, cut into slices of one cell each."""

    bits: int = Field(default=16, ge=2, le=16, description="total width in bits, sign included")
    fraction_bits: int = Field(
        default=13, ge=-16, le=32, description="bits behind the point; the range is +-2^(bits - 1 - fraction_bits)"
    )
    slice_bits: int = Field(default=4, ge=1, le=8, description="bits per cell; must divide bits")
    mapping: Literal["differential_pair", "offset_column"] = Field(
        default="differential_pair", description="signed weights as differential_pair (W+ and W-) or offset_column"
    )

    @model_validator(mode="after")
    def _divides(self) -> "WeightSection":
        _check_width("slice_bits", self.slice_bits, self.bits)
        return self


class InputSection(Section):
    """Number format of the layers' inputs: signed fixed point, driven as streams of one digit each."""

    bits: int = Field(default=16, ge=2, le=16, description="total width in bits, sign included")
    fraction_bits: int = Field(
        default=12, ge=-16, le=32, description="bits behind the point; the range is +-2^(bits - 1 - fraction_bits)"
    )
    stream_bits: int = Field(
        default=4, ge=1, le=8, description="bits per stream, the width of the DAC; must divide bits"
    )
    v_max: float = Field(default=0.25, gt=0, description="voltage of the largest input digit, in volt")

    @model_validator(mode="after")
    def _divides(self) -> "InputSection":
        _check_width("stream_bits", self.stream_bits, self.bits)
        return self

    def levels(self) -> list[float]:
        """Voltages of a stream's digits."""
        largest = 2**self.stream_bits - 1
        return [self.v_max * level / largest for level in range(largest + 1)]


class AdcSection(Section):
    """Output converter of each column."""

    bits: int = Field(default=14, ge=1, le=32, description="resolution in bits")
    full_scale: float | None = Field(
        default=None,
        gt=0,
        description="current of the largest code, in ampere; left out, one code is one product of levels",
    )


class AccumulatorSection(Section):
    """Register that sums the partial products of an output; it saturates."""

    bits: int = Field(default=32, ge=2, le=53, description="total width in bits, sign included")
    fraction_bits: int = Field(default=24, ge=-16, le=64, description="bits behind the point")


class LayerSection(Section):
    """Which layers run on crossbars."""

    digital: tuple[str, ...] = Field(
        default=(), strict=False, description="names of layers to leave digital; * matches any part of a name"
    )


class PreprocessSection(Section):
    """What the network wants done to uint8 RGB images: resize, crop, reorder, then (scale x - mean) / deviation."""

    resize: int | None = Field(
        default=None, ge=1, description="length of the shorter side, in pixels; left out, the size is kept"
    )
    crop: int | None = Field(
        default=None, ge=1, description="side of the square cut from the centre, in pixels; left out, all is kept"
    )
    channel_order: Literal["RGB", "BGR"] = Field(default="RGB", description="order of the network's input channels")
    scale: float = Field(default=1 / 255, description="factor on pixel values 0..255")
    mean: tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), strict=False, description="per channel in the network's order, after scale"
    )
    deviation: tuple[float, float, float] = Field(
        default=(1.0, 1.0, 1.0), strict=False, description="per channel in the network's order, after scale"
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
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the draw")


class EvaluationConfig(Section):
    """Hardware and run of `geniex evaluate`."""

    adc: Annotated[Annotated[AdcSection, Tag(TABLE)] | NoTable, Discriminator(_branch)] = Field(
        default=AdcSection(), description='"none" rounds to one product of levels, unclipped'
    )
    accumulator: Annotated[Annotated[AccumulatorSection, Tag(TABLE)] | NoTable, Discriminator(_branch)] = Field(
        default=AccumulatorSection(), description='"none" holds every sum'
    )
    floor: Literal["paper", "dummy_column", "digital"] = Field(
        default="paper",
        description="removal of the current of digit 0: paper (ratio on the remainder), dummy_column, digital",
    )
    outside: Policy = Field(
        default="raise",
        description="a model asked for what it was not made for: raise refuses; warn says so once and computes",
    )
    batch: int = Field(default=16, ge=1, description="images per forward pass")
    crossbar: CrossbarSection = Field(default=CrossbarSection())
    cell: CellSection = Field(default=CellSection())
    weights: WeightSection = Field(default=WeightSection())
    inputs: InputSection = Field(default=InputSection())
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
            weights=FixedPoint(self.weights.bits, self.weights.fraction_bits),
            inputs=FixedPoint(self.inputs.bits, self.inputs.fraction_bits),
            slice_bits=self.weights.slice_bits,
            dac=Dac(self.inputs.stream_bits, self.inputs.v_max),
            adc=None if isinstance(self.adc, str) else Adc(**self.adc.model_dump()),
            g_on=1 / self.cell.r_on,
            g_off=1 / (self.cell.r_on * self.cell.on_off),
            floor=FLOORS[self.floor],
            mapping=MAPPINGS[self.weights.mapping],
            accumulator=None if isinstance(self.accumulator, str) else Accumulator(**self.accumulator.model_dump()),
        )

    def layer_config(self, network: nn.Module) -> LayerConfig:
        """The hardware of each layer of `network`.

        Raises:
            ValueError: if a name in `layers.digital` matches no layer.
        """
        hardware, names = self.hardware(), [name for name, _ in network.named_modules() if name]
        for pattern in self.layers.digital:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ValueError(
                    f"`layers.digital` names {pattern!r}, but no layer is called so.{nearest(pattern, names)}"
                )

        def settings(name: str, module: nn.Module) -> HardwareConfig | None:
            return None if any(fnmatchcase(name, pattern) for pattern in self.layers.digital) else hardware

        return settings


class DigitSection(Section):
    """What DACs drive and cells store."""

    v_max: float = Field(default=0.25, gt=0, description="voltage of the largest input digit, in volt")
    v_bits: int = Field(default=4, ge=1, le=8, description="bits of an input digit")
    g_bits: int = Field(default=4, ge=1, le=8, description="bits of a weight digit")
    sparsest: float = Field(default=0.95, ge=0, le=1, description="largest share of zeros that is drawn")
    network_share: float = Field(
        default=0.5, ge=0, le=1, description="share of crossbars and inputs drawn like a network's digits"
    )
    corner_share: float = Field(
        default=0.0, ge=0, le=1, description="share of extremes: all on, all off, one row, one column"
    )
    recorded: str | None = Field(
        default=None, description="file of a network's own digits, made by `geniex record`, relative to this one"
    )
    recorded_share: float = Field(default=0.5, ge=0, le=1, description="share drawn from `recorded`, where it is given")

    @model_validator(mode="after")
    def _shares(self) -> "DigitSection":
        if self.corner_share + (self.recorded_share if self.recorded else 0) > 1:
            raise ValueError(
                f"corner_share + recorded_share must be at most 1; got {self.corner_share} + {self.recorded_share}."
            )
        return self


class DatasetSection(Section):
    """How much `geniex dataset` solves, for `geniex train --data`."""

    crossbars: int = Field(default=20_000, ge=1, description="crossbars to draw and solve")
    inputs: int = Field(default=4, ge=1, description="inputs on each crossbar")
    crossbars_per_shard: int = Field(default=512, ge=1, description="crossbars in one file, made or lost as a whole")
    seed: int = Field(default=0, ge=0, lt=2**63 - 1, description="of everything random")


class TrainingSection(Section):
    """How much `geniex train` sees and how it fits."""

    steps: int = Field(default=2000, ge=1, description="steps of the optimizer")
    batch: int = Field(default=128, ge=1, description="crossbars per step")
    inputs: int = Field(default=4, ge=1, description="inputs on each crossbar, where samples are solved for the step")
    learning_rate: float = Field(default=1e-3, gt=0, description="peak of the one-cycle schedule")
    optimizer: Literal["adamw", "sgd"] = Field(default="adamw", description="adamw, or sgd with a momentum of 0.9")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of the largest product while training; bfloat16 where the processor has it"
    )
    hidden: int = Field(default=500, ge=1, description="width of the hidden layer")
    curve: int = Field(
        default=5, ge=1, description="coefficients of the reference current's curve; 1 is Ohm's law, as in the paper"
    )
    checks: int = Field(default=20, ge=1, description="how often the error on unseen crossbars is measured")
    patience: int = Field(default=10, ge=1, description="checks without a smaller error after which training ends")
    held_out_crossbars: int = Field(default=128, ge=1, description="unseen crossbars on which errors are measured")
    held_out_inputs: int = Field(default=16, ge=1, description="inputs on each of them")
    seed: int = Field(default=0, ge=0, lt=2**63 - 1, description="of everything random")


class TrainingConfig(Section):
    """Crossbar, digits and recipe of `geniex train`."""

    crossbar: CrossbarSection = Field(default=CrossbarSection())
    cell: CellSection = Field(default=CellSection())
    digits: DigitSection = Field(default=DigitSection())
    dataset: DatasetSection = Field(default=DatasetSection())
    training: TrainingSection = Field(default=TrainingSection())

    @model_validator(mode="after")
    def _builds(self) -> "TrainingConfig":
        for build in (self.window, self.recipe):
            build()
        return self

    def window(self) -> Window:
        """Voltages and conductances of the digits."""
        g_on = 1 / self.cell.r_on
        return Window(self.digits.v_max, g_on, g_on / self.cell.on_off, self.digits.v_bits, self.digits.g_bits)

    def sampling(self, folder: Path = Path()) -> DigitSampling:
        """Distribution of the digits; names of files are relative to `folder`."""
        digits = self.digits
        parts: list[DigitSampling] = [
            MixedDigits(digits.v_bits, digits.g_bits, digits.sparsest, digits.network_share),
            Corners(digits.v_bits, digits.g_bits),
        ]
        shares = [1 - digits.corner_share, digits.corner_share]
        if digits.recorded is not None:
            parts.append(load_digits(folder / digits.recorded))
            shares = [shares[0] - digits.recorded_share, shares[1], digits.recorded_share]
        used = [(part, share) for part, share in zip(parts, shares, strict=True) if share > 0]
        return used[0][0] if len(used) == 1 else Mixture(*(tuple(column) for column in zip(*used, strict=True)))

    def dataset_recipe(self) -> DatasetRecipe:
        """Amounts of a dataset."""
        return DatasetRecipe(**self.dataset.model_dump())

    def recipe(self) -> TrainingRecipe:
        """Amounts and rates."""
        return TrainingRecipe(**self.training.model_dump())
