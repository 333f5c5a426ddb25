"""`geniex study`: run, killed, run again, shown."""

import random
import signal
import time
from pathlib import Path

import polars
import pytest

from tests.cli.commands import fail, plain, start, succeed

STUDY = """
config = "run.toml"
network = "my_tiny_network:make"
data = "data.npz"
models = ["digital", "ideal", "linear"]
[axes]
"cell.r_on" = [5e4, 1e5]
"inputs.stream_bits" = [2, 4]
"""


@pytest.fixture
def study(workspace):
    (workspace / "study.toml").write_text(STUDY)
    return workspace / "study.toml"


def test_a_study_prints_and_writes_a_row_per_point_and_model(study):
    shown = plain(succeed("study", "show", study))
    assert "not run yet" in shown
    assert "0 of 4 points are done." in shown
    printed = plain(succeed("study", "run", study))
    assert "4 of 4 points are done." in printed
    assert "Accuracy against energy" in Path("runs/study/report.html").read_text()
    table = polars.read_parquet("runs/study/results.parquet")
    assert len(table) == 12
    assert table["top1"].is_between(0, 1).all()
    assert printed.endswith(plain(succeed("study", "show", study)))


def test_a_study_that_was_killed_ends_with_the_same_file_as_one_left_alone(study):
    succeed("study", "run", study, "--out", "alone", "--cache", "cache_alone")
    chosen = random.Random(0)
    for _ in range(3):
        process = start("study", "run", study, "--out", "killed", "--cache", "cache", SECONDS_PER_BATCH="0.1")
        time.sleep(chosen.uniform(3, 7))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    succeed("study", "run", study, "--out", "killed", "--cache", "cache")
    assert Path("killed/results.parquet").read_bytes() == Path("alone/results.parquet").read_bytes()


def test_bad_studies_are_refused_before_the_first_point(study):
    study.write_text(STUDY.replace("cell.r_on", "cell.ron"))
    assert "Did you mean 'cell.r_on'?" in fail("study", "run", study)
    study.write_text(STUDY + '"crossbar.rows" = [4, 8]\n')
    study.write_text(study.read_text().replace('"linear"]', '"geniex"]'))
    assert "4 of 8 points cannot be run" in fail("study", "run", study)
    assert "There is no configuration file" in fail("study", "run", "missing.toml")
    assert not Path("runs").exists()
