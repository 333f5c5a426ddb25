"""A dataset is the same to the bit whoever makes it and however often it is killed, and notices what was done to it."""

import dataclasses
import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.emulation.stored import PLAN, RECIPE, SPEC, files, plan
from tests.tolerances import FLOAT32

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic
from geniex.emulation import (
    Corners,
    DatasetRecipe,
    DatasetRun,
    MixedDigits,
    Mixture,
    RecordedDigits,
    Samples,
    make_dataset,
    open_dataset,
)
from geniex.files import exclusive
from geniex.models.circuit import Circuit
from geniex.window import Window

SHARDS = [f"shard-0000{k}.npz" for k in range(5)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A dataset; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("whole")
    make_dataset(folder, PLAN)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """A dataset to do things to."""
    for name, content in files(whole).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def made_anew(folder, the_plan=PLAN):
    """What `make_dataset` says."""
    said = []
    make_dataset(folder, the_plan, DatasetRun(say=said.append))
    return said


# What is written


def test_a_folder_holds_a_manifest_and_shards(whole):
    assert sorted(files(whole)) == ["manifest.json", *SHARDS]


def test_shards_hold_digits_and_exact_currents_in_ampere(whole):
    """Read with NumPy alone; voltages and conductances in closed form."""
    window = Window()
    for name, count in zip(SHARDS, (5, 5, 5, 5, 3), strict=True):
        arrays = np.load(whole / name)
        assert (arrays["v_level"].shape, arrays["v_level"].dtype) == ((count, 2, 4), np.uint8)
        assert (arrays["g_level"].shape, arrays["g_level"].dtype) == ((count, 4, 5), np.uint8)
        v = arrays["v_level"] * window.v_max / 15
        g = window.g_off + arrays["g_level"] * (window.g_on - window.g_off) / 15
        i = PLAN.circuit(torch.from_numpy(v), torch.from_numpy(g)).numpy()
        # 1e-6: currents are kept in float32
        np.testing.assert_allclose(arrays["i"], i, rtol=1e-6, atol=0)
        assert arrays["i"].any()


def test_no_two_shards_hold_the_same_crossbars(whole):
    levels = [np.load(whole / name)["g_level"] for name in SHARDS]
    assert len({row.tobytes() for level in levels for row in level}) > 15  # some are all on or all off


def test_the_manifest_says_what_the_dataset_is(whole):
    manifest = json.loads((whole / "manifest.json").read_text())
    assert manifest["spec"] == dataclasses.asdict(SPEC)
    assert manifest["device"] == {"type": "Sinh", "v0": 0.25}
    assert manifest["window"] == dataclasses.asdict(Window())
    assert manifest["sampling"] == {"type": "MixedDigits", **dataclasses.asdict(MixedDigits())}
    assert manifest["recipe"] == {"crossbars": 23, "inputs": 2, "crossbars_per_shard": 5, "seed": 3}
    assert manifest["solver"] == {"dtype": "float64", "tolerance": 1e-10}
    assert set(manifest["versions"]) == {"geniex", "torch", "numpy"}


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_makes_the_same_bytes(whole, tmp_path, workers):
    make_dataset(tmp_path, PLAN, DatasetRun(workers=workers))
    assert files(tmp_path) == files(whole)


def test_a_mixture_is_recognized_again(tmp_path):
    """Tuples become lists in a manifest."""
    recorded = RecordedDigits(torch.ones(3, 4, dtype=torch.uint8), torch.ones(2, 4, 5, dtype=torch.uint8))
    mixture = Mixture((MixedDigits(), Corners(), recorded), (0.5, 0.2, 0.3))
    mixed = dataclasses.replace(PLAN, sampling=mixture)
    make_dataset(tmp_path, mixed)
    before = files(tmp_path)
    assert made_anew(tmp_path, mixed) == []
    assert files(tmp_path) == before


def test_another_seed_makes_other_samples(whole, tmp_path):
    make_dataset(tmp_path, plan(seed=4))
    assert not any(files(tmp_path)[name] == files(whole)[name] for name in SHARDS)


def test_progress_counts_crossbars(tmp_path):
    told = []
    make_dataset(tmp_path, PLAN, DatasetRun(workers=1, advance=lambda *news: told.append(news)))
    assert told == [("solve", done, 23, "") for done in (0, 5, 10, 15, 20, 23)]


# Going on


@pytest.mark.parametrize("lost", [SHARDS[:1], SHARDS[3:], ["manifest.json"], ["manifest.json", *SHARDS[1:]]], ids=str)
def test_what_is_there_stays_and_what_is_missing_is_made(whole, copy, lost):
    for name in lost:
        (copy / name).unlink()
    kept = {path: path.stat().st_mtime_ns for path in copy.iterdir()}
    assert made_anew(copy) == []
    assert files(copy) == files(whole)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_run_that_is_stopped_goes_on(whole, tmp_path):
    def stop(stage, done, total, note):
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(tmp_path, PLAN, DatasetRun(workers=1, advance=stop))
    assert sorted(files(tmp_path)) == ["manifest.json", *SHARDS[:2]]
    make_dataset(tmp_path, PLAN)
    assert files(tmp_path) == files(whole)


def test_what_a_killed_run_was_writing_goes(whole, copy):
    (copy / ".shard-00002.npz.4711").write_bytes(b"half")
    make_dataset(copy, PLAN)
    assert files(copy) == files(whole)


def _flip(path):
    """A byte of the compressed inputs."""
    content = path.read_bytes()
    path.write_bytes(content[:120] + bytes([content[120] ^ 0x5A]) + content[121:])


def _edit(path):
    arrays = dict(np.load(path))
    arrays["i"] = arrays["i"] * np.float32(1.001)
    np.savez_compressed(path, **arrays)


def _without_currents(path):
    arrays = dict(np.load(path))
    del arrays["i"]
    np.savez_compressed(path, **arrays)


DAMAGES = {
    "empty": (lambda path: path.write_bytes(b""), "it is not an npz file, or its end is missing"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-50]), "it is not an npz file, or its end is missing"),
    "a byte": (_flip, "it is damaged"),
    "edited": (_edit, "its checksum does not fit: it was changed"),
    "incomplete": (_without_currents, "it holds no 'i'"),
    "misplaced": (lambda path: path.write_bytes((path.parent / SHARDS[1]).read_bytes()), "its checksum does not fit"),
}


