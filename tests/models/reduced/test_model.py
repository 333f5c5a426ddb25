"""How far the reduced-order model is from the exact circuit, and what it promises besides."""

import dataclasses

import numpy as np
import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, Selector, SeriesAccess, Sinh, Tabulated, Transistor1T1R
from geniex.models.circuit import Circuit
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.reduced import ReducedOrder
from geniex.nf import nf_error
from geniex.testing import check_model
from geniex.window import Window
from tests.emulation.references import reference
from tests.tolerances import FLOAT32, OTHER_ALGORITHM

NOMINAL = CrossbarSpec(64, 64)
VOLTS = np.linspace(-0.6, 0.6, 25)
SMALL = CrossbarSpec(5, 4, r_source=2000.0, r_sink=500.0, r_row=50.0, r_col=20.0)


def _levels(v_max, bits=4):
    return torch.linspace(0, v_max, 2**bits, dtype=torch.float64)


def _mixed(shape, generator):
    """Levels of 4 bits with a share of zeros between 0 and 95 % per item."""
    zeros = 0.95 * torch.rand(shape[0], *[1] * (len(shape) - 1), generator=generator)
    return torch.randint(0, 16, shape, generator=generator) * (torch.rand(shape, generator=generator) >= zeros)


def _ratio(spec, device, window, order=3, inputs=(4, 16)):
    """NF errors of the reduced model, and how many times smaller than the linear model's they are."""
    generator = torch.Generator().manual_seed(3)
    crossbars, each = inputs
    v = window.voltages(_mixed((crossbars * each, spec.rows), generator), torch.float64).view(crossbars, each, -1)
    g = window.conductances(_mixed((crossbars, spec.rows, spec.cols), generator), torch.float64)
    exact = Circuit(spec, device)(v, g)
    models = ReducedOrder(spec, device, _levels(window.v_max, window.v_bits), order), LinearCircuit(spec)
    reduced, linear = (nf_error(model(v, g), exact, v @ g, torch.Generator().manual_seed(0)) for model in models)
    return reduced, linear.rmse / reduced.rmse


@pytest.mark.parametrize(("v_max", "times"), [(0.25, 1500), (0.5, 1000)])
def test_on_the_references_it_is_far_closer_than_the_linear_model(v_max, times):
    """Crossbars solved by another program; 1900 and 1400 times when this was written."""
    window, v, g, exact, linear = reference(v_max)
    reduced = ReducedOrder(NOMINAL, Sinh(0.25), _levels(v_max))(v, g)
    errors = [nf_error(i, exact, v @ g, torch.Generator().manual_seed(0)) for i in (reduced, linear)]
    assert times * errors[0].rmse < errors[1].rmse
    assert errors[0].worst < 0.2
    assert window.v_max == v_max


@pytest.mark.parametrize(
    ("spec", "r_on", "on_off", "times"),
    [
        (dataclasses.replace(NOMINAL, r_row=20.0, r_col=20.0), 1e5, 6, 150),
        (CrossbarSpec(16, 16), 1e5, 6, 3000),
        (CrossbarSpec(128, 128), 1e5, 6, 300),
        (NOMINAL, 5e4, 6, 400),
        (NOMINAL, 3e5, 6, 3000),
        (NOMINAL, 1e5, 2, 900),
        (NOMINAL, 1e5, 10, 800),
        (CrossbarSpec(64, 64, r_source=1000.0, r_sink=500.0), 1e5, 6, 200),
        (dataclasses.replace(NOMINAL, driven_ends=2, sensed_ends=2), 1e5, 6, 1500),
        (CrossbarSpec(48, 96), 1e5, 6, 500),
    ],
    ids=["20 ohm", "16", "128", "50k", "300k", "on/off 2", "on/off 10", "drivers", "both ends", "rectangular"],
)
def test_on_other_circuits_at_half_a_volt(spec, r_on, on_off, times):
    error, ratio = _ratio(spec, Sinh(0.25), Window(0.5, 1 / r_on, 1 / r_on / on_off), inputs=(3, 12))
    assert ratio > times
    assert error.worst < 1.0


