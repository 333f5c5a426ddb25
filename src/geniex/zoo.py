"""Networks of torchvision and timm by name, and what their authors do to images before the networks see them.

The names are the libraries' own: of torchvision its classification networks, of timm all. Both libraries are optional.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from geniex.evaluation.images import Preprocess
from geniex.hints import nearest

__all__ = ["is_of_zoo", "library", "zoo_network", "zoo_preprocess"]

LIBRARIES = ("torchvision", "timm")

_OPERATORS = {
    f"torchvision::{name}": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms")
}


def is_of_zoo(path: str) -> bool:
    """Whether `path` names a network as `torchvision:NAME` or `timm:NAME`."""
    return path.partition(":")[0] in LIBRARIES


def zoo_network(path: str, pretrained: bool) -> nn.Module:
    """Make a network.

    Args:
        path: `torchvision:NAME` or `timm:NAME`; after a point the name can have the tag of some of its weights.
        pretrained: whether the library downloads its weights, or takes them from its cache.

    Raises:
        ValueError: if the library is not installed, or has no such network or weights.
        OSError: if the weights cannot be downloaded.
    """
    source, name = _split(path)
    if source == "torchvision":
        models, base, weights = _of_torchvision(name)
        found_at, make = weights.url, lambda: models.get_model(base, weights=weights if pretrained else None)
    else:
        timm, settings = _of_timm(name)
        found_at, make = _source(settings), lambda: timm.create_model(name, pretrained=pretrained)
    return _downloaded(path, make, found_at) if pretrained else make()


def zoo_preprocess(path: str) -> Preprocess:
    """What the library does to images when it measures the accuracy of a network.

    Args:
        path: as of `zoo_network`; without a tag, that of the library's default weights.

    Raises:
        ValueError: if there is no such network, or `Preprocess` cannot do the same.
    """
    source, name = _split(path)
    if source == "torchvision":
        transform = _of_torchvision(name)[2].transforms()
        size, crop, mode = transform.resize_size, transform.crop_size, transform.interpolation.value
        mean, deviation = transform.mean, transform.std
    else:
        timm, settings = _of_timm(name)
        found = timm.data.resolve_data_config(pretrained_cfg=settings)
        crop, mode, mean, deviation = found["input_size"][1:], found["interpolation"], found["mean"], found["std"]
        size = [int(side / found["crop_pct"]) for side in crop]
        _check_centred(path, found)
    if len(set(size)) > 1 or len(set(crop)) > 1 or mode not in ("bilinear", "bicubic"):
        _refuse(path, f"resized to {size} by {mode}, then cropped to {crop}")
    return Preprocess(size[0], crop[0], mean=_three(mean), deviation=_three(deviation), interpolation=mode)


def library(name: str) -> ModuleType:
    """Torchvision or timm, imported.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        _import_torchvision()  # timm needs it too
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"Networks named as `{name}:NAME` need {name}, which cannot be imported: {error}. Install it with "
            "`pip install 'geniex[zoo]'`."
        ) from error


def _split(path: str) -> tuple[str, str]:
    source, _, name = path.partition(":")
    return source, name


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _check_centred(path: str, found: dict[str, Any]) -> None:
    if found["crop_mode"] != "center":
        _refuse(path, f"brought to size by {found['crop_mode']!r}")
    if found["input_size"][0] != 3:
        _refuse(path, f"of {found['input_size'][0]} channels")


def _refuse(path: str, what: str) -> None:
    raise ValueError(
        f"The images of {path!r} are {what}, which is not a resize and a square crop of RGB. Say in `preprocess` of "
        "the configuration what is to be done instead."
    )


def _of_torchvision(name: str) -> tuple[Any, str, Any]:
    """Torchvision's networks, the name among them, and its weights."""
    models, (base, _, tag) = library("torchvision").models, name.partition(".")
    known = models.list_models(module=models)
    if base not in known:
        raise ValueError(f"torchvision has no network {base!r} that classifies.{nearest(base, known)}")
    weights = models.get_model_weights(base)
    if tag and tag not in weights.__members__:
        raise ValueError(f"torchvision has no weights {tag!r} of {base}.{nearest(tag, list(weights.__members__))}")
    return models, base, weights[tag or "DEFAULT"]


def _of_timm(name: str) -> tuple[Any, dict[str, Any]]:
    """The library, and what it knows of the weights."""
    timm, (base, _, tag) = library("timm"), name.partition(".")
    if not timm.is_model(base):
        raise ValueError(f"timm has no network {base!r}.{nearest(base, timm.list_models())}")
    tagged = timm.list_pretrained(f"{base}.*")
    if tag and name not in tagged:
        raise ValueError(f"timm has no weights {tag!r} of {base}.{nearest(name, tagged)}")
    settings = timm.get_pretrained_cfg(name)
    return timm, {"input_size": (3, 224, 224)} if settings is None else settings.to_dict()


def _source(settings: dict[str, Any]) -> str:
    hub = settings.get("hf_hub_id")
    return f"https://huggingface.co/{hub}" if hub else settings.get("url") or "where its authors put them"


def _downloaded(path: str, make: Callable[[], nn.Module], source: str) -> nn.Module:
    try:
        return make()
    except Exception as error:  # what a download raises is its library's affair
        reason = (str(error).splitlines() or [""])[0]
        raise OSError(
            f"The weights of {path!r} cannot be downloaded: {type(error).__name__}: {reason} Get them from {source} on "
            "a machine that can, and name the file as the weights (`--weights FILE`)."
        ) from error


def _import_torchvision() -> None:
    """Import torchvision, also where it was built for another build of torch, as one for GPUs beside a torch for CPUs.

    Its compiled operators do not load then, and it describes two of them that torch does not know. They are of
    detection; no network that classifies calls them, so that their names are enough.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if not any(operator in str(error) for operator in _OPERATORS):
            raise
        for operator, signature in _OPERATORS.items():
            torch.library.define(operator, signature)
        importlib.import_module("torchvision")
