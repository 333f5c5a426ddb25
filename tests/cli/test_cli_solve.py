"""`geniex solve`: files of circuits to files of operating points."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from geniex import cli
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, SeriesAccess, Sinh
from geniex.devices.description import write_device
from geniex.models.circuit import Circuit
from geniex.models.linear import LinearCircuit
from tests.cli.commands import fail, solved, succeed
from tests.tolerances import FLOAT32, SAME_ALGORITHM


def test_solve_writes_the_operating_points_of_rectangular_crossbars(circuits):
    given = circuits()
    printed = succeed("solve", "circuits.npz", "solved.npz")
    found = solved()
    expected = Circuit(CrossbarSpec(6, 4), Sinh(0.25)).solve(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    assert set(found) == {"i", "u", "residual", "steps", "converged"}
    for name, array in found.items():
        reference = getattr(expected, name).numpy()
        assert array.dtype == reference.dtype
        np.testing.assert_allclose(array, reference, rtol=SAME_ALGORITHM, atol=1e-18)
    assert found["u"].shape == (2, 3, 6, 4)
    assert found["converged"].all()
    assert printed.startswith("6 circuits of 6x4, Sinh(v0=0.25): ")
    assert f"worst residual {found['residual'].max():.2e} V. Written to solved.npz." in printed


def test_solve_of_one_ohmic_cell_is_ohms_law(circuits):
    circuits(v=np.array([[0.2], [-0.1]]), g=np.array([[1e-5]]), r_source=250.0, r_sink=40, r_row=7.0, r_col=7.0)
    succeed("solve", "circuits.npz", "solved.npz", "--device", "ohmic")
    current = np.array([[0.2], [-0.1]]) / (250 + 40 + 1e5)
    np.testing.assert_allclose(solved()["i"], current, rtol=1e-9)  # solved to 1e-10 of the drive


def test_solve_takes_resistances_and_cells(circuits):
    given = circuits(r_source=10.0, r_sink=np.array([20.0]), r_row=0, r_col=np.float32(1.5))
    spec = CrossbarSpec(6, 4, 10.0, 20.0, 0.0, 1.5)
    v, g = torch.from_numpy(given["v"]), torch.from_numpy(given["g"])
    for options, device in ((["--v0", "0.1"], Sinh(0.1)), (["--device", "ohmic"], Ohmic())):
        succeed("solve", "circuits.npz", "solved.npz", *options)
        np.testing.assert_allclose(solved()["i"], Circuit(spec, device)(v, g), rtol=SAME_ALGORITHM, atol=1e-18)
    linear = LinearCircuit(spec)(v, g).numpy()
    np.testing.assert_allclose(solved()["i"], linear, rtol=0, atol=1e-8 * np.abs(linear).max())  # another algorithm


def test_solve_takes_device_files(circuits):
    given = circuits()
    write_device("cells/mine.toml", SeriesAccess(Sinh(0.1), 1e4))
    printed = succeed("solve", "circuits.npz", "solved.npz", "--device", "cells/mine.toml")
    expected = Circuit(CrossbarSpec(6, 4), SeriesAccess(Sinh(0.1), 1e4))
    current = expected(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    np.testing.assert_allclose(solved()["i"], current, rtol=SAME_ALGORITHM, atol=1e-18)
    assert "SeriesAccess(device=Sinh(v0=0.1), resistance=10000.0)" in printed


def test_solve_takes_lines_driven_and_sensed_from_both_ends(circuits):
    given = circuits(driven_ends=2, sensed_ends=np.array([2]))
    succeed("solve", "circuits.npz", "solved.npz")
    expected = Circuit(CrossbarSpec(6, 4, driven_ends=2, sensed_ends=2), Sinh(0.25))
    current = expected(torch.from_numpy(given["v"]), torch.from_numpy(given["g"]))
    np.testing.assert_allclose(solved()["i"], current, rtol=SAME_ALGORITHM, atol=1e-18)


def test_solve_writes_the_inside_of_crossbars(circuits):
    """What enters a column's sense amplifier came through its cells."""
    circuits()
    succeed("solve", "circuits.npz", "solved.npz", "--nodes")
    found = solved()
    assert set(found) == {*cli.circuits.WRITTEN, "cell_currents", "word_lines", "bit_lines", "power"}
    for name in ("cell_currents", "word_lines", "bit_lines"):
        assert found[name].shape == (2, 3, 6, 4)
    np.testing.assert_allclose(found["cell_currents"].sum(-2), found["i"], rtol=1e-6)
    np.testing.assert_allclose(found["word_lines"] - found["bit_lines"], found["u"], rtol=1e-6, atol=1e-12)
    assert found["power"].shape == (2, 3)


def test_solve_keeps_float32(circuits):
    given = circuits()
    succeed("solve", "circuits.npz", "solved.npz")
    exact = solved()["i"]
    circuits(v=given["v"].astype(np.float32), g=given["g"].astype(np.float32))
    succeed("solve", "circuits.npz", "solved.npz")
    assert solved()["i"].dtype == np.float32
    np.testing.assert_allclose(solved()["i"], exact, rtol=0, atol=FLOAT32 * np.abs(exact).max())


def test_solve_shares_crossbars_between_inputs(circuits):
    given = circuits()
    circuits(g=given["g"][:1])
    succeed("solve", "circuits.npz", "solved.npz")
    assert solved()["i"].shape == (2, 3, 4)


