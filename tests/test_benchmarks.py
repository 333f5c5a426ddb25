"""Benchmarks run, and say what their columns promise: at sizes that take no time, whose times mean nothing."""

import pytest
from benchmarks import energy, frontier, gradients, network, program, read, reduced, scaling

from geniex.circuit.spec import CrossbarSpec


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    monkeypatch.setattr("benchmarks.timing.SHORTEST", 1e-6)


def test_reads_have_times_and_errors_and_a_picture(tmp_path):
    rows = list(read.rows(volts=(0.25,), shape=(2, 1)))
    found = {row["model"]: row for row in rows}
    assert found["Ideal"]["multiply-adds"] == found["LinearCircuit"]["x below linear"] == 1
    assert found["ReducedOrder, order 3"]["x below linear"] > 1000  # the aim at 0.25 V
    assert all(row["read, us"] > 0 and row["program, ms"] > 0 for row in rows)
    frontier.draw(rows, tmp_path / "cost.svg")
    assert "<svg" in (tmp_path / "cost.svg").read_text()


def test_multiply_adds_are_those_of_the_products():
    """Order 3, 64x64: 2 functions x 2 + 1 x (2 + 1/64) + 1 x 1 + 1 for the coupling, 4 polynomials of degree 9."""
    model = read.models(0.25)["ReducedOrder, order 3"]
    assert read.multiply_adds(model) == pytest.approx(4 + 2 + 1 / 64 + 1 + 1 + 4 * 9 / 64, rel=1e-12)


def test_more_functions_of_the_input_err_less():
    case = reduced.Case("small", CrossbarSpec(8, 6, 2000.0, 500.0, 20.0, 20.0))
    (row,) = reduced.rows((case,), shape=(2, 8))
    assert row["linear, %"] > row["1, %"] > row["2, %"] > row["all, %"]
    assert row["1, x"] == pytest.approx(row["linear, %"] / row["1, %"])


def test_crossbars_are_programmed(monkeypatch):
    monkeypatch.setattr(program, "THREADS", (1,))
    rows = list(program.rows(crossbars=3))
    assert {row["model"] for row in rows} == {"LinearCircuit", "ReducedOrder"}


def test_networks_and_layers_have_times_and_one_has_a_peak_of_memory():
    size = network.Size(images=2, models=("digital", "ideal"), layers=((4, 6), (64, 8)), batch=1, pixels=32)
    rows = list(network.rows(size))
    assert {(row["what"], row["model"]) for row in rows} >= {("ResNet-20", "ideal"), ("3x3, 4 to 4, 6x6", "reduced")}
    assert all(row["s per image"] > 0 for row in rows)
    compared = [row for row in rows if row["published, s"]]
    assert [row["published, s"] for row in compared] == [1.7, 0.17, 0.92, 0.92]
    assert all(row["x"] == pytest.approx(row["published, s"] / row["s per image"]) for row in compared)
    digital, ideal = (row["peak, MiB"] for row in rows if row["peak, MiB"])
    assert 50 < digital < ideal < 4000  # torch alone takes more than the one, a leak of currents more than the other


def test_backward_passes_have_times():
    rows = list(gradients.rows(shape=(1, 2, 4), repeats=1))
    assert [row["model"] for row in rows] == ["digital", "Ideal", "LinearCircuit", "ReducedOrder", "Geniex", "Circuit"]
    assert all(row["backward / forward"] == pytest.approx(row["backward, s"] / row["forward, s"]) for row in rows)


def test_power_of_arrays_is_compared_with_the_circuit(monkeypatch):
    monkeypatch.setattr(energy, "CROSSBARS", 1)
    monkeypatch.setattr(energy, "INPUTS", 3)
    first = {row["model"]: row for row in list(energy.rows())[:4]}
    assert first["ReducedOrder"]["largest, %"] < 1 < first["LinearCircuit"]["error, RMS %"]
    assert abs(first["Geniex"]["mean, %"]) <= first["Geniex"]["error, RMS %"]


def test_a_cluster_is_measured_against_this_process():
    size = scaling.Size(images=4, batch=1, parts=3, stored=16, models=("digital", "ideal"), workers=(1,))
    rows = list(scaling.rows(size))
    assert [(row["what"], row["workers"], row["count"]) for row in rows] == [
        ("ResNet-20, images", 0, 4),
        ("ResNet-20, images", 1, 4),
        ("parts of no work", 1, 3),
        ("a point, all stored", 0, 1),
    ]
    assert all(row["per s"] == pytest.approx(row["count"] / row["s"]) for row in rows)
    assert [row["CPU of workers, s"] > 0 for row in rows] == [False, True, True, False]
