"""Any PyTorch network on crossbars: a copy in which layers with weights are replaced by their analog versions."""

import copy
from collections.abc import Callable, Iterator

from torch import nn

from geniex.functional import HardwareConfig
from geniex.layers import AnalogConv2d, AnalogLayer, AnalogLinear
from geniex.models.base import CrossbarModel

__all__ = ["LayerConfig", "convert", "register_layer"]

LayerConfig = Callable[[str, nn.Module], HardwareConfig | None]
"""Configuration of a layer by its name in the network; None leaves it digital."""

LayerBuilder = Callable[[nn.Module, CrossbarModel, HardwareConfig], AnalogLayer]

_BUILDERS: dict[type[nn.Module], LayerBuilder] = {
    nn.Linear: AnalogLinear,  # pyright: ignore[reportAssignmentType]
    nn.Conv2d: AnalogConv2d,  # pyright: ignore[reportAssignmentType]
}

_UNMAPPED = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)  # layers that multiply by weights; a subclass may compute something else, so only exact types are replaced


def register_layer(digital: type[nn.Module], build: LayerBuilder) -> None:
    """Teach `convert` a layer type.

    Args:
        digital: the exact type to replace.
        build: makes the analog layer from (digital layer, model, config); an `AnalogLayer` subclass will do.
    """
    _BUILDERS[digital] = build


def convert(network: nn.Module, model: CrossbarModel, config: HardwareConfig | LayerConfig) -> nn.Module:
    """A copy of `network` whose linear and convolutional layers run on crossbars; batch norm and the rest stay digital.

    Args:
        network: any module; it is not changed.
        model: computes the crossbars, shared by all layers.
        config: for all layers, or a function (name, module) of each.

    Raises:
        ValueError: if a layer that multiplies by weights cannot be mapped, if none was mapped, or if the model was
            made for other crossbars.
    """
    settings: LayerConfig = (lambda name, module: config) if isinstance(config, HardwareConfig) else config
    network = copy.deepcopy(network)
    replaced: dict[nn.Module, nn.Module] = {}
    for name, module in list(_weighted(network)):
        layer = settings(name, module)
        if layer is not None:
            replaced[module] = _analog(name, module, model, layer)
    if not replaced:
        raise ValueError(
            f"No layer of {type(network).__name__} was put on crossbars. `convert` maps "
            f"{', '.join(kind.__name__ for kind in _BUILDERS)}; see `register_layer` for others."
        )
    if network in replaced:
        return replaced[network]
    for parent in list(network.modules()):
        for name, child in parent._modules.items():  # `named_children` names a shared layer once
            if child in replaced:
                setattr(parent, name, replaced[child])
        _call_layers(parent)
    return network


def _call_layers(parent: nn.Module) -> None:
    """Turn off fused inference, which reads the weights of layers without calling them."""
    if isinstance(parent, nn.TransformerEncoderLayer):
        parent.activation_relu_or_gelu = 0
    if isinstance(parent, nn.TransformerEncoder):
        parent.use_nested_tensor = False


def _weighted(network: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Layers that multiply by weights, by name; what lies inside one of them is its own affair."""
    if type(network) in _BUILDERS or isinstance(network, _UNMAPPED):
        yield name, network
        return
    for child_name, child in network.named_children():
        yield from _weighted(child, f"{name}.{child_name}" if name else child_name)


def _analog(name: str, module: nn.Module, model: CrossbarModel, config: HardwareConfig) -> AnalogLayer:
    build = _BUILDERS.get(type(module))
    if build is None:
        raise ValueError(
            f"{_called(name)} is a {type(module).__name__}, which has no analog version. Leave it digital with a "
            f"`config` function that returns None for {name!r}, or add a version with `register_layer`."
        )
    try:
        return build(module, model, config)
    except ValueError as error:
        raise ValueError(f"{_called(name)}: {error}") from error


def _called(name: str) -> str:
    return f"Layer `{name}`" if name else "The network"