@pytest.fixture(params=DAMAGES)
def damaged(request, copy):
    """A dataset whose shard 3 is not what it was, and what is wrong with it."""
    damage, message = DAMAGES[request.param]
    damage(copy / SHARDS[3])
    return copy, message


def test_a_damaged_shard_is_named_and_made_anew(whole, damaged):
    folder, message = damaged
    (said,) = made_anew(folder)
    assert said.startswith(f"{folder / SHARDS[3]} is made anew: {message}")
    assert files(folder) == files(whole)


def test_a_damaged_shard_is_never_read(damaged):
    folder, message = damaged
    dataset = open_dataset(folder)
    with pytest.raises(ValueError, match=rf"shard-00003.npz is not whole: {message}.* Run the `geniex dataset`"):
        dataset.samples(3)
    assert len(dataset.samples(2)) == 5


def test_a_shard_of_another_dataset_is_made_anew(whole, copy, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    make_dataset(other, plan(crossbars=24))
    (copy / SHARDS[0]).write_bytes((other / SHARDS[0]).read_bytes())
    assert len(made_anew(copy)) == 1
    assert files(copy) == files(whole)


# What is refused

OTHERS = [
    (
        {"circuit": Circuit(dataclasses.replace(SPEC, r_sink=50.0), PLAN.circuit.solver.device)},
        "spec.r_sink = 500.0 instead of 50.0",
    ),
    ({"circuit": Circuit(SPEC, Ohmic())}, "device.type = Sinh instead of Ohmic, device.v0 = 0.25 instead of None"),
    (
        {"circuit": Circuit(SPEC, PLAN.circuit.solver.device, rtol=1e-6)},
        "solver.tolerance = 1e-10 instead of 1e-06",
    ),
    ({"window": Window(v_max=0.5)}, "window.v_max = 0.25 instead of 0.5"),
    ({"sampling": MixedDigits(sparsest=0.5)}, "sampling.sparsest = 0.95 instead of 0.5"),
    ({"sampling": Corners()}, "sampling.type = MixedDigits instead of Corners"),
    ({"recipe": dataclasses.replace(RECIPE, seed=4)}, "recipe.seed = 3 instead of 4"),
    ({"recipe": dataclasses.replace(RECIPE, crossbars=24)}, "recipe.crossbars = 23 instead of 24"),
]


@pytest.mark.parametrize(("changes", "message"), OTHERS, ids=[message for _, message in OTHERS])
@pytest.mark.parametrize("manifest", [True, False])
def test_another_dataset_is_refused_and_left_alone(whole, copy, changes, message, manifest):
    """Even where its manifest is lost."""
    if not manifest:
        (copy / "manifest.json").unlink()
        message = "holds shards without a manifest.json, and they are not of this configuration"
    before = files(copy)
    with pytest.raises(ValueError, match=rf"{re.escape(message)}.*Give another folder.* nothing was changed"):
        make_dataset(copy, dataclasses.replace(PLAN, **changes))
    assert files(copy) == before


def _rewrite(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_other_versions_that_draw_the_same_go_on_and_it_is_said(whole, copy):
    _rewrite(copy, versions={"geniex": "0.0.1", "torch": "2.6.0", "numpy": "2.0.0"})
    (copy / SHARDS[2]).unlink()
    (said,) = made_anew(copy)
    assert "was begun by geniex 0.0.1, torch 2.6.0, numpy 2.0.0 and is continued by geniex" in said
    assert files(copy)[SHARDS[2]] == files(whole)[SHARDS[2]]


def test_versions_that_draw_other_digits_are_refused(copy):
    _rewrite(copy, drawn="0123456789abcdef")
    with pytest.raises(
        ValueError, match=r"holds another dataset: geniex .* draw other digits than geniex .*, which made it. Give"
    ):
        make_dataset(copy, PLAN)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "geniex-dataset/1"}', "\xff"], ids=repr)
def test_a_damaged_manifest_is_refused(copy, content):
    (copy / "manifest.json").write_bytes(content.encode("latin-1"))
    for attempt in (lambda: make_dataset(copy, PLAN), lambda: open_dataset(copy)):
        with pytest.raises(ValueError, match=r"manifest.json is damaged \(.*Remove it"):
            attempt()


def test_a_manifest_of_another_format_is_refused(copy):
    _rewrite(copy, format="geniex-dataset/9")
    with pytest.raises(ValueError, match="its format is geniex-dataset/9, not geniex-dataset/1"):
        open_dataset(copy)


def test_whole_numbers_and_floats_are_the_same_ohm(whole, copy):
    spec = CrossbarSpec(4, 5, r_source=1000, r_sink=500)
    same = dataclasses.replace(PLAN, circuit=Circuit(spec, PLAN.circuit.solver.device))
    assert made_anew(copy, same) == []
    assert files(copy) == files(whole)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ValueError, match="a is a file; give the name of a folder"):
        make_dataset(tmp_path / "a", PLAN)


