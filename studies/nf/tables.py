"""The tables of README.md, made of results.json alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import mean
from typing import Any

__all__ = ["by_assumption", "called", "tables"]

Row = dict[str, Any]
AXES: dict[str, tuple[str, Callable[[float], str]]] = {
    "size": ("size", lambda value: f"{value:g}x{value:g}"),
    "r_on": ("R_on", lambda value: f"{value / 1e3:g} kohm"),
    "on_off": ("on/off ratio", lambda value: f"{value:g}"),
    "v_max": ("voltage", lambda value: f"{value:g} V"),
}
CLOSE = 0.05


def tables(results: dict[str, Any]) -> dict[str, str]:
    """All tables in Markdown, by name."""
    made = {axis: _nf(axis, [p for p in results["sweep"] if p["axis"] == axis]) for axis in AXES}
    made |= {f"{axis} errors": _errors(axis, [p for p in results["sweep"] if p["axis"] == axis]) for axis in AXES}
    return made | {"published": _published(results["ranges"]), "assumptions": _assumptions(results["ranges"])}


def by_assumption(found: Iterable[Row]) -> dict[tuple[str, float, str], list[Row]]:
    """Ranges by drivers, voltage and sampling, the closest on average first."""
    groups = defaultdict(list)
    for one in found:
        groups[one["drivers"], one["v_max"], one["sampling"]].append(one)
    return dict(sorted(groups.items(), key=lambda item: mean(one["off"] for one in item[1])))


def _nf(axis: str, points: Sequence[Row]) -> str:
    title, label = AXES[axis]
    head = ("mean", "deviation", "1st", "50th", "99th", "smallest", "largest", "wires alone", "cells alone")
    rows = []
    for point in points:
        m = point["measured"]
        keys = ("mean", "deviation", "p1", "median", "p99", "low", "high")
        nf = [f"{m['nf'][key]:.1f}" for key in keys] + [f"{m['nf_wires']:.1f}", f"{m['nf_cells']:.1f}"]
        f = [f"{m['f'][low]:.2f} to {m['f'][high]:.2f}" for low, high in (("p1", "p99"), ("low", "high"))]
        rows.append([label(point["value"]), *nf, *f])
    return _markdown([title, *head, "f_R, 1st to 99th", "f_R, all"], rows)


def _errors(axis: str, points: Sequence[Row]) -> str:
    title, label = AXES[axis]
    rows = []
    for point in points:
        errors = point["measured"]["errors"]
        cells = [f"{errors[name]['rmse']:.2f}" for name in ("ideal", "linear")]
        cells += [f"{errors['reduced'][key]:.4f}" for key in ("rmse", "worst")]
        rows.append([label(point["value"]), *cells, f"{errors['linear']['rmse'] / errors['reduced']['rmse']:,.0f}"])
    return _markdown([title, "ideal", "linear", "reduced", "reduced, worst column", "linear / reduced"], rows)


def _published(found: Sequence[Row]) -> str:
    """Per published range: the assumption that is closest on average, and the one that comes closest to it."""
    first = next(iter(by_assumption(found)))
    rows = []
    for name in dict.fromkeys(one["name"] for one in found):
        mine = [one for one in found if one["name"] == name]
        best = min(mine, key=lambda one: one["off"])
        (common,) = (one for one in mine if (one["drivers"], one["v_max"], one["sampling"]) == first)
        verdict = "yes" if best["off"] <= CLOSE else "no"
        ours = [_span(mine[0]["published"]), _span(common["full"]), f"{common['off']:.2f}"]
        rows.append([name, *ours, called(best), _span(best["full"]), f"{best['off']:.2f}", verdict])
    head = ["", "published", f"{first[0]} ohm, {first[1]} V, {first[2]}", "off by"]
    return _markdown([*head, "closest of 16", "its f_R", "off by", f"within {CLOSE}"], rows)


def _assumptions(found: Sequence[Row]) -> str:
    rows = []
    for (drivers, v_max, sampling), group in by_assumption(found).items():
        fitting = [one["name"] for one in group if one["off"] <= CLOSE]
        full, central = (mean(one[key] for one in group) for key in ("off", "off_central"))
        cells = [f"{drivers} ohm", f"{v_max} V", sampling, f"{full:.2f}", f"{central:.2f}", f"{len(fitting)}"]
        rows.append([*cells, "; ".join(fitting)])
    head = ["drivers", "voltage", "sampling", "off by, mean", "1st to 99th off by", f"within {CLOSE}", "which"]
    return _markdown(head, rows)


def called(one: Row) -> str:
    """Drivers, voltage and sampling of a range in words."""
    return f"{one['drivers']} ohm, {one['v_max']} V, {one['sampling']}"


def _span(ends: Sequence[float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
