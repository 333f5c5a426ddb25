"""Would a learned correction be worth its cost as the next order of `ReducedOrder`?

One small function of the few numbers that a read already has for each column, shared by all columns of all crossbars of
a kind, is fitted to what the read misses, on fresh exact solves, and judged on crossbars that it has not seen. Its cost
is counted in multiply-adds.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from benchmarks.__main__ import print_markdown
from benchmarks.reduced import CASES, DIGITS, Case, samples
from torch import Generator, Tensor, nn

from geniex import Circuit, ReducedOrder
from geniex.emulation.sampling import Corners, DigitSampling, MixedDigits, Mixture
from geniex.models.reduced.reading import terms
from geniex.models.reduced.tables import Order, Tables, tabulate
from geniex.nf import carries_current

__all__ = ["Fit", "Reads", "elsewhere", "features_of", "fits", "least_squares", "reads", "rows"]

SETUPS = [case for case in CASES if case.name in ("0.25 V", "0.5 V", "wires of 20 ohm")]
SEEN, UNSEEN, INPUTS = 200, 50, 32
OTHERS = {"a network's": MixedDigits(network_share=1.0), "extreme": Corners()}
ALL = Mixture((DIGITS, *OTHERS.values()), (1.0, 1.0, 1.0))
RIDGE = 1e-6
WIDTHS = (16, 32)
COMPARED = ("quadratic", "network of 32")
EPOCHS, BATCH, RATE = 150, 4096, 4e-3

Fit = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Reads:
    """Columns of some reads whose ideal current counts.

    Attributes:
        features: (column, feature), without unit.
        missed: (column,) exact current less that of the read, in percent of the ideal one: the error of NF.
        weight: (column,) percent of the ideal current that one unit of S0 is; a correction is a share of S0.
    """

    features: Tensor
    missed: Tensor
    weight: Tensor


def rows(seen: int = SEEN, unseen: int = UNSEEN, epochs: int = EPOCHS) -> Iterator[dict[str, Any]]:
    """One row per circuit, order and kind of correction."""
    for case, order in itertools.product(SETUPS, (3, 4)):
        known, new = reads(case, order, seen, seed=1), reads(case, order, unseen, seed=2)
        alone = _rmse(new)
        for name, (multiply_adds, fit) in fits(known, epochs).items():
            left = _rmse(new, fit)
            yield {
                "circuit": case.name,
                "order": order,
                "correction": name,
                "multiply-adds": multiply_adds / case.spec.rows,
                "error before, %": alone,
                "after, %": left,
                "gain": alone / left,
                "gain where fitted": _rmse(known) / _rmse(known, fit),
            }


def elsewhere(seen: int = SEEN, unseen: int = UNSEEN, epochs: int = EPOCHS) -> Iterator[dict[str, Any]]:
    """One row per circuit and digits that corrections of order 3 are fitted on, and what they are then used on."""
    for case, (name, taught) in itertools.product(SETUPS, {"uniform": DIGITS, "all": ALL}.items()):
        found = fits(reads(case, 3, seen, 1, taught), epochs)
        found = {kind: fit for kind, (_, fit) in found.items() if kind in COMPARED}
        uses = [(other, "uniform") for other in SETUPS] + [(case, digits) for digits in OTHERS]
        for other, digits in uses:
            new = reads(other, 3, unseen, 2, OTHERS.get(digits, DIGITS))
            row = {"fitted on": f"{case.name}, {name} digits", "used on": f"{other.name}, {digits} digits"}
            row |= {"error before, %": _rmse(new), **{f"{kind}, %": _rmse(new, fit) for kind, fit in found.items()}}
            row["largest before, %"] = new.missed.abs().max().item()
            yield row | {f"{kind}, largest, %": _left(new, fit).abs().max().item() for kind, fit in found.items()}


def reads(case: Case, order: int, crossbars: int, seed: int, digits: DigitSampling = DIGITS) -> Reads:
    """Fresh crossbars with inputs, read at `order` and solved exactly."""
    v, g = samples(case, crossbars, INPUTS, seed, digits)
    exact = Circuit(case.spec, case.device)(v, g)
    model = ReducedOrder(case.spec, case.device, case.window.every_voltage(), order)
    parts = []
    for one, inputs, currents in zip(g, v, exact, strict=True):
        tables = Tables(*(x[0] for x in tabulate(model.ladders, model.basis, one[None], model.terms)))
        features, i, s0 = features_of(inputs, one, tables, model.basis.levels, model.terms)
        ideal = inputs @ one
        counts = carries_current(ideal)
        missed, weight = (100 * part / ideal for part in (currents - i, s0))
        parts.append(Reads(features[counts], missed[counts], weight[counts]))
    return Reads(*(torch.cat([getattr(part, name) for part in parts]) for name in ("features", "missed", "weight")))


def features_of(v: Tensor, g: Tensor, tables: Tables, levels: Tensor, order: Order) -> tuple[Tensor, Tensor, Tensor]:
    """(input, col, feature) of one crossbar, and the current and S0 of the read (input, col); see `reading.terms`."""
    one = terms(v, tables, levels, order)
    s0, s1, s2, p0, p1, x, share, coupled = one
    v_max, current = levels.abs().max(), s0.clamp(min=1e-12)
    typical = v_max * g.mean() * len(g)
    position = torch.linspace(0, 1, g.shape[-1], dtype=v.dtype)
    found = [
        *(s0 / typical, p0 / v_max, x / v_max, p1, share),
        *(p0 / current * typical / v_max, s1 * x / current, s2 * x**2 / current, coupled / current),
        *(position, g.mean(0) / g.mean(), v.mean(-1, keepdim=True) / v_max),
    ]
    return torch.stack([part.expand_as(s0) for part in found], -1), one.current, s0


def fits(known: Reads, epochs: int = EPOCHS) -> dict[str, tuple[float, Fit]]:
    """Each kind of correction: multiply-adds per column, and features -> share of S0."""
    found, inputs = least_squares(known), known.features.shape[-1]
    scaled = _scaling(known)
    for width in WIDTHS:
        fit = _train(known, lambda features: scaled(features).float(), width, epochs)
        found[f"network of {width}"] = ((inputs + 1) * width, fit)
    return found


def least_squares(known: Reads) -> dict[str, tuple[float, Fit]]:
    """The corrections of `fits` that are sums of features, and of features and their products."""
    scaled, inputs = _scaling(known), known.features.shape[-1]
    products = inputs * (inputs + 1) // 2
    return {
        "linear": (inputs, _least_squares(known, lambda features: _linear(scaled(features)))),
        "quadratic": (inputs + 2 * products, _least_squares(known, lambda features: _quadratic(scaled(features)))),
    }


def _scaling(known: Reads) -> Callable[[Tensor], Tensor]:
    mean, deviation = known.features.mean(0), known.features.std(0).clamp(min=1e-9)
    return lambda features: (features - mean) / deviation


def _linear(x: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(x[:, :1]), x], -1)


def _quadratic(x: Tensor) -> Tensor:
    one, other = torch.triu_indices(x.shape[-1], x.shape[-1])
    return torch.cat([_linear(x), x[:, one] * x[:, other]], -1)


def _least_squares(known: Reads, expand: Callable[[Tensor], Tensor]) -> Fit:
    terms = expand(known.features) * known.weight[:, None]
    normal = terms.mT @ terms
    normal += RIDGE * normal.diagonal().mean() * torch.eye(len(normal), dtype=normal.dtype)
    solution = torch.linalg.solve(normal, terms.mT @ known.missed)
    return lambda features: expand(features) @ solution


def _train(known: Reads, scaled: Callable[[Tensor], Tensor], width: int, epochs: int) -> Fit:
    x, missed, weight = scaled(known.features), known.missed.float(), known.weight.float()
    unit = (missed / weight).std()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(x.shape[-1], width), nn.SiLU(), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    steps = epochs * (len(x) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    generator = Generator().manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            left = missed[batch] - weight[batch] * unit * network(x[batch])[:, 0]
            optimizer.zero_grad()
            (left / missed.std()).square().mean().backward()
            optimizer.step()
            schedule.step()

    def fit(features: Tensor) -> Tensor:
        with torch.no_grad():
            return (unit * network(scaled(features))[:, 0]).double()

    return fit


def _left(of: Reads, fit: Fit | None = None) -> Tensor:
    return of.missed if fit is None else of.missed - of.weight * fit(of.features)


def _rmse(of: Reads, fit: Fit | None = None) -> float:
    return _left(of, fit).square().mean().sqrt().item()


if __name__ == "__main__":
    for found in (elsewhere(), rows()):
        print_markdown(list(found))
