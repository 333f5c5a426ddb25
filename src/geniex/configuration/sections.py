"""Tables that configuration files share: the crossbar and its cells.

Fields have a default, bounds and a meaning; `template` prints them as a commented file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import DeviceModel, Ohmic, SeriesAccess, Sinh
from geniex.devices.description import build_device, describe_device, read_device

__all__ = [
    "ALTERNATIVES",
    "AMPERE",
    "BRANCHES",
    "FOLDER",
    "LIST",
    "SCALE_NAME",
    "TABLE",
    "WIDTH",
    "CellSection",
    "CrossbarSection",
    "FileSection",
    "Section",
    "field_names",
    "fields_of",
    "unit_of",
]

FOLDER = "folder"  # in pydantic's context, what names of files are relative to
TABLE, NAME, LIST = "<table>", "<name>", "<list>"
WIDTH, AMPERE, SCALE_NAME = "<width>", "<ampere>", "<scale>"
UNITS = {"ohm": "Ω", "volt": "V", "siemens": "S", "ampere": "A", "second": "s", "joule": "J", "kelvin": "K"}
UNITS |= {"square metre": "m²", "metre": "m"}
ALTERNATIVES = {WIDTH: " or a list of whole numbers", AMPERE: " or 'worst_case'", SCALE_NAME: " or a number"}
"""What else a value may be that is none of the branch's type."""
BRANCHES = (TABLE, NAME, LIST, *ALTERNATIVES)
"""In pydantic's errors, the branches of a choice between values of several types."""


def _device_branch(value: object) -> str:
    return TABLE if isinstance(value, dict) else NAME


def _described(device: dict[str, Any]) -> dict[str, Any]:
    """A description with every field, those left out too; ValueError if it describes no device."""
    return describe_device(build_device(device))


DeviceTable = Annotated[dict[str, Any], AfterValidator(_described), Tag(TABLE)]
DeviceName = Annotated[Literal["sinh", "ohmic"], Tag(NAME)]


class Section(BaseModel):
    """A table of a configuration file; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def field_names(section: Section) -> Iterator[str]:
    """Names of all fields, tables among them, as `cell.r_on` and `cell`."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from (f"{name}.{inner}" for inner in field_names(value))
        yield name


def fields_of(axis: str) -> list[str]:
    """The fields that an axis of a study moves together: names that are separated by commas."""
    return [name.strip() for name in axis.split(",")]


def unit_of(section: Section, field: str) -> str | None:
    """The symbol of the SI unit that a field's description names, as "in ohm"; None where it names none.

    Args:
        section: that the field is in.
        field: by table and name, as `cell.r_on`.
    """
    table, _, rest = field.partition(".")
    if rest:
        inner = getattr(section, table)
        return unit_of(inner, rest) if isinstance(inner, Section) else None
    described = type(section).model_fields[table].description or ""
    return next((symbol for word, symbol in UNITS.items() if re.search(rf"\bin {word}\b", described)), None)


class FileSection(Section):
    """The whole of a configuration file."""

    command: ClassVar[str]
    """That reads such files."""


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
