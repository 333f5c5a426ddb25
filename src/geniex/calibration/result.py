"""What a calibration found: formats and full scales of each layer, which numbers they hold, and for which network.

It is a function of layers that `convert` takes. It knows the weights of its network, and refuses others.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from geniex.conversion import LayerConfig, called
from geniex.converters import ColumnScales
from geniex.digital import Number, Scaled
from geniex.files import replacing
from geniex.functional import HardwareConfig, described
from geniex.hints import differences

__all__ = ["FORMAT", "CalibratedLayer", "CalibratedProduct", "Calibration", "Span", "digests"]

FORMAT = "geniex-calibration/1"

AT_ONCE = 2**20  # values that are converted at once for a digest
FORMATS = ("weights", "inputs", "accumulator", "adc")
"""Fields of the hardware that full scales do not depend on, or that are checked by themselves."""


@dataclass(frozen=True)
class Span:
    """Numbers of one kind.

    Attributes:
        count: how many.
        least: smallest; 0 where there are none.
        most: largest; 0 where there are none.
        clipped: how many lie beyond what their format, or the ADC, can hold.
    """

    count: int = 0
    least: float = 0.0
    most: float = 0.0
    clipped: int = 0

    @property
    def share(self) -> float:
        """Of the numbers that are clipped."""
        return self.clipped / max(1, self.count)


@dataclass(frozen=True)
class CalibratedProduct:
    """One of the matrix products of a layer.

    Attributes:
        shape: rows and columns of the matrix.
        inputs: what the matrix was multiplied by.
        weights: of the matrix.
        readings: currents before the ADC in ampere, of columns in use; none where there is no ADC.
    """

    shape: tuple[int, int]
    inputs: Span
    weights: Span
    readings: Span = Span()


@dataclass(frozen=True)
class CalibratedLayer:
    """A layer, with what replaces its configuration; None leaves that as it is.

    Attributes:
        kind: type of the digital layer.
        hardware: its configuration field by field, as Python writes it.
        inputs: format of the inputs of all its products.
        weights: format of the weights of all its matrices.
        full_scale: of the ADC, in ampere.
        products: in the order of its matrices.
    """

    kind: str
    hardware: dict[str, str]
    inputs: Scaled | None
    weights: Scaled | None
    full_scale: float | ColumnScales | None
    products: tuple[CalibratedProduct, ...]

    @property
    def is_reached(self) -> bool:
        """Whether any data came to it."""
        return any(product.inputs.count for product in self.products)


@dataclass(frozen=True)
class Calibration:
    """Configuration of the layers of one network, with formats that fit its data.

    Attributes:
        layers: that are on crossbars, by name.
        digital: names of modules that the configuration left digital.
        tensors: digests of the network's weights and buffers, by name.
        config: what is calibrated.
        about: how, as words by name.
    """

    layers: dict[str, CalibratedLayer]
    digital: frozenset[str]
    tensors: dict[str, str]
    config: LayerConfig
    about: dict[str, str]

    def __call__(self, name: str, module: nn.Module) -> HardwareConfig | None:
        """Configuration of a layer; see `convert`.

        Raises:
            ValueError: if the layer is not that of the network, or its configuration not the one, that was calibrated.
        """
        config, layer = self.config(name, module), self.layers.get(name)
        self._check_tensors(digests(module, name, recurse=layer is not None))
        if config is None or layer is None:
            if config is not None and name in self.digital:
                raise ValueError(
                    f"{called(name)} was digital when the network was calibrated, and now it has a configuration. "
                    "Calibrate again, or leave it digital."
                )
            return None
        _check_hardware(name, layer, config)
        adc = config.adc
        if adc is not None and layer.full_scale is not None:
            adc = replace(adc, full_scale=layer.full_scale)
        weights, inputs = (
            _format(found, configured)
            for found, configured in ((layer.weights, config.weights), (layer.inputs, config.inputs))
        )
        return replace(config, weights=weights, inputs=inputs, adc=adc)

    def check(self, network: nn.Module) -> None:
        """Raise ValueError, naming what differs, unless `network` is the one that was calibrated."""
        found = digests(network)
        missing = [name for name in self.tensors if name not in found]
        if missing:
            raise ValueError(
                f"The calibration is of another network: {len(missing)} of its {len(self.tensors)} weights and buffers "
                f"are not here {missing[:3]}. Calibrate this network."
            )
        self._check_tensors(found)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file of everything but `config`; an existing file is replaced in one step or left whole."""
        content = {
            "format": FORMAT,
            "about": self.about,
            "layers": {name: dataclasses.asdict(layer) for name, layer in self.layers.items()},
            "digital": sorted(self.digital),
            "tensors": self.tensors,
        }
        with replacing(Path(path)) as beside:
            beside.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")

    def _check_tensors(self, found: Mapping[str, str]) -> None:
        unknown = [name for name in found if name not in self.tensors]
        if unknown:
            raise ValueError(
                f"The calibration is of another network: it has no {unknown[0]!r}"
                f"{f' and {len(unknown) - 1} more' if len(unknown) > 1 else ''}. Calibrate this network."
            )
        shapes = {name: digest.split()[0] for name, digest in found.items()}
        reshaped = differences({name: self.tensors[name].split()[0] for name in found}, shapes)
        if reshaped:
            raise ValueError(f"The calibration is of another network: {reshaped}. Calibrate this network.")
        changed = [name for name in found if found[name] != self.tensors[name]]
        if changed:
            raise ValueError(
                f"The calibration is of a network with other values in {len(changed)} of {len(found)} weights and "
                f"buffers {changed[:3]}. Calibrate this network."
            )


def digests(module: nn.Module, name: str = "", recurse: bool = True) -> dict[str, str]:
    """Shape and digest of the values of everything floating that `module` saves, by its name in the network.

    Args:
        module: a network, or a module in it.
        name: of the module in the network.
        recurse: whether modules in it count.
    """
    prefix = f"{name}." if name else ""
    saved = module.state_dict(prefix=prefix).items()
    return {
        key: _digest(value)
        for key, value in saved
        if isinstance(value, Tensor) and value.is_floating_point() and (recurse or "." not in key.removeprefix(prefix))
    }


def _digest(x: Tensor) -> str:
    """Shape and values; those of float32 and float64 alike."""
    sha256 = hashlib.sha256()
    for part in x.detach().reshape(-1).split(AT_ONCE):
        sha256.update(part.cpu().double().numpy().tobytes())
    return f"{'x'.join(map(str, x.shape)) or 'scalar'} {sha256.hexdigest()[:32]}"


def _format(found: Scaled | None, configured: Number) -> Number:
    return configured if found is None else replace(found, overflow=configured.overflow)


def _check_hardware(name: str, layer: CalibratedLayer, config: HardwareConfig) -> None:
    for numbers in ("weights", "inputs"):
        found, bits = getattr(layer, numbers), getattr(config, numbers).bits
        if found is not None and found.bits != bits:
            raise ValueError(
                f"{called(name)} was calibrated for {numbers} of {found.bits} bits; its configuration has {bits}. "
                "Calibrate again."
            )
    if layer.full_scale is None:
        return
    before, now = (
        {key: value for key, value in hardware.items() if key not in FORMATS}
        for hardware in (layer.hardware, described(config))
    )
    different = differences(before, now)
    if different:
        raise ValueError(f"{called(name)} was calibrated with another ADC or crossbar: {different}. Calibrate again.")
