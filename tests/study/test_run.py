"""Points are computed once, failures are kept beside results, and the table is a function of the points alone."""

import json

import numpy as np
import polars
import pytest
import torch
from torch import nn

from geniex.configuration import EvaluationConfig
from geniex.evaluation import LabelledImages
from geniex.study import PointStore, StudyConfig, Subject, frame, outcomes, points_of, run_study, write_frame
from geniex.study import run as module

BASE = EvaluationConfig.model_validate({"crossbar": {"rows": 4, "cols": 5}, "exact": {"reads": 5, "images": 1}})
STUDY = StudyConfig.model_validate({"axes": {"cell.r_on": [1e4, 1e5], "weights.slice_bits": [4, [8, 8]]}})


def study(points, subject, store):
    return run_study(outcomes(points, subject, store), subject, store)


@pytest.fixture
def subject():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    return Subject(network, LabelledImages(images, random.integers(0, 3, 6), "noise"), ("digital", "ideal", "linear"))


@pytest.fixture
def evaluations(monkeypatch):
    """The configurations of every call of `evaluate`."""
    calls, evaluate = [], module.evaluate

    def counting(network, images, models, layers, options):
        calls.append(options)
        return evaluate(network, images, models, layers, options)

    monkeypatch.setattr(module, "evaluate", counting)
    return calls


def test_each_point_is_computed_once_also_across_studies(tmp_path, subject, evaluations):
    points, store = points_of(STUDY, BASE), PointStore(tmp_path / "points")
    first = list(study(points, subject, store))
    assert len(first) == len(evaluations) == 4
    again = list(study(points, subject, store))
    assert len(evaluations) == 4
    assert frame(again).equals(frame(first))
    wider = StudyConfig.model_validate({"axes": {"cell.r_on": [1e4, 3e4]}})
    list(study(points_of(wider, BASE), subject, store))
    assert len(evaluations) == 5  # the other is one of the first study's


def test_another_network_images_or_models_are_other_points(tmp_path, subject, evaluations):
    points, store = points_of(StudyConfig(), BASE), PointStore(tmp_path)
    list(study(points, subject, store))
    other = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()
    images = LabelledImages(subject.images.images, 2 - subject.images.labels, "noise")
    for changed in (
        Subject(other, subject.images, subject.models),
        Subject(subject.network, images, subject.models),
        Subject(subject.network, subject.images, ("digital", "ideal")),
    ):
        before = len(evaluations)
        list(study(points, changed, store))
        assert len(evaluations) == before + 1


def test_a_point_that_fails_is_kept_with_its_error_and_the_others_go_on(tmp_path, subject, monkeypatch):
    evaluate = module.evaluate

    def failing(network, images, models, layers, options):
        if layers("0", network[0]).g_on > 5e-5:
            raise RuntimeError("the circuit does not converge")
        return evaluate(network, images, models, layers, options)

    monkeypatch.setattr(module, "evaluate", failing)
    points, store = points_of(STUDY, BASE), PointStore(tmp_path)
    found = list(study(points, subject, store))
    errors = [o.error for o in found if o.point.values["cell.r_on"] == 1e4]
    assert errors == ["RuntimeError: the circuit does not converge"] * 2
    assert all(o.result is not None for o in found if o.point.values["cell.r_on"] == 1e5)
    assert [o.error for o in outcomes(points, subject, store)] == [o.error for o in found]
    table = frame(found)
    assert table["error"].drop_nulls().to_list() == errors
    monkeypatch.setattr(module, "evaluate", evaluate)
    assert all(o.error is None and o.result is not None for o in study(points, subject, store))
    assert all(o.error is None for o in outcomes(points, subject, store))


def test_points_that_cannot_be_run_are_refused_before_the_first(tmp_path, subject, evaluations):
    points = points_of(StudyConfig.model_validate({"axes": {"crossbar.rows": [4, 8]}}), BASE)
    emulated = Subject(subject.network, subject.images, ("ideal", "geniex"))
    with pytest.raises(ValueError, match="2 of 2 points cannot be run") as caught:
        list(study(points, emulated, PointStore(tmp_path)))
    assert "crossbar.rows = 8" in str(caught.value)
    assert not evaluations


def test_a_damaged_result_is_computed_again(tmp_path, subject, evaluations):
    points, store = points_of(StudyConfig(), BASE), PointStore(tmp_path)
    (outcome,) = study(points, subject, store)
    for content in ("{", "[]", json.dumps({"other": 1})):
        (tmp_path / f"{outcome.key}.json").write_text(content)
        assert next(study(points, subject, store)).result is not None
    assert len(evaluations) == 4


def test_the_table_has_a_row_per_point_and_model_and_opens_as_parquet(tmp_path, subject):
    found = list(study(points_of(STUDY, BASE), subject, PointStore(tmp_path)))
    write_frame(found, tmp_path / "results.parquet")
    table = polars.read_parquet(tmp_path / "results.parquet")
    assert len(table) == 4 * 3
    assert table.columns[:3] == ["cell.r_on", "weights.slice_bits", "model"]
    assert set(table["weights.slice_bits"]) == {"4", "[8, 8]"}
    linear = table.filter((polars.col("model") == "linear") & (polars.col("cell.r_on") == 1e4))
    assert (linear["nf_error"] > 0).all()
    digital = table.filter(polars.col("model") == "digital")
    assert digital["nf_error"].is_null().all()
    top1 = found[0].result["models"][0]["top1"]
    assert (digital["top1"] == top1).all()
