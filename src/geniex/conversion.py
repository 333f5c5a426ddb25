"""Any PyTorch network on crossbars: a copy in which layers with weights are replaced by their analog versions.

Look-ups (`nn.Embedding`), normalization and everything else without a matrix of weights stay digital.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from torch.nn.utils import parametrize

from geniex.functional import HardwareConfig
from geniex.layers import (
    AnalogConv1d,
    AnalogConv2d,
    AnalogConv3d,
    AnalogConvTranspose1d,
    AnalogConvTranspose2d,
    AnalogConvTranspose3d,
    AnalogGRU,
    AnalogGRUCell,
    AnalogLayer,
    AnalogLinear,
    AnalogLSTM,
    AnalogLSTMCell,
    AnalogMultiheadAttention,
    AnalogRNN,
    AnalogRNNCell,
    AnalogTransposedLinear,
    ForwardOnArrays,
)
from geniex.models.base import CrossbarModel

__all__ = ["LayerConfig", "called", "check_called", "convert", "per_layer", "register_layer"]

LayerConfig = Callable[[str, nn.Module], HardwareConfig | None]
"""Configuration of a layer by its name in the network; None leaves it digital."""

LayerBuilder = Callable[[Any, CrossbarModel, HardwareConfig], AnalogLayer]

Built = TypeVar("Built")

_BUILDERS: dict[type[nn.Module], LayerBuilder] = {
    nn.Linear: AnalogLinear,
    NonDynamicallyQuantizableLinear: AnalogLinear,
    nn.Conv1d: AnalogConv1d,
    nn.Conv2d: AnalogConv2d,
    nn.Conv3d: AnalogConv3d,
    nn.ConvTranspose1d: AnalogConvTranspose1d,
    nn.ConvTranspose2d: AnalogConvTranspose2d,
    nn.ConvTranspose3d: AnalogConvTranspose3d,
    nn.RNN: AnalogRNN,
    nn.LSTM: AnalogLSTM,
    nn.GRU: AnalogGRU,
    nn.RNNCell: AnalogRNNCell,
    nn.LSTMCell: AnalogLSTMCell,
    nn.GRUCell: AnalogGRUCell,
    nn.MultiheadAttention: AnalogMultiheadAttention,
}

_BUILDERS_BY_NAME: dict[str, LayerBuilder] = {
    "timm.layers.linear.Linear": AnalogLinear,
    "transformers.pytorch_utils.Conv1D": AnalogTransposedLinear,
}  # types of packages that need not be installed

_UNMAPPED = (
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
)  # bases of layers that multiply by weights, beside the types above


def per_layer(config: HardwareConfig | LayerConfig) -> LayerConfig:
    """The same hardware for all layers, as a function of each; such a function itself."""
    return (lambda name, module: config) if isinstance(config, HardwareConfig) else config


def register_layer(digital: type[nn.Module], build: LayerBuilder) -> None:
    """Teach `convert` a layer type.

    Args:
        digital: the exact type to replace; a subclass may compute something else, and is refused.
        build: makes the analog layer from (digital layer, model, config); an `AnalogLayer` subclass will do.
    """
    _BUILDERS[digital] = build


def convert(
    network: nn.Module,
    model: CrossbarModel,
    config: HardwareConfig | LayerConfig,
    *,
    attention: HardwareConfig | None = None,
) -> nn.Module:
    """A copy of `network` whose layers with weights run on crossbars; batch norm and the rest stay digital.

    Args:
        network: any module; it is not changed.
        model: computes the crossbars, shared by all layers.
        config: for all layers, or a function (name, module) of each.
        attention: of arrays that keys and values are written to for every input, whenever the network as a whole
            runs; None leaves the two products of attention digital.

    Raises:
        ValueError: if a layer that multiplies by weights cannot be mapped, if none was mapped, or if the model was
            made for other crossbars.
    """
    builds = dict(_builds(network, per_layer(config)))
    if not builds:
        known = ", ".join(kind.__name__ for kind in _BUILDERS)
        raise ValueError(
            f"No layer of {type(network).__name__} was put on crossbars. `convert` maps {known}; see `register_layer` "
            "for others."
        )
    network = copy.deepcopy(network)
    replaced = {}
    for name, (build, layer) in builds.items():
        module = network.get_submodule(name)
        replaced[module] = _named(called(name), build, module, model, layer)
    converted = _replace(network, replaced)
    if attention is not None:
        converted.forward = _named("`attention`", ForwardOnArrays, converted, model, attention)
    return converted


def check_called(network: nn.Module, config: HardwareConfig | LayerConfig, x: Tensor) -> None:
    """Raise ValueError if the network reads the weights of a layer and multiplies by them itself.

    Such a layer is replaced but never called: its product would be digital, and counted as analog.

    Args:
        network: in evaluation mode.
        config: as of `convert`.
        x: an input; the network is run on it once, and again for each layer that it does not call.
    """
    network = copy.deepcopy(network).requires_grad_(False)
    for parent in network.modules():
        _call_layers(parent)
    layers = {name: network.get_submodule(name) for name, _ in _builds(network, per_layer(config))}
    met: set[nn.Module] = set()
    for layer in layers.values():
        layer.register_forward_pre_hook(lambda layer, _: met.add(layer))
    network(x)
    silent = {name: list(layer.parameters()) for name, layer in layers.items() if layer not in met}
    read = [name for name, weights in silent.items() if _depends(network, x, weights)] if silent else []
    if read:
        raise ValueError(
            f"{called(read[0])}{f' and {len(read) - 1} more' if len(read) > 1 else ''} would stay digital unnoticed: "
            "the network does not call it, but multiplies by its weights itself. Name what is to be digital in "
            f"`layers.digital`, or have `config` return None for it: {', '.join(read)}."
        )


@torch.enable_grad()
def _depends(network: nn.Module, x: Tensor, weights: list[nn.Parameter]) -> bool:
    """Whether the output is computed from these weights, the only ones that ask for gradients."""
    for weight in weights:
        weight.requires_grad_(True)
    y = network(x)
    for weight in weights:
        weight.requires_grad_(False)
    return y.requires_grad


def _replace(network: nn.Module, replaced: dict[nn.Module, nn.Module]) -> nn.Module:
    """The network with layers replaced in place, or what replaces it as a whole."""
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


def _builds(network: nn.Module, settings: LayerConfig) -> Iterator[tuple[str, tuple[LayerBuilder, HardwareConfig]]]:
    """By name, what makes the layers that are to be analog.

    Raises:
        ValueError: if one of them cannot be mapped.
    """
    for name, module in _weighted(network):
        layer = settings(name, module)
        if layer is not None:
            _check_weights(name, module)
            yield name, (_builder(name, module), layer)


def _weighted(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers that multiply by weights, each once, by name; what lies inside one of them is its own affair."""
    inside: set[nn.Module] = set()
    for name, module in network.named_modules():
        if module not in inside and _multiplies(module):
            inside.update(module.modules())
            yield name, module


