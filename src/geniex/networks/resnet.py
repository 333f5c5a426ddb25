"""ResNet-20 for images of 32 x 32 pixels (He et al. 2016, section 4.2): its weights for CIFAR-100 ship with geniex.

Shortcuts are of option A: every other pixel, new channels zero. Parameter names follow
`akamaster/pytorch_resnet_cifar10`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ResNet20", "resnet20_cifar100"]


class _Block(nn.Module):
    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.stride, self.new_channels = (1 if before == channels else 2), channels - before
        self.conv1 = nn.Conv2d(before, channels, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        first = self.new_channels // 2
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, first, self.new_channels - first))
        return F.relu(y + shortcut)


class ResNet20(nn.Module):
    """Three stages of three blocks with 16, 32 and 64 channels."""

    def __init__(self, classes: int) -> None:
        """An untrained network.

        Args:
            classes: number of outputs.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(_Block(16, 16), _Block(16, 16), _Block(16, 16))
        self.layer2 = nn.Sequential(_Block(16, 32), _Block(32, 32), _Block(32, 32))
        self.layer3 = nn.Sequential(_Block(32, 64), _Block(64, 64), _Block(64, 64))
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Float[Tensor, "image 3 32 32"]) -> Float[Tensor, "image class"]:
        """Logits of normalized images."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(torch.mean(x, dim=(-2, -1)))


def resnet20_cifar100() -> ResNet20:
    """For CIFAR-100; `geniex evaluate` knows it as `geniex.networks:resnet20_cifar100`."""
    return ResNet20(classes=100)
