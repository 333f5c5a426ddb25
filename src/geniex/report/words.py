"""Sentences made from the numbers of an evaluation, for whichever models ran."""

from collections.abc import Sequence

from geniex.evaluation.results import Evaluation, ModelResult
from geniex.report.formats import count, percent, points, significant

__all__ = ["MEANINGS", "headline", "join", "out_of_range", "over_chips", "phrase", "reads_checked", "uncertainty"]

PHRASES = {
    "digital": "the digital network",
    "ideal": "ideal crossbars",
    "linear": "the linear circuit",
    "geniex": "GENIEx",
    "reduced": "the reduced-order model",
    "circuit": "the exact circuit",
}
MEANINGS = {
    "digital": "The network as trained, in floating point. No crossbars.",
    "ideal": "Crossbars without parasitics. What it loses comes from number formats and converters.",
    "linear": "Wire, source and sink resistances around cells that obey Ohm's law.",
    "geniex": "A network that learned from the exact circuit how wires and nonlinear cells bend column currents.",
    "reduced": "Word lines solved exactly per input level, bit lines and their coupling by a few matrix products.",
    "circuit": "The nonlinear equations of wires and cells, solved for every read. The reference for the others.",
}


def headline(evaluation: Evaluation) -> str:
    """The result in one or two sentences: accuracies, then errors against the exact circuit."""
    return " ".join(part for part in (_accuracy(evaluation.models), _errors(evaluation.models)) if part)


def uncertainty(models: Sequence[ModelResult]) -> str:
    """How well these accuracies are known."""
    half_width = max(result.high - result.low for result in models) / 2
    sentences = [
        f"With {_images(models)}, an accuracy is known to about ±{percent(half_width)} points (95 % confidence)."
    ]
    if any(result.difference is not None and result.name != "digital" for result in models):
        sentences.append("Differences to the digital network are known better, since both classify the same images.")
    return " ".join([*sentences, over_chips(models)]).rstrip()


def over_chips(models: Sequence[ModelResult]) -> str:
    """Which accuracies are means over chips, and how far chips differ; empty where none is."""
    found = [
        f"{percent(result.spread)} points ({result.name}, {count(len(result.chips), 'chip')})"
        for result in models
        if result.chips
    ]
    return f"Accuracies are means over chips, with standard deviations of {join(found)}." if found else ""


def reads_checked(models: Sequence[ModelResult]) -> str:
    """On how many reads and columns the errors stand; empty where no model was checked."""
    pairs = dict.fromkeys((result.nf.reads, result.nf.columns) for result in models if result.nf)
    return " or ".join(f"{count(reads, 'read')} ({count(columns, 'column current')})" for reads, columns in pairs)


def out_of_range(models: Sequence[ModelResult]) -> str:
    """Which share of the sampled reads lies outside of what each model was made for; empty where none does."""
    found = [
        f"{result.name}: {join([f'{significant(100 * share)} % of {name}' for name, share in result.outside.items()])}"
        for result in models
        if result.outside
    ]
    return f"Outside of what the model was made for: {'; '.join(found)}." if found else ""


def phrase(name: str) -> str:
    """A model within a sentence; the name itself where it is none of ours."""
    return PHRASES.get(name, name)


def join(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _accuracy(models: Sequence[ModelResult]) -> str:
    first, *rest = sorted(models, key=lambda result: result.name != "digital")
    verb = "classify" if first.name == "ideal" else "classifies"
    opening = f"On {_images(models)}, {phrase(first.name)} {verb} {percent(first.top1)} % correctly"
    return join([opening, *map(_accuracy_clause, rest)]) + "."


def _accuracy_clause(result: ModelResult) -> str:
    change = "" if result.difference is None else f" ({points(result.difference)} points)"
    return f"{phrase(result.name)} {percent(result.top1)} %{change}"


def _errors(models: Sequence[ModelResult]) -> str:
    errors = sorted((result.nf.rmse, result.name) for result in models if result.nf and result.name != "circuit")
    if not errors:
        return ""
    currents = join([f"{significant(rmse)} % with {phrase(name)}" for rmse, name in errors])
    return f"Measured against the exact circuit, column currents are off by {currents} (RMS, of the ideal current)."


def _images(models: Sequence[ModelResult]) -> str:
    """`128 images`, or the range where models saw different numbers."""
    fewest, most = min(result.images for result in models), max(result.images for result in models)
    return count(most, "image") if fewest == most else f"{fewest:,} to {count(most, 'image')}"
