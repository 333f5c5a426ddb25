"""A study as a file: a network, images, a base configuration, and the axes along which it is changed."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from geniex.configuration.sections import LIST, TABLE, FileSection, Section

__all__ = ["Axis", "Range", "StudyConfig"]


class Range(Section):
    """Values between two bounds, for samplings that draw."""

    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")
    scale: Literal["linear", "log"] = Field(default="linear", description="log draws as many values per factor")
    whole: bool = Field(default=False, description="round to whole numbers")

    @model_validator(mode="after")
    def _orders(self) -> "Range":
        if not self.low < self.high or (self.scale == "log" and self.low <= 0):
            raise ValueError(
                f"`low` must be below `high`, and above 0 for a log scale; got {self.low} and {self.high}."
            )
        return self

    def at(self, share: float) -> float | int:
        """The value at a share of the range, 0 to 1."""
        if self.scale == "log":
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if self.whole else value


def _branch(value: object) -> str:
    return LIST if isinstance(value, list | tuple) else TABLE


Values = Annotated[tuple[Any, ...], Field(strict=False, min_length=1), Tag(LIST)]
Axis = Annotated[Values | Annotated[Range, Tag(TABLE)], Discriminator(_branch)]
"""A list of values, or a range to draw from."""


class StudyConfig(FileSection):
    """Study of `geniex study`."""

    command = "study"

    title: str | None = Field(default=None, description="of its page; left out: network and images")
    config: str | None = Field(
        default=None,
        description="base configuration, as of `geniex evaluate`, relative to this file; left out: the demo's",
    )
    network: str | None = Field(
        default=None,
        description="torchvision:NAME, timm:NAME or the Python path package.module:name; left out: the embedded "
        "ResNet-20",
    )
    weights: str | None = Field(
        default=None,
        description="its weights, relative to this file; pretrained: torchvision or timm downloads them",
    )
    data: str | None = Field(
        default=None,
        description="npz of labelled images, or folder with one subfolder of images per class, relative to this file; "
        "left out: the embedded images",
    )
    images: int | None = Field(default=None, ge=1, description="how many images, drawn with seed; left out: all")
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the order of the images, and of samplings that draw")
    models: tuple[str, ...] = Field(
        default=("digital", "ideal", "linear", "reduced"), strict=False, description="models of the crossbar"
    )
    emulators: Literal["given", "fitting", "trained"] = Field(
        default="given",
        description="for the model geniex. given: emulator.file is of every point's crossbar; fitting: where it is "
        "not, the shipped one that is, and points that none was made for leave geniex out; trained: those train theirs",
    )
    training: str | None = Field(
        default=None,
        description="recipe of emulators that are trained, as of `geniex train`, relative to this file; its crossbar, "
        "cells, voltage and bits are those of the point; left out: the default recipe",
    )
    sampling: Literal["grid", "one_at_a_time", "random", "sobol"] = Field(
        default="grid",
        description="grid: every combination; one_at_a_time: the base configuration, and each axis by itself; random "
        "and sobol: `samples` points drawn over all axes",
    )
    samples: int = Field(default=16, ge=1, description="points of a sampling that draws")
    axes: dict[str, Axis] = Field(
        default={},
        description='by the field of the configuration that changes, as "cell.r_on" = [5e4, 1e5]; fields that change '
        'together are separated by commas, as "crossbar.rows, crossbar.cols" = [32, 64], or, each with a value of its '
        "own, [[64, 32], [32, 64]]; samplings that draw take ranges too, "
        'as { low = 0.1, high = 0.5, scale = "log" }',
    )
