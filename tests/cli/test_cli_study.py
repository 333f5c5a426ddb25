"""`geniex study`: run, killed, run again, shown."""

import multiprocessing
import os
import random
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import polars
import pytest

from geniex import cli
from tests.cli.commands import fail, plain, succeed

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
    assert shown.count("pending") == 4
    assert "0 of 4 points are done." in shown
    printed = plain(succeed("study", "run", study))
    assert "4 of 4 points are done." in printed
    assert "Accuracy against energy" in Path("runs/study/report.html").read_text()
    table = polars.read_parquet("runs/study/results.parquet")
    assert len(table) == 12
    assert table["top1"].is_between(0, 1).all()
    assert printed.endswith(plain(succeed("study", "show", study)))


def test_results_of_another_version_are_told(study):
    assert "will not be used" not in plain(succeed("study", "show", study))
    Path("runs/points").mkdir(parents=True)
    Path("runs/points/0.json").write_text('{"version": "0.0.1", "checksum": "", "result": {}}')
    assert "1 result in runs/points will not be used: of geniex 0.0.1." in plain(succeed("study", "show", study))


def run_slowly(folder, *args):
    """The command, in a process of its own that has imported everything before: it is killed while it works."""
    os.chdir(folder)
    os.environ |= {"SECONDS_PER_BATCH": "0.15", "OMP_NUM_THREADS": "1"}
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        cli.app([str(arg) for arg in args])


def test_a_study_that_was_killed_ten_times_ends_with_the_same_file_as_one_left_alone(study):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed of the delays: {seed}")  # pytest shows it where the test fails
    chosen, processes = random.Random(seed), multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["geniex.study", "geniex.cli", "tests.cli.test_cli_study"])
    command = ("study", "run", study, "--out", "killed", "--cache", "cache")

    def started(target, *args):
        process = processes.Process(target=target, args=args)
        process.start()
        return process

    def kill(process):
        was_alive = process.is_alive()
        process.kill()
        process.join()
        return was_alive

    started(os.getpid).join()  # the server has imported everything
    began, first = time.monotonic(), started(run_slowly, study.parent, *command)
    while first.is_alive() and not list(Path("cache").rglob("*.npz")):
        time.sleep(0.01)
    longest = 2 + time.monotonic() - began  # a busy machine takes its time to the first batch
    in_the_middle = kill(first)
    for _ in range(9):
        process = started(run_slowly, study.parent, *command)
        process.join(chosen.uniform(0.3, longest))
        in_the_middle += kill(process)
    begun = len(list(Path("cache").rglob("*.npz")))
    succeed(*command)
    succeed("study", "run", study, "--out", "alone", "--cache", "cache_alone")
    assert in_the_middle >= 5  # the rest came when all was done
    assert begun > 0
    assert Path("killed/results.parquet").read_bytes() == Path("alone/results.parquet").read_bytes()
    stored = [{path.name for path in Path(cache).rglob("*.*")} for cache in ("cache", "cache_alone")]
    assert stored[0] - stored[1] == {name for name in stored[0] if name.startswith(".")}  # halves that kills left


def test_bad_studies_are_refused_before_the_first_point(study):
    study.write_text(STUDY.replace("cell.r_on", "cell.ron"))
    assert "Did you mean 'cell.r_on'?" in fail("study", "run", study)
    study.write_text(STUDY + '"crossbar.rows" = [4, 8]\n')
    study.write_text(study.read_text().replace('"linear"]', '"geniex"]'))
    message = fail("study", "run", study)
    assert "4 of 8 points cannot be run" in message
    assert '`emulators = "fitting"` takes those that ship' in message
    assert "There is no configuration file" in fail("study", "run", "missing.toml")
    study.write_text(STUDY.replace('"linear"]', '"liner"]'))
    assert fail("study", "run", study).endswith("got digital, ideal, liner. Did you mean 'linear'?\n")
    Path("photos").mkdir()
    study.write_text('data = "photos"\n[axes]\n"preprocess.resize" = [8, 16]\n')
    assert "`axes` moves 'preprocess.resize', but photos of a folder" in fail("study", "run", study)
    assert not Path("runs").exists()
