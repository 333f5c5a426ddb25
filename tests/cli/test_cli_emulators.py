"""`geniex train`, `info`, `dataset`: emulators made, and what they are."""

import errno
import re
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import geniex
from geniex.report.formats import significant_decimals
from tests.cli.commands import TRAINING, fail, plain, said, start, succeed

# train and info


def test_train_says_what_it_made_and_how_good_it_is(trained):
    folder, printed = trained
    text = plain(printed)
    assert re.search(r"fit .* 10/10 .* RMSE of NF \d+\.\d\d %, unseen \d+\.\d\d %", text)
    assert "CrossbarSpec(rows=4, cols=5" in text
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.safetensors", "train.toml"]


def test_info_says_what_an_emulator_is(trained):
    text = plain(succeed("info", trained[0] / "tiny.safetensors"))
    for words in (
        "rows=4, cols=5",
        "r_source=500.0",
        "'Sinh'",
        "4 bits, up to 0.25 V",
        "on/off 6",
        "'steps': 10",
        version("geniex"),
    ):
        assert words in text
    card = geniex.emulation.load_card(trained[0] / "tiny.safetensors")
    for model, error in card.errors.items():
        decimals = significant_decimals(error.rmse)
        rmse, low, high = (f"{x:.{decimals}f}" for x in (error.rmse, error.low, error.high))
        assert f" {model} {rmse} {low} to {high} " in text


def test_info_knows_shipped_emulators_by_name():
    assert "rows=64, cols=64" in plain(succeed("info", "nominal_64x64_v250"))


def test_float16_halves_the_file(trained, tmp_path):
    folder, _ = trained
    succeed("train", folder / "train.toml", tmp_path / "new" / "half.safetensors", "--dtype", "float16")
    full = (folder / "tiny.safetensors").stat().st_size
    weights = sum(x.numel() for x in geniex.load(folder / "tiny.safetensors").parameters())
    half = (tmp_path / "new" / "half.safetensors").stat().st_size
    assert abs((full - half) - 2 * weights) < 100  # the header differs by a few bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nstep = 3", "`training.step` is not a field. Did you mean 'steps'?"),
        ("[training]\nsteps = 3\nchecks = 4", "`checks` must be at most `steps` = 3; got 4."),
        ("[digits]\nrecorded = 'none.npz'", "There is no file of recorded digits"),
        ("[digits]\nv_bits = 9", "`digits.v_bits` must be at most 8; got 9."),
        ("adcs = 'none'", "`adcs` is not a field."),
        ("adc = 'none'", "is a file of `geniex evaluate`, not of `geniex train`"),
    ],
)
def test_bad_recipes_are_refused_before_any_circuit_is_solved(tmp_path, text, message):
    (tmp_path / "train.toml").write_text(text)
    assert message in fail("train", tmp_path / "train.toml", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_folder_for_an_emulator_is_refused_before_any_circuit_is_solved(trained, tmp_path):
    assert f"{tmp_path} is a folder; give the name of the file to write." in fail(
        "train", trained[0] / "train.toml", tmp_path
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no emulator file"),
        (b"", "is not a whole safetensors file"),
        (b"text", "is not a whole safetensors file"),
        (200, "is not a whole safetensors file"),
    ],
    ids=["missing", "empty", "text", "cut"],
)
def test_what_is_no_emulator_is_refused(trained, tmp_path, content, message):
    path = tmp_path / "some.safetensors"
    if content is not None:
        path.write_bytes(
            content if isinstance(content, bytes) else (trained[0] / "tiny.safetensors").read_bytes()[:content]
        )
    assert message in fail("info", path)


def test_a_state_dict_is_no_emulator(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "weights.safetensors")
    assert "is not an emulator of this version" in fail("info", tmp_path / "weights.safetensors")


def test_a_full_disk_at_the_end_costs_no_step(trained, tmp_path, monkeypatch):
    out = tmp_path / "e.safetensors"

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", str(out))

    with monkeypatch.context() as patch:
        patch.setattr("geniex.cli.emulators.save", full)
        assert "No space left on device" in fail("train", trained[0] / "train.toml", out)
    state = out.with_name(f"{out.name}.state")
    assert state.exists()
    succeed("train", trained[0] / "train.toml", out)
    assert not state.exists()
    weights = (load_file(path) for path in (out, trained[0] / "tiny.safetensors"))
    for (name, weight), (_, other) in zip(*(sorted(w.items()) for w in weights), strict=True):
        assert torch.equal(weight, other), name


def test_an_emulator_that_is_there_is_not_overwritten_unasked(trained, tmp_path):
    out = tmp_path / "e.safetensors"
    out.write_bytes(b"mine")
    assert f"{out} is there already. Name another file, or give `--replace`." in fail(
        "train", trained[0] / "train.toml", out
    )
    assert out.read_bytes() == b"mine"
    succeed("train", trained[0] / "train.toml", out, "--replace")
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("e.txt", "The emulator file must end in .safetensors; got"),
        ("file/e.safetensors", "/file is no folder. Name another file."),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_any_circuit_is_solved(trained, tmp_path, out, message):
    (tmp_path / "file").write_text("")
    assert message in fail("train", trained[0] / "train.toml", tmp_path / out)


