"""Calibration: number formats, and full scales of ADCs, that fit the data of a network."""

import copy
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

import torch
from torch import Tensor, nn

from geniex.calibration.counting import counted
from geniex.calibration.methods import Max, Method
from geniex.calibration.ranges import Ranges, input_format, products_of, weight_format
from geniex.calibration.result import CalibratedLayer, Calibration, digests
from geniex.calibration.scales import AdcScale, full_scales
from geniex.calibration.watching import check_batches, first_entry, show, watched
from geniex.conversion import LayerConfig, check_called, convert, per_layer
from geniex.functional import HardwareConfig, described
from geniex.layers import analog_layers
from geniex.models.ideal import Ideal

__all__ = ["calibrate"]

HOLD_ALL = Max()


def calibrate(
    network: nn.Module,
    batches: Iterable[object],
    config: HardwareConfig | LayerConfig,
    method: Method = HOLD_ALL,
    per_channel: bool = False,
    adc: AdcScale | None = None,
) -> Calibration:
    """Find steps of inputs and weights, and full scales of ADCs, on data; the network computes in floating point.

    Data are gone through two times, three with `adc`. Layers that no data reach, and numbers that are all 0, keep the
    configured format.

    Args:
        network: the digital network; it is not changed, and is in evaluation mode meanwhile.
        batches: its inputs: tensors, or tuples that begin with one, such as a DataLoader gives.
        config: hardware, for all layers or a function (name, module) of each; says how many bits there are.
        method: chooses steps.
        per_channel: whether each output channel has its own step of the weights; the matrices of one layer share them,
            and have a single step where they are not equally wide.
        adc: how full scales are found; None leaves them as configured.

    Raises:
        ValueError: if a layer cannot be mapped, the network multiplies by the weights of one itself, does not take the
            data, or these are none, not finite, or can be gone through only once.
    """
    check_batches(batches)
    settings = per_layer(config)
    model, digital = Ideal() if adc is None else adc.model, set()
    converted = convert(network, model, _noting(settings, digital))
    if adc is not None and all(layer.matmul.config.adc is None for _, layer in analog_layers(converted)):
        raise ValueError("`adc` asks for full scales, but no layer has an ADC. Configure one, or leave `adc` out.")
    layers = _with_formats(network, converted, batches, method, per_channel)
    if not all(layer.is_reached for layer in layers.values()):
        check_called(copy.deepcopy(network).eval(), settings, first_entry(network, batches))
    about = _about(method, per_channel, adc)
    calibration = Calibration(layers, frozenset(digital), digests(network), settings, about)
    if adc is not None:
        scales = full_scales(network, batches, _saturating(calibration), adc)
        scaled = {name: replace(layer, full_scale=scales.get(name)) for name, layer in layers.items()}
        calibration = replace(calibration, layers=scaled)
    counts = counted(calibration.layers, network, batches, _saturating(calibration), model)
    return replace(calibration, layers=counts)


def _noting(settings: LayerConfig, digital: set[str]) -> LayerConfig:
    """The same; names of layers that stay digital are noted."""

    def noting(name: str, module: nn.Module) -> HardwareConfig | None:
        config = settings(name, module)
        if config is None:
            digital.add(name)
        return config

    return noting


def _with_formats(
    network: nn.Module, converted: nn.Module, batches: Iterable[object], method: Method, per_channel: bool
) -> dict[str, CalibratedLayer]:
    """Layers with the formats of what they are shown, and nothing counted."""
    layers = dict(analog_layers(converted))
    matrices = {name: _matrices(name, layer.matrices()) for name, layer in layers.items()}
    hardware = {name: layer.matmul.config for name, layer in layers.items()}
    ranges = Ranges.of(layers, method)
    show(watched(converted, ranges), batches)
    return {
        name: CalibratedLayer(
            kind=type(network.get_submodule(name)).__name__,
            hardware=described(hardware[name]),
            inputs=input_format(ranges.layers[name], method, hardware[name].inputs),
            weights=weight_format(matrices[name], method, per_channel, hardware[name].weights),
            full_scale=None,
            products=products_of(ranges.products[name], matrices[name]),
        )
        for name in layers
    }


def _matrices(name: str, matrices: Iterable[Tensor]) -> list[Tensor]:
    """The weights of a layer; ValueError if they are not finite."""
    found = [w.detach() for w in matrices]
    wrong, count = sum(int((~torch.isfinite(w)).sum()) for w in found), sum(w.numel() for w in found)
    if wrong:
        raise ValueError(f"{wrong} of {count} weights of layer `{name}` are not finite.")
    return found


def _about(method: Method, per_channel: bool, adc: AdcScale | None) -> dict[str, str]:
    """How it was made."""
    return {
        "method": repr(method),
        "weights": "a step per output channel" if per_channel else "a step per layer",
        "adc": "as configured" if adc is None else f"per {'column' if adc.per_column else 'layer'}, {adc.method!r}",
        "model": " ".join(repr(Ideal() if adc is None else adc.model).split()),
        "geniex": version("geniex"),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _saturating(config: LayerConfig) -> LayerConfig:
    """The same, but that overflowing numbers are counted, and not refused."""

    def saturating(name: str, module: nn.Module) -> HardwareConfig | None:
        layer = config(name, module)
        if layer is None:
            return None
        weights, inputs = (replace(number, overflow="saturate") for number in (layer.weights, layer.inputs))
        return replace(layer, weights=weights, inputs=inputs)

    return saturating
