"""Devices fitted to measured I-V curves, and the choice between them.

Errors are relative ones: a reading's deviation in current, over its own current plus 1 % of the largest of its curve.
All fits are least squares of that, so that states decades apart count alike, and noise near 0 V for little.

A model is chosen by the error at readings that it was not fitted to: each is fitted to every second voltage and judged
on those between, then the other way round. The simplest model, of the fewest fitted numbers, is taken whose error is
at most 10 % above the smallest, or below 0.1 %: a table wins where formulas miss the shape, never by tracing noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression, least_squares, minimize_scalar

from geniex.devices import DeviceModel, Filament, Ohmic, Sinh, Tabulated
from geniex.measurements import Array, Curve

__all__ = ["MODELS", "Comparison", "Fit", "compare", "fit", "predicted"]

MARGIN = 1.1
"""How much larger than the smallest held-out error that of a simpler model may be."""
RESOLVED = 1e-3
"""A held-out error that is as good as none: measurements do not resolve it."""
WIDEST = 30.0
"""Largest v0 that is tried over the largest voltage, and the largest voltage over the smallest v0."""
MOST_KNOTS = 101
"""Voltages that a table has at most."""


@dataclass(frozen=True)
class Fit:
    """A device fitted to curves.

    Attributes:
        model: its name, one of `MODELS`.
        device: the cells, for `Circuit`.
        conductances: small-signal conductance of each curve's state, in siemens.
        rms: root-mean-square relative error of each curve, 0.01 for 1 %.
        worst: largest relative error of each curve.
        held_out: root-mean-square relative error over all curves at voltages that were left out of the fit.
        parameters: how many numbers were fitted.
        corrected: how many currents were changed to make a table monotone.
    """

    model: str
    device: DeviceModel
    conductances: tuple[float, ...]
    rms: tuple[float, ...]
    worst: tuple[float, ...]
    held_out: float
    parameters: int
    corrected: int = 0


@dataclass(frozen=True)
class Comparison:
    """Models fitted to the same curves.

    Attributes:
        curves: what was measured.
        fits: every model that could be fitted.
        reasons: why the others could not, by name.
        chosen: one of `fits`: the simplest whose held-out error is at most 10 % above the smallest, or below 0.1 %.
    """

    curves: tuple[Curve, ...]
    fits: tuple[Fit, ...]
    reasons: dict[str, str]
    chosen: Fit


@dataclass(frozen=True)
class _Fitted:
    """What a model makes of curves."""

    device: DeviceModel
    conductances: tuple[float, ...]
    parameters: int
    corrected: int = 0


def fit(model: str, curves: Sequence[Curve]) -> Fit:
    """A model fitted to curves.

    Raises:
        ValueError: if the model is unknown, or cannot be fitted to such curves.
    """
    if model not in MODELS:
        raise ValueError(f"`model` must be one of {', '.join(MODELS)}; got {model!r}.")
    fitted = MODELS[model](curves)
    errors = _errors(fitted, curves)
    return Fit(
        model,
        fitted.device,
        fitted.conductances,
        rms=tuple(float(np.sqrt(np.mean(error**2))) for error in errors),
        worst=tuple(float(np.abs(error).max()) for error in errors),
        held_out=_held_out(MODELS[model], curves),
        parameters=fitted.parameters,
        corrected=fitted.corrected,
    )


def compare(curves: Sequence[Curve], model: str | None = None) -> Comparison:
    """Fit every model that can be, and choose one.

    Args:
        curves: what was measured.
        model: fit this one alone; None fits all.

    Raises:
        ValueError: if `model` is unknown, or cannot be fitted to such curves.
    """
    if model is not None:
        only = fit(model, curves)
        return Comparison(tuple(curves), (only,), {}, only)
    fits, reasons = [], {}
    for name in MODELS:
        try:
            fits.append(fit(name, curves))
        except ValueError as error:
            reasons[name] = str(error)
    good = max(MARGIN * min(one.held_out for one in fits), RESOLVED)
    chosen = min((one for one in fits if one.held_out <= good), key=lambda one: one.parameters)
    return Comparison(tuple(curves), tuple(fits), reasons, chosen)


def predicted(device: DeviceModel, conductance: float, v: Array) -> Array:
    """Current in ampere of a device in a state of this conductance in siemens, at voltages in volt."""
    return device.current(torch.from_numpy(v), torch.full((len(v),), conductance, dtype=torch.float64)).numpy()


def _ohmic(curves: Sequence[Curve]) -> _Fitted:
    conductances = tuple(_factor(curve, curve.v) for curve in curves)
    return _Fitted(Ohmic(), conductances, parameters=len(curves))


def _sinh(curves: Sequence[Curve]) -> _Fitted:
    """For each v0 the conductances follow from linear least squares; v0 alone is searched for."""

    def conductances(log_v0: float) -> tuple[float, ...]:
        v0 = np.exp(log_v0)
        return tuple(_factor(curve, v0 * np.sinh(curve.v / v0)) for curve in curves)

    def cost(log_v0: float) -> float:
        fitted = _Fitted(Sinh(float(np.exp(log_v0))), conductances(log_v0), parameters=0)
        return float(sum((error**2).sum() for error in _errors(fitted, curves)))

    middle = np.log(max(np.abs(curve.v).max() for curve in curves))
    tried = np.linspace(middle - np.log(WIDEST), middle + np.log(WIDEST), 60)
    best = int(np.argmin([cost(log_v0) for log_v0 in tried]))
    bounds = (tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)])
    log_v0 = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    (v0,) = _short([np.exp(log_v0)])
    return _Fitted(Sinh(v0), conductances(np.log(v0)), parameters=1 + len(curves))


def _filament(curves: Sequence[Curve]) -> _Fitted:
    """One i0, d0 and v0 for all curves: the gaps give the conductances, and a sinh fit the start."""
    gaps = np.array([np.nan if curve.gap is None else curve.gap for curve in curves])
    if np.isnan(gaps).any() or len(np.unique(gaps)) < 2:
        raise ValueError("it needs a column `gap (nm)` with at least 2 different gaps.")
    start = _sinh(curves)
    assert isinstance(start.device, Sinh)
    falls, height = np.polyfit(gaps, np.log(start.conductances), 1)
    if falls >= 0:
        raise ValueError("conductance must fall as the gap grows, and in these curves it does not.")

    def fitted(values: Sequence[float]) -> _Fitted:
        device = Filament(*values)
        return _Fitted(device, tuple(device.conductance(torch.from_numpy(gaps)).tolist()), parameters=3)

    def cost(logs: Array) -> Array:
        return np.concatenate(_errors(fitted(np.exp(logs).tolist()), curves))

    logs = np.array([height + np.log(start.device.v0), -np.log(-falls), np.log(start.device.v0)])
    best = least_squares(cost, logs, xtol=1e-12, ftol=1e-12, gtol=1e-12).x
    return fitted(_short(np.exp(best)))


def _tabulated(curves: Sequence[Curve]) -> _Fitted:
    """The averaged readings themselves, made monotone, on voltages that all curves share."""
    conductances = [curve.conductance or _small_signal(curve) for curve in curves]
    order = np.argsort(conductances)
    g = [conductances[n] for n in order]
    if min(np.diff(g), default=1.0) <= 1e-6 * g[-1]:
        raise ValueError("two states have the same conductance; give them one name, or remove one of them.")
    v = _shared_voltages(curves)
    raw = np.array([_interpolated(curves[n], v) for n in order])
    i = np.array([_rising(row, v) for row in raw])
    corrected = int((np.abs(i - raw) > 1e-9 * np.abs(raw).max()).sum())
    if v[-1] == 0:  # tables of one sign are of the positive one, and stand for both
        v, i = -v[::-1], -i[:, ::-1]
    device = Tabulated(_short(v + 0.0), _short(g), tuple(_short(row + 0.0) for row in i))
    return _Fitted(device, _short(conductances), parameters=i.size, corrected=corrected)


MODELS: dict[str, Callable[[Sequence[Curve]], _Fitted]] = {
    "ohmic": _ohmic,
    "sinh": _sinh,
    "filament": _filament,
    "tabulated": _tabulated,
}
"""What can be fitted, by name."""


def _short(values: Sequence[float] | Array) -> tuple[float, ...]:
    """The values to 9 digits: more say nothing of a measurement, and fill files."""
    return tuple(float(f"{value:.9g}") for value in values)


def _errors(fitted: _Fitted, curves: Sequence[Curve]) -> list[Array]:
    """Relative errors of each curve."""
    return [
        (predicted(fitted.device, g, curve.v) - curve.i) / curve.scale
        for g, curve in zip(fitted.conductances, curves, strict=True)
    ]


def _held_out(model: Callable[[Sequence[Curve]], _Fitted], curves: Sequence[Curve]) -> float:
    """Root-mean-square relative error at every second voltage, fitted to the others; twice, to judge all but ends."""
    errors = []
    for first in (1, 2):
        kept = [np.ones(len(curve.v), dtype=bool) for curve in curves]
        for mask in kept:
            mask[first:-1:2] = False
        fitted = model([_part(curve, mask) for curve, mask in zip(curves, kept, strict=True)])
        whole = _errors(fitted, curves)
        errors += [error[~mask] for error, mask in zip(whole, kept, strict=True)]
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def _part(curve: Curve, mask: np.ndarray) -> Curve:
    return replace(curve, v=curve.v[mask], i=curve.i[mask], spread=curve.spread[mask])


def _factor(curve: Curve, shape: Array) -> float:
    """The factor on `shape` of least relative error, which is a conductance in siemens where `shape` is in volt."""
    weighted = shape / curve.scale
    return float((weighted * curve.i / curve.scale).sum() / (weighted**2).sum())


def _small_signal(curve: Curve) -> float:
    """Slope at 0 V in siemens of i = g v + c v^3 through the readings up to half the largest voltage, at least 4."""
    near = np.abs(curve.v) <= max(np.abs(curve.v).max() / 2, np.sort(np.abs(curve.v))[min(3, len(curve.v) - 1)])
    v, i, scale = curve.v[near], curve.i[near], curve.scale[near]
    g = float(np.linalg.lstsq(np.stack([v, v**3], axis=1) / scale[:, None], i / scale, rcond=None)[0][0])
    if not g > 0:
        raise ValueError(
            f"the conductance of state {curve.name} at 0 V cannot be told from its readings: {g:g} S. "
            "Measure below a quarter of its largest voltage, or add a column `conductance (S)`."
        )
    return g


def _shared_voltages(curves: Sequence[Curve]) -> Array:
    """Knots of a table: 0 V and the voltages of all curves within the range that all share; at most `MOST_KNOTS`."""
    low, high = max(min(curve.v[0], 0.0) for curve in curves), min(max(curve.v[-1], 0.0) for curve in curves)
    if low == high:
        raise ValueError("the states share no range of voltages on either side of 0 V.")
    v = np.unique(np.concatenate([curve.v for curve in curves]))
    v = v[(v >= low) & (v <= high)]
    v = v[np.diff(v, prepend=-np.inf) > 1e-3 * (high - low)]
    if len(v) > MOST_KNOTS:
        v = v[np.linspace(0, len(v) - 1, MOST_KNOTS).round().astype(int)]
    return np.unique(np.append(v, 0.0))


def _interpolated(curve: Curve, v: Array) -> Array:
    """Current of a curve, and 0 A at 0 V, at other voltages."""
    with_rest = np.argsort(np.append(curve.v, 0.0))
    known_v, known_i = np.append(curve.v, 0.0)[with_rest], np.append(curve.i, 0.0)[with_rest]
    return PchipInterpolator(known_v, known_i)(v)


def _rising(i: Array, v: Array) -> Array:
    """Currents nearest to `i` that never fall as the voltage rises, and are 0 at 0 V: isotonic regression."""
    above, below = np.maximum(i * (v > 0), 0), np.minimum(i * (v < 0), 0)
    return np.where(v > 0, isotonic_regression(above).x, isotonic_regression(below).x)
