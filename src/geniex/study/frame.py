"""A study as a table: a row per point and model, in a Parquet file that pandas and polars open."""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geniex.files import replacing
from geniex.study.run import Outcome

if TYPE_CHECKING:
    import polars

__all__ = ["frame", "write_frame"]

ACCURACY = ("images", "top1", "low", "high", "difference", "agreement", "spread")
ENERGY = ("energy", "array_energy", "latency", "area")
COLUMNS = (
    *("model", "images", "top1", "low", "high", "difference", "difference_low", "difference_high"),
    *("agreement", "spread", "nf_error", *ENERGY),
)


def frame(outcomes: Sequence[Outcome]) -> "polars.DataFrame":
    """The table of a study. The same outcomes make the same table, whenever and wherever they were computed.

    Returns:
        columns: one per axis (values that are lists as JSON), `model`, `images`, `top1` with its 95 % interval `low` to
            `high`, `difference` to the digital network with its own, `difference_low` to `difference_high`, `agreement`
            with it, `spread` over chips, `nf_error` (root mean square against the exact circuit, in percent of the
            ideal current), `energy` in joule per image, of it `array_energy`, `latency` in second per image, `area` in
            square metre, `error` of what failed, `key`.
    """
    import polars  # every command would wait for it

    rows = [row for outcome in outcomes for row in _rows(outcome)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return polars.DataFrame({name: [row.get(name) for row in rows] for name in names}, strict=False)


def write_frame(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the table as Parquet: beside, then renamed."""
    content = BytesIO()
    frame(outcomes).write_parquet(content)  # polars has errors of its own for a disk that is full
    with replacing(path) as beside:
        beside.write_bytes(content.getbuffer())


def _rows(outcome: Outcome) -> list[dict[str, Any]]:
    axes = {axis: _scalar(value) for axis, value in outcome.point.values.items()}
    ends = {"error": outcome.error if outcome.result is None else None, "key": outcome.key}
    blank = {**axes, **dict.fromkeys(COLUMNS)}
    if outcome.result is None:
        return [{**blank, **ends}]
    return [
        {
            **blank,
            "model": model["name"],
            **{name: model[name] for name in ACCURACY},
            **_interval_of_difference(model),
            "nf_error": None if model["nf"] is None else model["nf"]["rmse"],
            **_energy(outcome.result["energy"], model["name"]),
            **ends,
        }
        for model in outcome.result["models"]
    ]


def _interval_of_difference(model: dict[str, Any]) -> dict[str, float | None]:
    margin = model["against"].get("digital", {})
    return {"difference_low": margin.get("low"), "difference_high": margin.get("high")}


def _energy(report: dict[str, Any] | None, model: str) -> dict[str, float | None]:
    if report is None or model not in report["total"]["energy"]:
        return dict.fromkeys(ENERGY)
    total = report["total"]
    measured = (total["energy"][model], total["components"][model]["array"], total["latency"], total["area"])
    return dict(zip(ENERGY, measured, strict=True))


def _scalar(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value
