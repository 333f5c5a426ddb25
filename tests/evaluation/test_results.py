import dataclasses
import json

import pytest

from geniex.evaluation import Evaluation, ModelResult, NfError, NfSample


def make_evaluation(sample):
    nf = NfError(rmse=1.5, low=1.25, high=1.75, p99=4.0, worst=8.0, reads=10, columns=80)
    return Evaluation(
        title="A network on images",
        version="0.1.0",
        started="2026-03-14T09:26:53+00:00",
        provenance={"images": {"count": 4}},
        config={"batch": 32, "adc": {"full_scale": None}},
        models=[
            ModelResult("digital", 4, 0.75, 0.3, 0.95, 0.0, 1.0, 0.001),
            ModelResult("ideal", 4, 0.5, 0.15, 0.85, None, None, 0.25, nf),
        ],
        sample=sample,
    )


@pytest.mark.parametrize("sample", [None, NfSample([1e-6], [9e-7], {"ideal": [1e-6]})])
def test_an_evaluation_survives_json(sample):
    evaluation = make_evaluation(sample)
    read = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert read == evaluation.as_dict()
    assert read["models"][1]["nf"]["rmse"] == 1.5
    assert read["models"][0]["nf"] is None
    assert (read["sample"] is None) == (sample is None)


def test_results_do_not_change_after_the_run():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_evaluation(None).models = []
