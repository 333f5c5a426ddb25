"""The tables of README.md, made of results.json and logits.json alone; TBD where there is no result yet."""

from collections.abc import Iterable, Sequence
from typing import Any

from studies.accuracy.cases import CASES
from studies.accuracy.summary import difference

__all__ = ["MODELS", "logits_table", "tables"]

MODELS = ("digital", "ideal", "linear", "geniex", "reduced")
NOT_YET = "TBD"


def tables(results: dict[str, Any]) -> dict[str, str]:
    """All tables of accuracies in Markdown, by name."""
    return {name: _accuracies(case.title, results.get(name)) for name, case in CASES.items()} | {
        "claim": _claim(results)
    }


def logits_table(compared: dict[str, Any]) -> str:
    """How far each model's logits are from the exact circuit's, in Markdown."""
    rows = []
    for name in ("nominal_v250", "nominal_v500"):
        found = compared.get(name, {"images": 0, "models": {}})
        for model in MODELS:
            row, numbers = [CASES[name].title, model], found["models"].get(model)
            if numbers is None:
                rows.append([*row, *[NOT_YET] * 4])
                continue
            shares = [f"{100 * numbers[key]:.3g} %" for key in ("of_effect", "of_logits")]
            rows.append([*row, *shares, f"{numbers['largest']:.2g}", f"{numbers['agree']} of {found['images']}"])
    head = ["", "model", "distance / that of ideal", "distance / logits", "largest difference", "same decision"]
    return _markdown(head, rows)


def _accuracies(title: str, result: dict[str, Any] | None) -> str:
    count = NOT_YET if result is None else f"{sum(result['images']):,}"
    head = [title, f"top-1, {count} images", "95 % interval", "against digital, points", "agrees with digital"]
    found = {} if result is None else {model["name"]: model for model in result["models"]}
    rows = []
    for name in found or MODELS:
        if result is None:
            rows.append([name, *[NOT_YET] * 6])
            continue
        model = found[name]
        interval = f"{100 * model['low']:.1f} to {100 * model['high']:.1f} %"
        rows.append([name, f"{100 * model['top1']:.2f} %", interval, *_against_digital(result, found, name)])
    return _markdown([*head, "s per image", "NF error"], rows)


def _against_digital(result: dict[str, Any], found: dict[str, Any], name: str) -> list[str]:
    """Cells of a row; empty where there is nothing to compare with."""
    model, compared = found[name], name != "digital" and "digital" in found
    return [
        _points(*difference(result, name, "digital")) if compared else "",
        f"{100 * model['agreement']:.1f} %" if compared else "",
        f"{model['seconds_per_image']:.2g}",
        "" if model["nf"] is None else f"{model['nf']:.2g} %",
    ]


def _claim(results: dict[str, Any]) -> str:
    """By how many points the linear model overestimates the loss of accuracy."""
    rows = []
    for name, case in CASES.items():
        names = [model["name"] for model in results[name]["models"]] if name in results else []
        cells = [
            _points(*difference(results[name], truth, "linear"), sign="")
            if {"linear", truth} <= set(names)
            else NOT_YET
            for truth in ("geniex", "reduced")
        ]
        rows.append([case.title, *cells])
    return _markdown(["linear loses more, in points", "than geniex", "than reduced"], rows)


def _points(share: float, margin: float, sign: str = "+") -> str:
    return f"{100 * share:{sign}.2f} ± {100 * margin:.2f}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
