"""An evaluation with made-up numbers of a realistic size. None of them is a result."""

from dataclasses import replace

import numpy as np
import pytest

from geniex.energy import EnergyReport
from geniex.evaluation.results import Evaluation, ModelResult, NfError, NfSample

HIGH, MIDDLE, LOW = (0.703125, 0.6189, 0.7755), (0.53125, 0.4452, 0.6155), (0.421875, 0.3399, 0.5084)
CHECKED = (256, 16213)  # reads, columns


def made_up_sample(columns: int = 4096) -> NfSample:
    """Currents of columns whose NF leans from negative (nonlinear cells) to positive (wires)."""
    random = np.random.default_rng(5)
    ideal = random.gamma(4.0, 4e-6, columns)
    nf = 0.06 - 0.25 * np.exp(-ideal / 1e-5) * random.uniform(0.2, 1.0, columns) + random.normal(0, 0.01, columns)
    predicted = {
        "ideal": ideal,
        "linear": ideal * (1 - 0.07 - 4e2 * ideal),
        "geniex": ideal * (1 - nf - random.normal(0, 0.003, columns)),
    }
    return NfSample(ideal.tolist(), (ideal * (1 - nf)).tolist(), {name: i.tolist() for name, i in predicted.items()})


def made_up_evaluation(energy: EnergyReport | None = None) -> Evaluation:
    return Evaluation(
        title="ResNet-20 on CIFAR-100, 64 x 64 crossbars at 0.25 V",
        version="0.1.0",
        started="2026-03-14T09:26:53+00:00",
        provenance={
            "network": {"name": "geniex.networks:resnet20_cifar100", "sha256": "3f" * 32},
            "images": {"source": "CIFAR-100 test set, first 128", "sha256": "a7" * 32},
            "command": "geniex demo --images 128",
            "emulator": {"file": "assets/nominal_64x64.safetensors", "sha256": "0c" * 32},
        },
        config={
            "network": "geniex.networks:resnet20_cifar100",
            "images": {"count": 128, "batch": 16},
            "crossbar": {
                "rows": 64,
                "cols": 64,
                "r_source": 500.0,
                "r_sink": 100.0,
                "r_row": 2.5,
                "r_col": 2.5,
                "device": {"type": "Sinh", "v0": 0.25},
            },
            "hardware": {
                "weights": {"bits": 16, "fraction_bits": 12},
                "inputs": {"bits": 16, "fraction_bits": 12},
                "slice_bits": 4,
                "dac": {"bits": 4, "v_max": 0.25},
                "adc": {"bits": 14, "full_scale": None},
                "g_on": 1e-5,
                "g_off": 1e-5 / 6,
                "floor": "PaperFloor",
                "mapping": "DifferentialPair",
                "accumulator": {"bits": 32, "fraction_bits": 24},
            },
            "models": ["digital", "ideal", "linear", "geniex"],
            "check": {"reads": 256, "seed": 1, "skip_layers": []},
        },
        models=[
            ModelResult("digital", 128, *HIGH, difference=0.0, agreement=1.0, seconds_per_image=0.00412),
            ModelResult("ideal", 128, *HIGH, 0.0, 0.9921875, 0.0714, NfError(5.93, 5.61, 6.24, 14.8, 22.1, *CHECKED)),
            ModelResult("linear", 128, *LOW, -0.28125, 0.46875, 0.121, NfError(8.37, 8.02, 8.71, 19.2, 25.9, *CHECKED)),
            ModelResult(
                "geniex",
                128,
                *MIDDLE,
                -0.171875,
                0.6171875,
                0.903,
                NfError(0.2998, 0.2891, 0.3112, 0.79, 1.42, *CHECKED),
            ),
        ],
        sample=made_up_sample(),
        energy=energy,
    )


@pytest.fixture
def evaluation() -> Evaluation:
    return made_up_evaluation()


@pytest.fixture
def on_chips(evaluation) -> Evaluation:
    """Of the same accuracies, that of the linear circuit a mean over 3 chips, that of GENIEx over 20."""
    digital, ideal, linear, geniex = evaluation.models
    linear = replace(linear, chips=[linear.top1 - 0.03125, linear.top1, linear.top1 + 0.03125])
    geniex = replace(geniex, chips=[geniex.top1 - 0.0390625, geniex.top1 + 0.0390625] * 10)
    return replace(evaluation, models=[digital, ideal, linear, geniex])
