"""Ranges of f_R beside the published ones, under every assumption about what their authors do not say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from studies.nf.levels import SAMPLINGS, draw, record
from studies.nf.measure import distribution, exact_ratios
from studies.nf.setups import SETS, Published

__all__ = ["Range", "distance", "ranges"]


@dataclass(frozen=True)
class Range:
    """Range of f_R under one assumption about drivers, voltage and sampling, beside the published one.

    Attributes:
        name: of the published range.
        published: its ends.
        drivers: r_source/r_sink in ohm.
        v_max: voltage of the largest digit, in volt.
        sampling: of the digits.
        columns: number of columns.
        full: smallest and largest f_R.
        central: 1st and 99th percentile.
        off: how far `full` is from `published` at that end which is further off.
        off_central: the same of `central`.
    """

    name: str
    published: tuple[float, float]
    drivers: str
    v_max: float
    sampling: str
    columns: int
    full: tuple[float, float]
    central: tuple[float, float]
    off: float
    off_central: float


def ranges(published: Sequence[Published], count: tuple[int, int], seed: int) -> Iterator[Range]:
    """Ranges of f_R for every sampling, drivers and voltage that could be behind each published one."""
    for claim in published:
        size, bits = claim.setup.spec.rows, (claim.setup.window.v_bits, claim.setup.window.g_bits)
        for name, sampling in SAMPLINGS.items():
            levels = record(size, bits, seed) if sampling is None else draw(sampling(*bits), size, count, seed)
            for driven in SETS:
                f = distribution(exact_ratios(driven.applied(claim.setup), levels))
                stated, full, central = (claim.low, claim.high), (f.low, f.high), (f.p1, f.p99)
                yield Range(
                    name=claim.name,
                    published=stated,
                    drivers=driven.drivers,
                    v_max=driven.v_max,
                    sampling=name,
                    columns=f.count,
                    full=full,
                    central=central,
                    off=distance(full, stated),
                    off_central=distance(central, stated),
                )


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two ranges: how far apart those ends are that are further apart."""
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))
