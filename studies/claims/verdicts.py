"""The headline claims of the GENIEx paper (arXiv 2003.06902) as numbers, and whether ours bear them out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from studies.accuracy.summary import difference
from studies.emulators.claim import Row

__all__ = ["Verdict", "verdicts"]

TRUTHS = {"geniex": "the emulator, as in the paper", "reduced": "the physics"}


@dataclass(frozen=True)
class Verdict:
    """A claim beside what we find.

    Attributes:
        claim: in words.
        case: crossbar, network, or what else it is looked at on.
        beside: what ours is compared with.
        claimed: the paper's number.
        found: ours.
        margin: half its 95 % interval; NaN where none is known.
        unit: of these.
    """

    claim: str
    case: str
    beside: str
    claimed: float
    found: float
    margin: float
    unit: str

    @property
    def answer(self) -> str:
        """Yes if ours surely reaches the claim, no if it surely does not, else consistent with it."""
        margin = 0.0 if math.isnan(self.margin) else self.margin
        if self.found - margin >= self.claimed:
            return "yes"
        return "consistent" if self.found + margin >= self.claimed else "no"


def verdicts(emulators: Sequence[Row], accuracies: dict[str, Any]) -> Iterator[Verdict]:
    """Every claim, on every case.

    Args:
        emulators: rows of `studies.emulators.claim`.
        accuracies: of `studies.accuracy`, by case.
    """
    words = "the emulator errs less than the linear model"
    for name, claimed in (("nominal_64x64_v250", 7.0), ("nominal_64x64_v500", 12.8)):
        for emulator, kind, errors in emulators:
            if emulator == name:
                times = errors["linear"].rmse / errors["geniex"].rmse
                yield Verdict(words, f"64x64, {_volts(name)}", kind, claimed, times, math.nan, "times")
    words = "the linear model overestimates the loss of accuracy"
    cases = {
        "nominal_v250": ("ResNet-20, CIFAR-100, 0.25 V", 10.0),
        "nominal_v500": ("ResNet-20, CIFAR-100, 0.5 V", 10.0),
        "squeezenet": ("SqueezeNet 1.1, ImageNet, 0.25 V", 3.7),
    }
    for name, (case, claimed) in cases.items():
        for truth, beside in TRUTHS.items():
            if name in accuracies:
                points, margin = (100 * x for x in difference(accuracies[name], truth, "linear"))
                yield Verdict(words, case, beside, claimed, points, margin, "points")


def _volts(name: str) -> str:
    return {"v250": "0.25 V", "v500": "0.5 V"}[name.rpartition("_")[2]]
