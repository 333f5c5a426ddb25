"""Batch norms folded into the layers before them, so that crossbars hold their scale and nothing is left to do after.

In evaluation mode a batch norm is y = scale x + shift per channel, with scale = weight / sqrt(variance + eps) and
shift = bias - mean scale; after a layer whose outputs go nowhere else, both can be part of its weights and bias.
"""

import copy
from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn

__all__ = ["FoldedBatchNorm1d", "fold_batch_norm"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BEFORE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose batch norms are part of the layers before them, where these go nowhere else.

    Args:
        network: any module that `torch.fx` can trace; it is not changed. Names stay as they are; a folded batch norm
            becomes an `nn.Identity`, or a `FoldedBatchNorm1d`, which looks after the shape of its inputs.

    Raises:
        ValueError: if the network cannot be traced, or nothing can be folded.
    """
    network = copy.deepcopy(network).eval()
    pairs = list(_pairs(network))
    if not pairs:
        raise ValueError(
            f"{type(network).__name__} has no batch norm with running statistics right after a linear or convolutional "
            "layer that is used once. Convert it as it is."
        )
    for layer, name in pairs:
        norm = network.get_submodule(name)
        assert isinstance(layer, _BEFORE)
        assert isinstance(norm, _NORMS)
        _fold(layer, norm)
        parent, _, child = name.rpartition(".")
        instead = FoldedBatchNorm1d(layer) if isinstance(norm, nn.BatchNorm1d) else nn.Identity()
        setattr(network.get_submodule(parent), child, instead.eval())
    return network


class FoldedBatchNorm1d(nn.Module):
    """Stands where a `BatchNorm1d` was; its channel was dimension 1 of inputs of 2 or 3 dimensions alike.

    After a linear layer that is the layer's output only with 2 dimensions, after a convolution only with 3.
    """

    def __init__(self, layer: nn.Module) -> None:
        """Stand behind `layer`, which the batch norm is part of."""
        super().__init__()
        self.dimensions = 2 if isinstance(layer, nn.Linear) else 3

    def forward(self, x: Tensor) -> Tensor:
        """The input.

        Raises:
            ValueError: if the batch norm would not have normalized what the layer makes.
        """
        if x.dim() != self.dimensions:
            raise ValueError(
                f"This batch norm was folded into the layer before it, for inputs of {self.dimensions} dimensions; got "
                f"shape {tuple(x.shape)}. Convert the network without `fold_batch_norm`."
            )
        return x


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, FoldedBatchNorm1d) or super().is_leaf_module(m, module_qualified_name)


def _pairs(network: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Layers, and the names of the batch norms that follow them and nothing else."""
    try:
        graph = _Tracer().trace(network)
    except Exception as error:  # the network is the user's: tracing runs it
        raise ValueError(
            f"{type(network).__name__} cannot be traced by torch.fx ({type(error).__name__}: {error}). Fold the parts "
            "that can be, such as its backbone, one by one."
        ) from error
    modules = dict(network.named_modules())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMS) or len(node.all_input_nodes) != 1:
            continue
        (before,) = node.all_input_nodes
        alone = (
            before.op == "call_module" and len(before.users) == 1 and calls[before.target] == calls[node.target] == 1
        )
        if alone and _fits(modules[before.target], modules[node.target]):
            yield modules[before.target], str(node.target)


def _fits(layer: nn.Module, norm: nn.Module) -> bool:
    """Whether the batch norm has statistics, over the outputs of a layer that can take them up."""
    if type(layer) not in _BEFORE or not isinstance(norm, _NORMS) or norm.running_var is None:
        return False
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels  # pyright: ignore[reportAttributeAccessIssue]
    return bool(outputs == norm.num_features)


@torch.no_grad()
def _fold(layer: Layer, norm: Norm) -> None:
    """Make `layer` compute what both compute; its parameters are replaced, since others may share them."""
    assert isinstance(norm.running_mean, Tensor)
    assert isinstance(norm.running_var, Tensor)
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    gain = torch.ones_like(mean) if norm.weight is None else norm.weight.double()
    shift = torch.zeros_like(mean) if norm.bias is None else norm.bias.double()
    scale = gain / (variance + norm.eps).sqrt()
    before = torch.zeros_like(mean) if layer.bias is None else layer.bias.double()
    weight = layer.weight
    layer.weight = nn.Parameter((weight.double() * _by_output(scale, layer)).to(weight.dtype))
    layer.bias = nn.Parameter(((before - mean) * scale + shift).to(weight.dtype))


def _by_output(scale: Tensor, layer: Layer) -> Tensor:
    """The scale of each output, to multiply the weight by."""
    if not isinstance(layer, _TRANSPOSED):
        return scale.view(-1, *[1] * (layer.weight.dim() - 1))
    per_group = scale.view(layer.groups, -1).repeat_interleave(layer.in_channels // layer.groups, dim=0)
    return per_group.view(*per_group.shape, *[1] * (layer.weight.dim() - 2))