@pytest.mark.parametrize(
    ("device", "times"),
    [
        (SeriesAccess(Sinh(0.25), 2000.0), 500),
        (Transistor1T1R(Sinh(0.25), v_gate=1.2), 500),
        (Selector(Sinh(0.25), i0=1e-6, v0=0.05), 50),
        (
            Tabulated(
                voltages=tuple(VOLTS.tolist()),
                conductances=(1e-6, 1e-5),
                currents=tuple(tuple((g * 0.3 * np.sinh(VOLTS / 0.3)).tolist()) for g in (1e-6, 1e-5)),
            ),
            50,
        ),
    ],
    ids=lambda case: type(case).__name__,
)
def test_with_cells_in_series_and_tables(device, times):
    _, ratio = _ratio(CrossbarSpec(32, 32), device, Window(0.5), inputs=(3, 12))
    assert ratio > times


def test_each_order_is_closer_than_the_one_before():
    errors = [_ratio(NOMINAL, Sinh(0.25), Window(0.5), order, (2, 16))[0].rmse for order in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("size", [(64, 1), (1, 1), (1, 64), (3, 2)], ids=str)
@pytest.mark.parametrize("device", [Sinh(0.25), Ohmic()], ids=["sinh", "ohmic"])
def test_single_rows_and_columns(size, device):
    """0.02 % when this was written; one column has no others to be coupled with."""
    spec, generator = CrossbarSpec(*size), torch.Generator().manual_seed(0)
    v = Window().voltages(torch.randint(1, 16, (20, size[0]), generator=generator), torch.float64)
    g = Window().conductances(torch.randint(0, 16, (4, *size), generator=generator), torch.float64)
    reduced, exact = ReducedOrder(spec, device, _levels(0.25))(v, g), Circuit(spec, device)(v, g)
    torch.testing.assert_close(reduced, exact, rtol=1e-3, atol=0)


def test_programming_does_not_depend_on_threads():
    g = 1e-5 * torch.rand(70, 32, 32, generator=torch.Generator().manual_seed(0))
    v, threads = torch.full((1, 32), 0.2), torch.get_num_threads()
    model = ReducedOrder(CrossbarSpec(32, 32), Sinh(0.25), _levels(0.25))
    try:
        found = []
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(model.program(g))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(*(read(v) for read in found), rtol=1e-6, atol=0)


def test_with_ohmic_cells_it_is_the_linear_circuit_up_to_the_profile_of_bit_lines():
    reduced, _ = _ratio(NOMINAL, Ohmic(), Window(0.25))
    assert reduced.rmse < 0.005


def test_without_parasitics_it_is_ideal():
    spec = CrossbarSpec(6, 5, 0.0, 0.0, 0.0, 0.0)
    generator = torch.Generator().manual_seed(0)
    v = 0.25 * torch.rand(7, 6, generator=generator, dtype=torch.float64)
    g = 1e-5 * torch.rand(6, 5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(ReducedOrder(spec, Ohmic(), [0.25])(v, g), Ideal()(v, g), rtol=OTHER_ALGORITHM, atol=0)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("device", "levels"),
    [
        (Sinh(0.25), _levels(0.25)),
        (Sinh(0.25), torch.linspace(-0.3, 0.3, 31)),
        (Ohmic(), [0.25]),
        (SeriesAccess(Sinh(0.25), 2000.0), _levels(0.5)),
        (Transistor1T1R(Sinh(0.25), v_gate=1.2), _levels(0.5)),
    ],
    ids=["sinh", "both signs", "binary", "access", "transistor"],
)
def test_it_keeps_the_contract(device, levels, order):
    """Gradients with respect to v and g among it."""
    check_model(ReducedOrder(SMALL, device, levels, order))


@pytest.mark.parametrize("ends", [1, 2])
def test_negative_inputs_give_negative_currents(ends):
    """Cells that conduct alike both ways; levels of one sign were not asked to be."""
    spec = dataclasses.replace(SMALL, driven_ends=ends, sensed_ends=ends)
    model = ReducedOrder(spec, Sinh(0.25), torch.linspace(-0.3, 0.3, 31))
    generator = torch.Generator().manual_seed(0)
    v = 0.02 * torch.randint(-15, 16, (9, 5), generator=generator).double()
    g = 1e-5 * torch.rand(5, 4, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(model(-v, g), -model(v, g), rtol=OTHER_ALGORITHM, atol=1e-14)
    exact = Circuit(spec, Sinh(0.25))(v, g)
    torch.testing.assert_close(model(v, g), exact, rtol=0, atol=1e-4 * exact.abs().max().item())


@pytest.mark.parametrize("device", [Sinh(0.25), Transistor1T1R(Sinh(0.25), v_gate=0.8)], ids=["smooth", "bent"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_the_compiled_read_is_the_formula(device, signed):
    """At levels to the rounding of float32; between them splines, polynomials and straight pieces differ."""
    levels = torch.linspace(-0.3, 0.5, 17) if signed else _levels(0.5)
    generator = torch.Generator().manual_seed(0)
    g = 1e-5 * torch.rand(2, 70, 20, generator=generator)
    read = ReducedOrder(CrossbarSpec(70, 20), device, levels).program(g)
    v = levels[torch.randint(0, len(levels), (300, 70), generator=generator)].float()
    compiled, formula = read(v), read(v.clone().requires_grad_())
    assert formula.requires_grad
    torch.testing.assert_close(compiled, formula.detach(), rtol=0, atol=2e-6 * formula.abs().max().item())
    between = 0.5 * torch.rand(300, 70, generator=generator)
    compiled, formula = read(between), read(between.clone().requires_grad_()).detach()
    torch.testing.assert_close(compiled, formula, rtol=0, atol=FLOAT32 * formula.abs().max().item())


def test_reads_do_not_depend_on_threads_or_on_what_else_is_read():
    generator = torch.Generator().manual_seed(0)
    g = 1e-5 * torch.rand(3, 64, 64, generator=generator)
    v = 0.25 * torch.rand(3, 700, 64, generator=generator)
    model, threads = ReducedOrder(NOMINAL, Sinh(0.25), _levels(0.25)), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        together = model.program(g)(v)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    alone = torch.stack([model.program(one)(inputs) for one, inputs in zip(g, v, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=0)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad], ids=["inference", "no grad"])
@pytest.mark.parametrize("threads", [1, 2])
def test_reads_of_every_mode_after_each_other(mode, threads):
    """What a read keeps for the next serves it too, whatever required gradients; large enough for two threads."""
    g = 1e-5 * torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    v = torch.full((1024, 64), 0.2)
    expected = ReducedOrder(NOMINAL, Sinh(0.25), _levels(0.25)).program(g)(v)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        read = ReducedOrder(NOMINAL, Sinh(0.25), _levels(0.25)).program(g.clone().requires_grad_())
        with mode():
            for inputs in (v[:1], v, v.clone().requires_grad_()):
                torch.testing.assert_close(read(inputs).clone(), expected[: len(inputs)], rtol=1e-5, atol=0)
        with torch.no_grad():
            torch.testing.assert_close(read(v), expected, rtol=1e-5, atol=0)
        assert read(v[:2].clone()).requires_grad
    finally:
        torch.set_num_threads(before)


def test_inference_mode_and_no_inputs():
    model = ReducedOrder(SMALL, Sinh(0.25), _levels(0.25))
    with torch.inference_mode():
        assert model(torch.zeros(0, 5), torch.full((5, 4), 1e-5)).shape == (0, 4)
        assert model(torch.zeros(0, 3, 5), torch.full((0, 5, 4), 1e-5)).shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("levels", "order", "message"),
    [
        ([], 3, "`v_levels` must be finite voltages, not all of them 0"),
        ([0.0], 3, r"not all of them 0; got \[0.0\]"),
        ([0.1, float("nan")], 3, "`v_levels` must be finite"),
        ([[0.1]], 3, "`v_levels` must be finite"),
        ([0.1], 5, "`order` must be one of 1, 2, 3, 4; got 5"),
        ([0.1], "learned", "`order` must be one of 1, 2, 3, 4; got 'learned'"),
    ],
)
def test_bad_levels_and_orders_are_refused(levels, order, message):
    with pytest.raises(ValueError, match=message):
        ReducedOrder.__init__.__wrapped__(ReducedOrder.__new__(ReducedOrder), SMALL, Sinh(0.25), levels, order)


def test_voltages_out_of_range_are_refused():
    model = ReducedOrder(SMALL, Sinh(0.25), _levels(0.25))
    assert (model.operating_range.v_min, model.operating_range.v_max) == (0.0, 0.25)
    read = model.program(torch.full((5, 4), 1e-5))
    with pytest.raises(ValueError, match=r"`v` spans 0.3 to 0.3 V, but this model was made for 0 to 0.25 V"):
        read(torch.full((1, 5), 0.3))
