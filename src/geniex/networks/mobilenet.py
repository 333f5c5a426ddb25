"""MobileNetV1 (Howard et al. 2017, arXiv 1704.04861): 13 pairs of a depthwise and a pointwise convolution.

As TensorFlow computes it: convolutions of stride 2 pad right and bottom alone, batch norm adds 1e-3 to variances, and
activations end at 6.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MobileNetV1", "mobilenet_v1_025_imagenet"]

CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
"""Of the first convolution and of the pairs, at width 1."""

HALVING = (1, 3, 5, 11)
"""Pairs, counted from 0, that halve the image."""


def _convolution(before: int, channels: int, stride: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, channels, 3, stride, padding=1 if stride == 1 else 0, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _pad_right_and_bottom(x: Tensor) -> Tensor:
    """For a convolution of stride 2 on an even number of pixels."""
    return F.pad(x, (0, 1, 0, 1))


class _Pair(nn.Module):
    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise, self.bn1 = _convolution(before, before, stride, groups=before), _norm(before)
        self.pointwise, self.bn2 = nn.Conv2d(before, channels, 1, bias=False), _norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = _pad_right_and_bottom(x) if self.stride == 2 else x
        x = F.relu6(self.bn1(self.depthwise(x)))
        return F.relu6(self.bn2(self.pointwise(x)))


class MobileNetV1(nn.Module):
    """One convolution, the pairs, a mean over the image, and one linear layer."""

    def __init__(self, width: float, classes: int) -> None:
        """An untrained network.

        Args:
            width: factor on the number of channels, such as 0.25.
            classes: number of outputs.
        """
        super().__init__()
        first, *channels = (round(width * count) for count in CHANNELS)
        self.conv1, self.bn1 = _convolution(3, first, stride=2), _norm(first)
        pairs = zip([first, *channels], channels, strict=False)
        self.blocks = nn.Sequential(
            *(_Pair(before, after, 2 if place in HALVING else 1) for place, (before, after) in enumerate(pairs))
        )
        self.classifier = nn.Linear(channels[-1], classes)

    def forward(self, x: Float[Tensor, "image 3 height width"]) -> Float[Tensor, "image class"]:
        """Logits of prepared images with sides of a multiple of 32 pixels."""
        x = F.relu6(self.bn1(self.conv1(_pad_right_and_bottom(x))))
        return self.classifier(self.blocks(x).mean(dim=(-2, -1)))


def mobilenet_v1_025_imagenet() -> MobileNetV1:
    """Width 0.25 for ImageNet; `geniex evaluate` knows it as `geniex.networks:mobilenet_v1_025_imagenet`."""
    return MobileNetV1(width=0.25, classes=1000)
