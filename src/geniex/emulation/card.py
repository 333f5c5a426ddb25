"""The card of an emulator: what it stands for, how it was made, and its errors on crossbars never seen in training."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator

from geniex.circuit.spec import CrossbarSpec
from geniex.emulation.samples import Samples
from geniex.models.base import CrossbarModel
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.nf import NfError, nf_error
from geniex.window import Window

__all__ = ["EmulatorCard", "held_out_errors"]


@dataclass(frozen=True)
class EmulatorCard:
    """Everything about an emulator except its weights.

    Attributes:
        spec: geometry and parasitics of the crossbar.
        device: description of the cells; see `geniex.devices.description`.
        window: voltages and conductances of the digits.
        sampling: parameters of the distribution of digits.
        recipe: parameters of the training, its seed among them.
        errors: held-out errors by model: `geniex`, and `linear` and `ideal` beside it.
        provenance: version of geniex and torch, date, seconds.
    """

    spec: CrossbarSpec
    device: dict[str, Any]
    window: Window
    sampling: dict[str, Any]
    recipe: dict[str, Any]
    errors: dict[str, NfError]
    provenance: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(card: dict[str, Any]) -> "EmulatorCard":
        """The card that `as_dict` wrote.

        Raises:
            ValueError, TypeError, KeyError: if something is missing, unknown, or out of range.
        """
        return EmulatorCard(
            **{
                **card,
                "spec": CrossbarSpec(**card["spec"]),
                "window": Window(**card["window"]),
                "errors": {name: NfError(**error) for name, error in card["errors"].items()},
            }
        )


@torch.no_grad()
def held_out_errors(model: CrossbarModel, spec: CrossbarSpec, samples: Samples, seed: int) -> dict[str, NfError]:
    """Errors of an emulator, of the linear circuit, and of ideal, on the same exact samples."""
    v, g = samples.inputs(torch.float64)
    i_ideal = v @ g
    i_exact = torch.where(samples.f.isnan(), 0, i_ideal / samples.f)
    dtype = next(model.parameters()).dtype
    currents = {
        "geniex": model(v.to(dtype), g.to(dtype)),
        "linear": LinearCircuit(spec)(v, g),
        "ideal": Ideal()(v, g),
    }
    return {name: nf_error(i, i_exact, i_ideal, Generator().manual_seed(seed)) for name, i in currents.items()}
