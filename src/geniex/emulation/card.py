"""The card of an emulator: what it stands for, how it was made, and its errors on crossbars never seen in training."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from geniex.circuit.spec import CrossbarSpec
from geniex.nf import NfError
from geniex.window import Window

__all__ = ["EmulatorCard"]


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