def test_an_emulator_worse_than_the_linear_model_is_said_to_be(tmp_path):
    (tmp_path / "train.toml").write_text(TRAINING + "[cell]\ndevice = 'ohmic'\n")
    printed = succeed("train", tmp_path / "train.toml", tmp_path / "e.safetensors")
    assert "It errs more than the linear model: train it longer, or lower `learning_rate`." in printed


def test_curves_of_a_run_are_kept_for_tensorboard(trained, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    succeed("train", trained[0] / "train.toml", tmp_path / "e.safetensors", "--log", tmp_path / "log")
    kept = EventAccumulator(str(tmp_path / "log")).Reload()
    assert set(kept.Tags()["scalars"]) == {"training", "unseen", "rate"}
    unseen = kept.Scalars("unseen")
    assert [point.step for point in unseen] == [5, 10]
    assert all(0 < point.value < 100 for point in unseen)


def test_without_tensorboard_its_curves_are_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    command = ("train", trained[0] / "train.toml", tmp_path / "e.safetensors", "--log", tmp_path / "log")
    assert "`--log` needs TensorBoard: pip install 'geniex[tensorboard]'." in fail(*command)


# dataset


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_dataset_is_made_and_an_emulator_of_it(dataset):
    text = plain(dataset)
    assert re.search(r"solve .* 30/30 ", text)
    found = re.search(r"(dataset \w{16}: 30 crossbars with 2 inputs each, seed 0); 4 shards in data, 0\.\d+ MB\.", text)
    assert found
    for name in ("one", "two"):
        succeed("train", "train.toml", f"{name}.safetensors", "--data", "data")
    assert geniex.emulation.load_card("one.safetensors").provenance["samples"] == found[1]
    one, two = (geniex.load(f"{name}.safetensors").state_dict() for name in ("one", "two"))
    assert all(torch.equal(weight, two[name]) for name, weight in one.items())


def test_damaged_and_missing_shards_are_made_anew_and_named(dataset):
    before = contents("data")
    Path("data/shard-00001.npz").write_bytes(before["shard-00001.npz"][:-9])
    Path("data/shard-00003.npz").unlink()
    assert "is not finished: 1 of 4 shards are missing." in fail(
        "train", "train.toml", "a.safetensors", "--data", "data"
    )
    printed = plain(succeed("dataset", "train.toml", "data"))
    assert "data/shard-00001.npz is made anew: it is not an npz file, or its end is missing." in printed
    assert re.search(r"check .* 3/3 .* solve .* 30/30", printed)
    assert contents("data") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cols = 5", "cols = 5\nr_sink = 1"), "spec.r_sink = 100.0 instead of 1.0"),
        (("crossbars = 30", "crossbars = 30\nseed = 1"), "recipe.seed = 0 instead of 1"),
    ],
)
def test_a_folder_of_another_dataset_is_left_alone(dataset, change, message):
    before = contents("data")
    Path("train.toml").write_text(TRAINING.replace(*change))
    assert f"data holds another dataset: {message}. Give another folder" in fail("dataset", "train.toml", "data")
    assert contents("data") == before


def test_a_dataset_of_another_crossbar_is_not_learned_from(dataset):
    Path("train.toml").write_text(TRAINING.replace("cols = 5", "cols = 5\nr_sink = 1"))
    message = "The dataset data was made for something else: spec.r_sink = 100.0 instead of 1.0. Make one"
    assert message in fail("train", "train.toml", "a.safetensors", "--data", "data")
    assert "There is no dataset in none." in fail("train", "train.toml", "a.safetensors", "--data", "none")
    assert sorted(path.name for path in Path().iterdir()) == ["data", "train.toml"]


def test_a_full_disk_ends_a_dataset_in_words(dataset, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    for shard in (0, 2):
        Path(f"data/shard-0000{shard}.npz").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        message = "data/shard-00000.npz cannot be written: No space left on device. 2 of 4 shards are whole and stay."
        assert message in fail("dataset", "train.toml", "data")
    assert sorted(contents("data")) == ["manifest.json", "shard-00001.npz", "shard-00003.npz"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://127.0.0.1:8786"], "A Dask cluster needs Dask: pip install 'geniex[dask]'."),
        (["--scheduler", "tcp://127.0.0.1:8786", "--workers", "2"], "`workers` are threads of this machine"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused(dataset, monkeypatch, options, message):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert message in fail("dataset", "train.toml", "data", *options)


def test_a_killed_dataset_keeps_whole_shards_and_continues(tmp_path):
    config, folder = tmp_path / "train.toml", tmp_path / "data"
    config.write_text(TRAINING.replace("crossbars = 30", "crossbars = 4000"))
    process = start("dataset", config, folder)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("shard-*.npz"))) < 3 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.npz")}
    assert 3 <= len(before) < 500
    process = start("dataset", config, folder, "--workers", "2")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, said(stderr)) == (0, "")
    assert "made anew" not in stdout
    assert before.items() < {path: path.stat().st_mtime_ns for path in folder.iterdir()}.items()
    succeed("dataset", config, tmp_path / "elsewhere", "--workers", "1")
    assert contents(folder) == contents(tmp_path / "elsewhere")