def test_solve_of_nothing_is_nothing(circuits):
    circuits(v=np.zeros((2, 0, 6)))
    assert "0 circuits of 6x4" in succeed("solve", "circuits.npz", "solved.npz")
    assert solved()["i"].shape == (2, 0, 4)


def test_solve_makes_the_folder_of_its_result(circuits):
    circuits()
    succeed("solve", "circuits.npz", "new/deep/solved.npz")
    assert [path.name for path in Path("new/deep").iterdir()] == ["solved.npz"]


def test_circuits_that_do_not_converge_are_written_and_end_with_1(circuits):
    circuits(v=np.random.default_rng(0).uniform(0, 0.25, (2, 50, 6)))
    message = fail("solve", "circuits.npz", "solved.npz", "--rtol", "1e-18", code=1)
    failed = int((~solved()["converged"]).sum())
    assert failed > 0
    assert f"{failed} circuits did not converge; `converged` in solved.npz says which. Use float64 or a larg" in message


BAD_CIRCUITS = {
    "no g": ({"g": None}, r"must hold v, g and any of .* found \(no g\)\."),
    "neither": ({"g": None, "v": None}, r"found \(no v\), \(no g\)\."),
    "unknown": (
        {"rsource": 3.0},
        "any of r_source, r_sink, r_row, r_col, driven_ends, sensed_ends, nothing else; found rsource",
    ),
    "NaN voltage": ({"v": np.full((1, 6), np.nan)}, "`v` must be finite; 6 of 6 values are not"),
    "NaN conductance": ({"g": np.full((6, 4), np.nan)}, "`g` must be finite .* the first is nan"),
    "negative": ({"g": np.full((6, 4), -1e-6)}, "`g` must be finite and at least 0 S; 24 of 24 .* the first is -1e-06"),
    "whole numbers": (
        {"v": np.ones((1, 6), int)},
        r"`v` in circuits.npz must be float32 or float64 .* got int64 \(1, 6\)",
    ),
    "half": ({"g": np.ones((6, 4), np.float16)}, r"`g` in circuits.npz must be float32 or .* got float16 \(6, 4\)"),
    "one dimension": ({"v": np.ones(6)}, r"`v` in circuits.npz .* at least 2 dimensions; got float64 \(6,\)"),
    "rows": ({"v": np.ones((1, 5))}, r"`v` must be \(\*tile, input, row\) in volt with row = 6; got float64 \(1, 5\)"),
    "tiles": ({"v": np.ones((3, 1, 6))}, r"broadcast with those of `g`, \(2,\); got float64 \(3, 1, 6\)"),
    "mixed": ({"v": np.ones((1, 6), np.float32)}, "`v` must have the dtype and device of `g`, float64"),
    "no cells": ({"v": np.ones((1, 0)), "g": np.ones((0, 4))}, r"`CrossbarSpec\(rows=...\)` must be .* got 0"),
    "resistance": ({"r_row": -1.0}, r"`CrossbarSpec\(r_row=...\)` must be finite and at least 0; got -1.0 ohm"),
    "resistances": ({"r_row": np.ones(3)}, r"`r_row` in circuits.npz must be one number in ohm; got float64 \(3,\)"),
    "text": ({"r_row": "2.5"}, r"`r_row` in circuits.npz must be one number in ohm; got <U3 \(\)"),
    "half an end": ({"sensed_ends": 1.5}, r"`sensed_ends` in circuits.npz must be one whole number; got float64 \(\)"),
    "three ends": ({"driven_ends": 3}, r"`CrossbarSpec\(driven_ends=...\)` must be 1 or 2; got 3"),
    "objects": ({"v": np.array([[None]])}, "circuits.npz cannot be used: it is damaged, or holds Python objects"),
}


@pytest.mark.parametrize(("changes", "message"), BAD_CIRCUITS.values(), ids=BAD_CIRCUITS.keys())
def test_bad_circuits_are_refused_and_nothing_is_written(circuits, changes, message):
    circuits(**changes)
    assert re.search(message, fail("solve", "circuits.npz", "solved.npz"))
    assert not Path("solved.npz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--v0", "0"], r"`Sinh\(v0=...\)` must be positive; got 0.0 V"),
        (["--v0", "nan"], r"`Sinh\(v0=...\)` must be positive; got nan V"),
        (["--device", "cubic"], r"`--device` must be sinh, ohmic, or a device file that ends in \.toml; got 'cubic'"),
        (["--device", "none.toml"], r"There is no device file none\.toml"),
        (["--rtol", "0"], "`rtol` must lie between 0 and 1; got 0.0"),
        (["--rtol", "1"], "`rtol` must lie between 0 and 1; got 1.0"),
    ],
)
def test_bad_options_of_solve_are_refused(circuits, options, message):
    circuits()
    assert re.search(message, fail("solve", "circuits.npz", "solved.npz", *options))


@pytest.mark.parametrize("content", [b"", b"text", None], ids=["empty", "text", "cut"])
def test_broken_files_of_circuits_are_refused(circuits, content):
    circuits()
    path = Path("circuits.npz")
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    assert "circuits.npz cannot be used: it is not an npz file, or its end is missing." in fail(
        "solve", "circuits.npz", "solved.npz"
    )


def test_a_missing_file_of_circuits_is_named():
    assert "There is no file none.npz." in fail("solve", "none.npz", "solved.npz")
