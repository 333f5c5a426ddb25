"""Networks whose accuracy on crossbars geniex reports: plain torch, named by Python path where a network is asked for.

Weights of `resnet20_cifar100` ship with geniex; those of the others are published elsewhere.
"""

from geniex.networks.mobilenet import MobileNetV1, mobilenet_v1_025_imagenet
from geniex.networks.resnet import ResNet20, resnet20_cifar100
from geniex.networks.squeezenet import SqueezeNet, squeezenet1_1_imagenet

__all__ = [
    "MobileNetV1",
    "ResNet20",
    "SqueezeNet",
    "mobilenet_v1_025_imagenet",
    "resnet20_cifar100",
    "squeezenet1_1_imagenet",
]
