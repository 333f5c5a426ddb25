"""Verdicts are those of the numbers, and the README has them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from studies.claims import run
from studies.claims.verdicts import Verdict

CLAIM = Verdict("it errs less", "64x64", "references", 10.0, 11.0, 0.5, "times")


@pytest.mark.parametrize(
    ("found", "margin", "answer"),
    [(11, 0.5, "yes"), (11, 2.0, "consistent"), (9, 2.0, "consistent"), (9, 0.5, "no"), (10, math.nan, "yes")],
)
def test_a_claim_is_borne_out_where_the_interval_says_so(found, margin, answer):
    assert replace(CLAIM, found=found, margin=margin).answer == answer


def test_the_readme_and_the_picture_show_what_was_found(tmp_path):
    folder = Path(run.__file__).parent
    found = []
    for entry in json.loads((folder / "claims.json").read_text()):
        answer = entry.pop("answer")
        found.append(Verdict(**entry))
        assert found[-1].answer == answer
    assert run.table(found) in (folder / "README.md").read_text()
    run.draw(found, tmp_path / "claims.svg")
    assert (tmp_path / "claims.svg").read_bytes() == (folder / "claims.svg").read_bytes()
