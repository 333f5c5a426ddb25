"""What the pieces of a run say together: accuracies, and differences between models on the same images.

Differences have intervals of their own: on the same images, a difference is surer than either accuracy.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t

from geniex.evaluation import Evaluation
from geniex.evaluation.statistics import wilson_interval

__all__ = ["difference", "summarize"]


def summarize(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """One result of several evaluations of the same models on different images.

    Returns:
        `version` and `started` of the first; `images` of each piece; `models`, a dictionary each: `name`, `correct`
        (number of images, by piece), `top1` with the ends `low` and `high` of its 95 % interval (Wilson), `agreement`
        with the digital network, `seconds_per_image`, and, from the first piece, `nf` and `outside`.
    """
    pieces = [evaluation.models for evaluation in evaluations]
    sizes = [models[0].images for models in pieces]
    models = []
    for first, *others in zip(*pieces, strict=True):
        results, count = [first, *others], sum(sizes)
        correct = [round(result.top1 * result.images) for result in results]
        low, high = wilson_interval(sum(correct) / count, count)
        agreeing = [None if r.agreement is None else round(r.agreement * r.images) for r in results]
        models.append(
            {
                "name": first.name,
                "correct": correct,
                "top1": sum(correct) / count,
                "low": low,
                "high": high,
                "agreement": None if None in agreeing else sum(filter(None, agreeing)) / count,
                "seconds_per_image": sum(r.seconds_per_image * r.images for r in results) / count,
                "nf": None if first.nf is None else first.nf.rmse,
                "outside": first.outside,
            }
        )
    return {"version": evaluations[0].version, "started": evaluations[0].started, "images": sizes, "models": models}


def difference(result: dict[str, Any], name: str, reference: str) -> tuple[float, float]:
    """How much higher the accuracy of `name` is than that of `reference` on the same images.

    Returns:
        the difference, a share of all images, and the half width of its 95 % interval by Student's t over the pieces,
        which is NaN for one piece.
    """
    correct = {model["name"]: np.array(model["correct"]) for model in result["models"]}
    sizes = np.array(result["images"])
    gain = correct[name] - correct[reference]
    if len(gain) == 1:
        return gain.sum() / sizes.sum(), math.nan
    error = (gain / sizes).std(ddof=1) / math.sqrt(len(gain))
    return float(gain.sum() / sizes.sum()), float(t.ppf(0.975, len(gain) - 1) * error)
