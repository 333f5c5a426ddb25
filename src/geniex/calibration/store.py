"""Calibrations from files."""

import json
import os
from pathlib import Path
from typing import Any

from geniex.calibration.result import FORMAT, CalibratedLayer, CalibratedProduct, Calibration, Span
from geniex.conversion import LayerConfig, per_layer
from geniex.converters import ColumnScales
from geniex.digital import Scaled
from geniex.functional import HardwareConfig

__all__ = ["load_calibration"]


def load_calibration(path: str | os.PathLike[str], config: HardwareConfig | LayerConfig) -> Calibration:
    """Read what `Calibration.save` wrote.

    Args:
        path: of the file.
        config: the hardware that was calibrated, for all layers or a function (name, module) of each.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or is not a calibration.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no calibration file {path}. `geniex calibrate` writes one.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a whole JSON file: {error}. Calibrate again.") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise ValueError(f"{path} is not a calibration of this version: its format is {found}, not {FORMAT}.")
    try:
        layers = {name: _layer(layer) for name, layer in content["layers"].items()}
        return Calibration(
            layers, frozenset(content["digital"]), content["tensors"], per_layer(config), content["about"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}: {error}). Calibrate again.") from error


def _layer(content: dict[str, Any]) -> CalibratedLayer:
    products = tuple(_product(product) for product in content.pop("products"))
    inputs, weights, full_scale = (content.pop(name) for name in ("inputs", "weights", "full_scale"))
    if isinstance(full_scale, dict):
        amperes = full_scale["amperes"]
        full_scale = ColumnScales(tuple(tuple(tuple(crossbar) for crossbar in tile) for tile in amperes))
    return CalibratedLayer(
        **content, inputs=_format(inputs), weights=_format(weights), full_scale=full_scale, products=products
    )


def _product(content: dict[str, Any]) -> CalibratedProduct:
    rows, cols = content["shape"]
    spans = {name: Span(**content[name]) for name in ("inputs", "weights", "readings")}
    return CalibratedProduct((rows, cols), **spans)


def _format(content: dict[str, Any] | None) -> Scaled | None:
    if content is None:
        return None
    step = content["step"]
    return Scaled(content["bits"], tuple(step) if isinstance(step, list) else step, content["overflow"])
