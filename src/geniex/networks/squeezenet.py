"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360, and its authors' release 1.1): 26 convolutions, no batch norm.

Parameter names follow torchvision.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SqueezeNet", "squeezenet1_1_imagenet"]


class _Fire(nn.Module):
    """1x1 convolutions to few channels, then 1x1 and 3x3 ones side by side to many."""

    def __init__(self, before: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


def _shrink() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class SqueezeNet(nn.Module):
    """A convolution and eight fire modules, the image shrunk before the first, third and fifth of them."""

    def __init__(self, classes: int) -> None:
        """An untrained network.

        Args:
            classes: number of outputs.
        """
        super().__init__()
        stem = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU()]
        first = [_Fire(64, 16, 64), _Fire(128, 16, 64)]
        second = [_Fire(128, 32, 128), _Fire(256, 32, 128)]
        third = [_Fire(256, 48, 192), _Fire(384, 48, 192), _Fire(384, 64, 256), _Fire(512, 64, 256)]
        self.features = nn.Sequential(*stem, _shrink(), *first, _shrink(), *second, _shrink(), *third)
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x: Float[Tensor, "image 3 height width"]) -> Float[Tensor, "image class"]:
        """Logits, at least 0, of prepared images of 17 x 17 pixels or more."""
        return self.classifier(self.features(x)).flatten(1)


def squeezenet1_1_imagenet() -> SqueezeNet:
    """For ImageNet; `geniex evaluate` knows it as `geniex.networks:squeezenet1_1_imagenet`."""
    return SqueezeNet(classes=1000)
