"""The paper's claim: how far below the linear model's the errors of the shipped emulators are. Prints a table.

    python -m studies.emulators.claim

Root mean squares of the error of NF on three kinds of crossbars that no emulator was trained on: references, solved by
another program, at uniform mixed sparsity (tests/references/emulator); reads of the embedded ResNet-20, its slices and
streams on 16 of the embedded images; and the project's mixed digits. Of smaller crossbars, the last alone.
"""

from collections.abc import Iterator
from functools import cache

import torch
from tests.emulation.references import reference
from torch import Generator, Tensor

from geniex import Circuit, CrossbarModel, Ideal, LinearCircuit, ReducedOrder, Sinh, presets
from geniex.cli.subjects import chosen_config, chosen_images, chosen_network
from geniex.emulation import MixedDigits
from geniex.emulation.samples import draw_levels
from geniex.evaluation.fidelity import sample_reads
from geniex.models.base import in_own_precision
from geniex.nf import NfError, nf_error

__all__ = ["Row", "main", "rows"]

READS, IMAGES, CROSSBARS, INPUTS = 4096, 16, 256, 16
Reads = tuple[Tensor, Tensor, Tensor]
"""v (crossbar, input, row) in volt, g (crossbar, row, col) in siemens, exact currents in ampere."""


Row = tuple[str, str, dict[str, NfError]]
"""Emulator, kind of crossbar, errors by model."""


@torch.no_grad()
def rows() -> Iterator[Row]:
    """A row per emulator and kind of crossbar."""
    for name in presets.emulators():
        for kind, reads in _cases(name):
            yield name, kind, {key: _error(model, reads) for key, model in _models(name).items()}


def main() -> None:
    """Print a row per emulator and kind of crossbar."""
    print("| emulator | on | geniex, % | largest, % | linear, % | ideal, % | reduced, % | geniex below linear |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kind, errors in rows():
        learned, linear = errors["geniex"], errors["linear"]
        cells = [f"{e:.3g}" for e in (learned.rmse, learned.worst, linear.rmse)]
        cells += [f"{errors[key].rmse:.2g}" for key in ("ideal", "reduced")]
        print(f"| {name} | {kind} | {' | '.join(cells)} | {linear.rmse / learned.rmse:.3g} times |", flush=True)


def _cases(name: str) -> Iterator[tuple[str, Reads]]:
    card = presets.emulator_card(name)
    window, circuit = card.window, Circuit(card.spec, Sinh(0.25))
    if card.spec == presets.nominal_crossbar():
        yield "references", reference(window.v_max)[1:4]
        v, g = (x.double() for x in _network_reads())
        v = v * (window.v_max / chosen_config(None)[0].inputs.v_max)
        yield "ResNet-20's reads", (v, g, circuit(v, g))
    levels = draw_levels(MixedDigits(), card.spec, (CROSSBARS, INPUTS), Generator().manual_seed(12345))
    v, g = window.voltages(levels[0], torch.float64), window.conductances(levels[1], torch.float64)
    yield "mixed digits", (v, g, circuit(v, g))


@cache
def _network_reads() -> tuple[Tensor, Tensor]:
    """The same levels at both voltages."""
    config, network = chosen_config(None)[0], chosen_network(None, None)
    x = config.preprocess.build()(chosen_images(None).first(IMAGES).images)
    return sample_reads(network, config.hardware(), x, READS, Generator().manual_seed(0))


def _models(name: str) -> dict[str, CrossbarModel]:
    card = presets.emulator_card(name)
    levels = card.window.every_voltage().tolist()
    return {
        "geniex": presets.emulator(name),
        "linear": LinearCircuit(card.spec),
        "ideal": Ideal(),
        "reduced": ReducedOrder(card.spec, Sinh(0.25), levels),
    }


def _error(model: CrossbarModel, reads: Reads) -> NfError:
    v, g, exact = reads
    parts = zip(v.split(64), g.split(64), strict=True)
    i = torch.cat([in_own_precision(model, *part).double() for part in parts])
    return nf_error(i, exact, v @ g, Generator().manual_seed(0))


if __name__ == "__main__":
    main()
