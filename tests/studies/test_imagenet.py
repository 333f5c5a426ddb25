"""The studies of ImageNet: files that a run would not refuse, and the README against results."""

from pathlib import Path

import polars
import pytest
import studies.imagenet

from geniex.configuration import EvaluationConfig, read_config
from geniex.loading import load_models, load_network
from geniex.study import StudyConfig, points_of
from geniex.zoo import zoo_preprocess
from studies import frames

HERE = Path(studies.imagenet.__path__[0])


@pytest.mark.parametrize(
    ("name", "parameters"), [("squeezenet", 1_235_496), ("mobilenet", 470_072), ("resnet18", 11_689_512)]
)
def test_each_study_has_one_point_that_its_network_and_models_fit(name, parameters):
    study = read_config(HERE / f"{name}.toml", StudyConfig)
    config = read_config(HERE / study.config, EvaluationConfig)
    (point,) = points_of(study, config, HERE)
    assert list(load_models(list(study.models), point.config, HERE)) == [
        "digital",
        "ideal",
        "linear",
        "geniex",
        "reduced",
    ]
    network = load_network(study.network, None)
    assert sum(weights.numel() for weights in network.parameters()) == parameters


def test_the_images_of_resnet18_are_prepared_by_its_library():
    config = read_config(HERE / "resnet18_crossbar.toml", EvaluationConfig)
    assert "preprocess" not in config.model_fields_set
    assert zoo_preprocess(read_config(HERE / "resnet18.toml", StudyConfig).network).crop == 224


def test_all_three_are_on_the_same_crossbar():
    configs = [
        read_config(HERE / read_config(HERE / f"{name}.toml", StudyConfig).config, EvaluationConfig)
        for name in ("squeezenet", "mobilenet", "resnet18")
    ]
    assert all((each.crossbar, each.cell) == (configs[0].crossbar, configs[0].cell) for each in configs)


@pytest.mark.parametrize("name", ["squeezenet", "mobilenet"])
def test_the_readme_shows_what_was_found_on_all_images(name):
    table = polars.read_parquet(HERE / f"{name}.parquet")
    assert frames.markdown(table) in (HERE / "README.md").read_text()
    ((_, rows),) = frames.points_of(table)
    assert list(rows) == list(read_config(HERE / f"{name}.toml", StudyConfig).models)
    assert {row["images"] for row in rows.values()} == {1300}