def test_two_runs_in_one_folder_are_refused(copy):
    with exclusive(copy), pytest.raises(OSError, match=f"Another process is at work in {copy}. Wait"):
        make_dataset(copy, PLAN)
    make_dataset(copy, PLAN)


@pytest.mark.parametrize("full_at", [0, 1, 3])
def test_a_full_disk_leaves_nothing_half_written(whole, tmp_path, monkeypatch, full_at):
    """The disk takes half of a file and no more; writing is simulated, all else is real."""
    write, written = Path.write_bytes, []

    def write_until_full(path, content):
        if len(written) == full_at:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_until_full)
        names = ["manifest.json", *SHARDS]
        kept = f" {full_at - 1} of 5 shards are whole and stay." if full_at else ""
        message = f"{tmp_path / names[full_at]} cannot be written: No space left on device.{kept} Make room"
        with pytest.raises(OSError, match=re.escape(message)):
            make_dataset(tmp_path, PLAN, DatasetRun(workers=2))
    assert sorted(files(tmp_path)) == names[:full_at]
    make_dataset(tmp_path, PLAN)
    assert files(tmp_path) == files(whole)


def test_workers_are_counted_from_one():
    with pytest.raises(ValueError, match="`workers` must be at least 1; got 0"):
        DatasetRun(workers=0)


def test_workers_are_not_those_of_a_cluster():
    with pytest.raises(ValueError, match="`workers` are threads of this machine"):
        DatasetRun(workers=2, scheduler="tcp://127.0.0.1:8786")


@pytest.mark.parametrize("name", ["crossbars", "inputs", "crossbars_per_shard"])
def test_amounts_must_be_positive(name):
    with pytest.raises(ValueError, match=f"`{name}` must be positive; got 0"):
        DatasetRecipe(**{name: 0})


def test_digits_must_fit_the_window():
    with pytest.raises(ValueError, match="`sampling` draws digits of 4 and 2 bits, `window` has 4 and 4"):
        dataclasses.replace(PLAN, sampling=MixedDigits(g_bits=2))


# Reading


def test_what_is_read_is_what_was_solved(whole):
    """Against the ratios of exact currents that training sees without a dataset."""
    samples = open_dataset(whole).samples(4)
    again = Samples.from_currents(PLAN.window, PLAN.draw(4, 3), PLAN.solve(PLAN.draw(4, 3)).double())
    assert torch.equal(samples.g_level, again.g_level)
    assert torch.equal(samples.v_level, again.v_level)
    torch.testing.assert_close(samples.f, again.f, rtol=FLOAT32, atol=0, equal_nan=True)


def test_no_dataset_is_opened_where_there_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"There is no dataset in {tmp_path}. `geniex dataset` makes one."):
        open_dataset(tmp_path)


def test_an_unfinished_dataset_is_not_opened(copy):
    for name in SHARDS[1:3]:
        (copy / name).unlink()
    with pytest.raises(ValueError, match=r"is not finished: 2 of 5 shards are missing. Run the"):
        open_dataset(copy)
