"""What a cache holds is used only if it is whole and of this version, and a full disk costs nothing that was there."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from geniex.configuration import EvaluationConfig
from geniex.evaluation import LabelledImages
from geniex.evaluation import store as batches
from geniex.study import PointStore, StudyConfig, Subject, outcomes, points_of, run_study, store, write_frame

BASE = EvaluationConfig.model_validate(
    {"crossbar": {"rows": 4, "cols": 5}, "exact": {"reads": 5, "images": 1}, "batch": 2}
)
STUDY = StudyConfig.model_validate({"axes": {"cell.r_on": [1e4, 1e5]}})


@pytest.fixture
def subject():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    return Subject(network, LabelledImages(images, random.integers(0, 3, 6), "noise"), ("digital", "linear"))


def known(subject, folder):
    return outcomes(points_of(STUDY, BASE), subject, PointStore(folder))


def run(subject, folder):
    return list(run_study(known(subject, folder), subject, PointStore(folder)))


def entry(folder, outcome):
    return folder / f"{outcome.key}.json"


def flip_a_digit(path):
    """JSON as before, with another number in it."""
    text = path.read_text()
    place = text.index('"top1": 0') + len('"top1": 0.')
    path.write_text(text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :])


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def empty(path):
    path.write_bytes(b"")


def of_no_text(path):
    path.write_bytes(b"\xff\xfe\x00")


def without_its_models(path):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"result": {"version": content["version"], "energy": None}}))


def without_margins(path):
    """As older points are, which had no checksum either."""
    result = json.loads(path.read_text())["result"]
    for model in result["models"]:
        del model["against"]
    path.write_text(json.dumps({"result": result}))


def of_another_version(path):
    path.write_text(path.read_text().replace('"version": "', '"version": "0.0.', 1))


@pytest.mark.parametrize(
    "damage",
    [flip_a_digit, cut, empty, of_no_text, without_its_models, without_margins, of_another_version],
)
def test_what_is_damaged_or_of_another_version_is_computed_anew(tmp_path, subject, damage):
    first = run(subject, tmp_path)
    whole = entry(tmp_path, first[0])
    damage(whole)
    found = known(subject, tmp_path)
    assert [outcome.result is None for outcome in found] == [True, False]
    write_frame(found, tmp_path / "results.parquet")  # `show` can still print the rest
    again = {outcome.key: outcome.result for outcome in run(subject, tmp_path)}
    assert again[first[0].key]["models"] == first[0].result["models"]
    assert all(outcome.result is not None for outcome in known(subject, tmp_path))


def test_the_entry_of_one_point_is_none_of_another(tmp_path, subject):
    one, other = run(subject, tmp_path)
    entry(tmp_path, one).write_bytes(entry(tmp_path, other).read_bytes())
    assert known(subject, tmp_path)[0].result is None


def test_another_version_finds_nothing_and_spoils_nothing(tmp_path, subject, monkeypatch):
    mine = run(subject, tmp_path)
    for module in (store, batches):
        monkeypatch.setattr(module, "version", lambda name: "0.0.1")
    assert [outcome.result for outcome in known(subject, tmp_path)] == [None, None]
    assert PointStore(tmp_path).of_other_versions() == {mine[0].result["version"]: 2}
    run(subject, tmp_path)
    monkeypatch.undo()
    assert [outcome.result for outcome in known(subject, tmp_path)] == [outcome.result for outcome in mine]


def test_damaged_batches_are_computed_anew(tmp_path, subject):
    (first, _) = run(subject, tmp_path)
    entry(tmp_path, first).unlink()
    stored = sorted((tmp_path / "batches").iterdir())
    for place, path in enumerate(stored):
        path.write_bytes((path.read_bytes()[:-30], b"", b"PK\x05\x06")[place % 3])
    again = {outcome.key: outcome.result for outcome in run(subject, tmp_path)}
    correct = [{**model, "seconds_per_image": 0} for model in first.result["models"]]
    assert [{**model, "seconds_per_image": 0} for model in again[first.key]["models"]] == correct


# A full disk


@pytest.fixture
def disk(monkeypatch):
    """Fills up when `room` files have been written; a write leaves half of the file there, as a real one can."""
    full = type("Disk", (), {"room": 10**6})()

    def limited(write):
        def writing(first, *args, **kwargs):
            full.room -= 1
            if full.room < 0:
                if isinstance(first, Path):
                    first.touch()
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(first, *args, **kwargs)

        return writing

    monkeypatch.setattr(Path, "write_text", limited(Path.write_text))
    monkeypatch.setattr(Path, "write_bytes", limited(Path.write_bytes))
    monkeypatch.setattr(np, "savez", limited(np.savez))
    return full


@pytest.mark.parametrize("room", [0, 1, 5, 6, 8])
def test_a_full_disk_stops_the_study_and_what_was_stored_is_whole(tmp_path, subject, disk, room):
    """The first 6 files are batches of the first point, the 7th is the point; then come batches of the second one."""
    folder, disk.room = tmp_path / "cache", room
    with pytest.raises(OSError, match=r"cannot be written: No space left on device. Make room for \S+") as caught:
        run(subject, folder)
    assert str(folder) in str(caught.value)
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(written) == room  # and nothing half beside
    disk.room = 10**6
    done = run(subject, folder)
    assert all(outcome.result is not None for outcome in done)
    assert all(path.read_bytes() == content for path, content in written.items())
    alone = run(subject, tmp_path / "alone")
    for outcomes_, name in ((done, "there"), (alone, "here")):
        write_frame(sorted(outcomes_, key=lambda outcome: outcome.key), tmp_path / name)
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_a_full_disk_leaves_the_table_that_was_there(tmp_path, subject, disk):
    found, table = run(subject, tmp_path), tmp_path / "results.parquet"
    write_frame(found[:1], table)
    before, disk.room = table.read_bytes(), 0
    with pytest.raises(OSError, match=r"results.parquet cannot be written: No space left on device"):
        write_frame(found, table)
    assert table.read_bytes() == before
    assert not list(tmp_path.glob(".results*"))
