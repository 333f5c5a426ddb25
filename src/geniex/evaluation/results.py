"""What an evaluation found: plain values that tables, plots and JSON files are made from."""

from dataclasses import asdict, dataclass, field
from statistics import stdev
from typing import Any

from geniex.energy import EnergyReport
from geniex.nf import NfError

__all__ = ["Evaluation", "Margin", "ModelResult", "NfError", "NfSample"]


@dataclass(frozen=True)
class Margin:
    """How far the accuracy of one model is above that of another, on the same images.

    Attributes:
        points: the difference, as a share.
        low: lower end of its 95 % confidence interval, for matched pairs (Agresti and Min 2005).
        high: upper end of it.
    """

    points: float
    low: float
    high: float


@dataclass(frozen=True)
class ModelResult:
    """Accuracy of the network under one model of the crossbar.

    Attributes:
        name: as the user wrote it: `digital`, `ideal`, `linear`, `geniex`, `circuit`.
        images: number of images.
        top1: share of images classified correctly.
        low: lower end of the 95 % confidence interval of `top1` (Wilson).
        high: upper end of it.
        difference: `top1` minus that of the digital network on the same images; None without a digital run.
        agreement: share of images with the digital network's class; None without a digital run.
        seconds_per_image: wall time.
        nf: error against the exact circuit on tiles and inputs of this run, tiles as they were written; None for
            `digital`.
        outside: of the same tiles and inputs, the share that lies outside of what the model was made for, by quantity
            (`v`, `g`, `density of v`, `density of g`); only shares above 0.
        chips: `top1` of each chip, where several were written; `top1` is their mean.
        against: how far its accuracy is above that of every other model of the run, by name.
    """

    name: str
    images: int
    top1: float
    low: float
    high: float
    difference: float | None
    agreement: float | None
    seconds_per_image: float
    nf: NfError | None = None
    outside: dict[str, float] = field(default_factory=dict)
    chips: list[float] = field(default_factory=list)
    against: dict[str, Margin] = field(default_factory=dict)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the accuracy over chips; None of a single one."""
        return stdev(self.chips) if len(self.chips) > 1 else None


@dataclass(frozen=True)
class NfSample:
    """Columns drawn from the sampled reads, for plots.

    Attributes:
        i_ideal: ideal column currents in ampere.
        i_exact: exact column currents in ampere.
        i_model: currents under each model, by name, in ampere; the same columns in the same order.
    """

    i_ideal: list[float] = field(default_factory=list)
    i_exact: list[float] = field(default_factory=list)
    i_model: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """One run of `geniex evaluate`.

    Attributes:
        title: what was evaluated, for people.
        version: of geniex.
        started: ISO 8601 time at which the run began.
        provenance: network, weights, images, emulators: where from, with digests.
        config: the full configuration, defaults included, as in a configuration file.
        models: a result per model, in the order asked for.
        sample: columns for plots; None where no analog model ran.
        energy: with latency and area; None where no analog model ran, or it was not asked for.
    """

    title: str
    version: str
    started: str
    provenance: dict[str, Any]
    config: dict[str, Any]
    models: list[ModelResult]
    sample: NfSample | None
    energy: EnergyReport | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        models = [{**asdict(result), "spread": result.spread} for result in self.models]
        energy = None if self.energy is None else self.energy.as_dict()
        return {**asdict(self), "models": models, "energy": energy}