def _multiplies(module: nn.Module) -> bool:
    return isinstance(module, (*_UNMAPPED, *_BUILDERS)) or any(
        _qualified(kind) in _BUILDERS_BY_NAME for kind in type(module).__mro__
    )


def _check_weights(name: str, module: nn.Module) -> None:
    """Raise ValueError unless the weights of a layer are parameters with values."""
    layer = f"{called(name)} ({type(module).__name__})"
    if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(f"{layer} has no weights yet. Run the network once on an example, then convert it.")
    if parametrize.is_parametrized(module):
        computed = ", ".join(module.parametrizations)  # pyright: ignore[reportArgumentType, reportCallIssue]
        raise ValueError(
            f"{layer} computes its {computed} from other parameters. Fix them first with "
            "`torch.nn.utils.parametrize.remove_parametrizations`, or leave the layer digital with a `config` function "
            f"that returns None for {name!r}."
        )
    sources = {f"{key}{end}": key for key in vars(module) for end in ("_g", "_orig")}
    computed = ", ".join(key for source, key in sources.items() if source in module._parameters)
    if computed:
        raise ValueError(
            f"{layer} computes its {computed} in a hook. Fix it first with `remove_weight_norm`, "
            "`remove_spectral_norm` or `prune.remove` of `torch.nn.utils`."
        )


def _builder(name: str, module: nn.Module) -> LayerBuilder:
    build = _BUILDERS.get(type(module)) or _BUILDERS_BY_NAME.get(_qualified(type(module)))
    if build is None:
        raise ValueError(
            f"{called(name)} is a {type(module).__name__}, which has no analog version. Leave it digital with a "
            f"`config` function that returns None for {name!r}, or add a version with `register_layer`."
        )
    return build


def _named(name: str, build: Callable[..., Built], *args: Any) -> Built:
    """What `build` makes of the arguments; `name` goes before its errors."""
    try:
        return build(*args)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def called(name: str) -> str:
    """A layer at the beginning of a message."""
    return f"Layer `{name}`" if name else "The network"
