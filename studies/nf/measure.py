"""NF and f_R of the exact circuit, and how far the models are from it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from studies.nf.levels import Levels
from studies.nf.setups import Setup
from torch import Generator, Tensor

from geniex import Circuit, CrossbarModel, CrossbarSpec, Ideal, LinearCircuit, ReducedOrder
from geniex.nf import NfError, carries_current, nf_error

__all__ = ["Distribution", "Measurement", "distribution", "exact_ratios", "measure"]

CROSSBARS_AT_ONCE = 32


@dataclass(frozen=True)
class Distribution:
    """Of a quantity over `count` columns; `p1` to `p99` are percentiles."""

    count: int
    mean: float
    deviation: float
    low: float
    p1: float
    p25: float
    median: float
    p75: float
    p99: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """What one crossbar does to its columns, of those with an ideal current above 1 nA.

    Attributes:
        nf: distribution of NF in percent.
        f: distribution of f_R.
        nf_wires: mean NF of the linear circuit in percent: wires and drivers, ohmic cells.
        nf_cells: mean NF in percent of the same cells without any resistance around them.
        errors: of NF by model, in percent of the ideal current.
    """

    nf: Distribution
    f: Distribution
    nf_wires: float
    nf_cells: float
    errors: dict[str, NfError]


@torch.no_grad()
def measure(setup: Setup, levels: Levels, seed: int) -> Measurement:
    """Solve exactly in float64, and compare the models.

    Args:
        setup: the crossbar.
        levels: its digits.
        seed: of the bootstrap behind the intervals of the errors.
    """
    spec, window = setup.spec, setup.window
    v_levels = window.every_voltage()
    models: dict[str, CrossbarModel] = {
        "circuit": Circuit(spec, setup.device),
        "cells": Circuit(CrossbarSpec(spec.rows, spec.cols, 0.0, 0.0, 0.0, 0.0), setup.device),
        "ideal": Ideal(),
        "linear": LinearCircuit(spec),
        "reduced": ReducedOrder(spec, setup.device, v_levels),
    }
    i = {name: _currents(model, setup, levels) for name, model in models.items()}
    counts = carries_current(i["ideal"])
    ideal, exact, wires, cells = (i[name][counts] for name in ("ideal", "circuit", "linear", "cells"))
    return Measurement(
        nf=distribution(100 * (ideal - exact) / ideal),
        f=distribution(ideal / exact),
        nf_wires=(100 * (1 - wires / ideal)).mean().item(),
        nf_cells=(100 * (1 - cells / ideal)).mean().item(),
        errors={
            name: nf_error(i[name].flatten(1), i["circuit"].flatten(1), i["ideal"].flatten(1), _generator(seed))
            for name in ("ideal", "linear", "reduced")
        },
    )


@torch.no_grad()
def exact_ratios(setup: Setup, levels: Levels) -> Float[Tensor, " column"]:
    """f_R of the exact circuit, of all columns whose ideal current exceeds 1 nA."""
    ideal = _currents(Ideal(), setup, levels)
    exact = _currents(Circuit(setup.spec, setup.device), setup, levels)
    return (ideal / exact)[carries_current(ideal)]


def distribution(x: Float[Tensor, " column"]) -> Distribution:
    """Summary of at least two values."""
    x = x.sort().values
    share = torch.tensor([0.01, 0.25, 0.5, 0.75, 0.99], dtype=x.dtype)
    p1, p25, median, p75, p99 = x[(share * (len(x) - 1)).round().long()].tolist()
    return Distribution(len(x), x.mean().item(), x.std().item(), x[0].item(), p1, p25, median, p75, p99, x[-1].item())


def _currents(model: CrossbarModel, setup: Setup, levels: Levels) -> Float[Tensor, "crossbar input col"]:
    """Currents in ampere, some crossbars at a time."""
    parts = zip(levels.v.split(CROSSBARS_AT_ONCE), levels.g.split(CROSSBARS_AT_ONCE), strict=True)
    window = setup.window
    return torch.cat(
        [model(window.voltages(v, torch.float64), window.conductances(g, torch.float64)) for v, g in parts]
    )


def _generator(seed: int) -> Generator:
    return Generator().manual_seed(seed)
