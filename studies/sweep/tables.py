"""The tables of README.md, made of the Parquet files beside it alone.

.venv/bin/python -m studies.sweep.tables
"""

from pathlib import Path

import polars
from studies.frames import markdown

__all__ = ["HERE", "STUDIES", "read"]

HERE, STUDIES = Path(__file__).parent, ("voltages", "sweep")


def read(study: str) -> polars.DataFrame:
    """The table of one of the studies, as `geniex study run` wrote it."""
    return polars.read_parquet(HERE / f"{study}.parquet")


if __name__ == "__main__":
    print("\n\n".join(markdown(read(study)) for study in STUDIES))
