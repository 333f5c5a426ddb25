"""Gradients on crossbars that are off: those of the products with what the cells have, drawn once.

References decode the weights from the conductances cell by cell, as the layout is described; a digit of a number moves
by its share of it, see `geniex.functional.gradients`.
"""

import pytest
import torch
from torch import nn

from geniex.chip import chip_of, load_chip
from geniex.circuit.spec import CrossbarSpec
from geniex.conversion import convert
from geniex.converters import Adc, Dac, DigitalFloor
from geniex.digital import FixedPoint
from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.models.effects import FaultRates, ProgrammingError, RelativeSpread, StuckCells
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.models.randomness import generators, reseed, states
from tests.models.effects.statistics import seeded
from tests.tolerances import FLOAT32

ROWS, COLS, OUTPUTS, SLICE_BITS = 6, 5, 3, 2
NUMBER = FixedPoint(8, 4)
SLICES = 4
CONFIG = HardwareConfig(
    ROWS, COLS, NUMBER, NUMBER, slice_bits=SLICE_BITS, adc=None, accumulator=None, floor=DigitalFloor()
)
STEP = (CONFIG.g_on - CONFIG.g_off) / (2**SLICE_BITS - 1)


def on_grid(*shape, seed):
    return torch.randint(-100, 100, shape, generator=seeded(seed)).double() / 16


X, W, GRAD = on_grid(7, 14, seed=1), on_grid(14, OUTPUTS, seed=2), on_grid(7, OUTPUTS, seed=3)
W[::5, 1] = 0


def cells(written):
    """(weight's row and column, slice, sign, conductance) of every cell that stands for a digit."""
    for tile in written.tiles:
        for crossbar, which in enumerate(tile.placed.which.tolist()):
            array, first = divmod(which, -(-SLICES * OUTPUTS // COLS))
            for col in range(COLS):
                place, output = divmod(first * COLS + col, OUTPUTS)
                for row in range(ROWS):
                    weight = tile.placed.number * ROWS + row
                    if place < SLICES and weight < len(W):
                        yield (weight, output), place, (1, -1)[array], tile.g[crossbar, row, col].item()


def effective(written):
    """The weights that the conductances stand for."""
    w = torch.zeros_like(W)
    for at, place, sign, g in cells(written):
        w[at] += sign * 4**place * (g - CONFIG.g_off) / STEP / 16
    return w


def slope(written, of_cell):
    """How much each effective weight moves with its weight, when a cell moves by `of_cell(g, nominal g)` per level."""
    moved = torch.zeros_like(W)
    for at, place, sign, g in cells(written):
        whole = int(W[at] * 16)
        digit = abs(whole) // 4**place % 4 if whole * sign > 0 else 0
        share = digit * 4**place / abs(whole) if whole else float(place == 0 and sign == 1)
        moved[at] += share * of_cell(g, CONFIG.g_off + STEP * digit)
    return moved


def gradients(model, config=CONFIG):
    """Those to X and W of sum(GRAD * product), and what was written."""
    x, w = X.clone().requires_grad_(), W.clone().requires_grad_()
    matmul = AnalogMatmul(model, config)
    programmed = matmul.program(w)
    (matmul.differentiable(x, w, programmed) * GRAD).sum().backward()
    return x.grad, w.grad, programmed.written


def check(model, of_cell):
    grad_x, grad_w, written = gradients(model)
    assert (effective(written) - W).abs().max() > 0.5
    torch.testing.assert_close(grad_x, GRAD @ effective(written).mT, rtol=FLOAT32, atol=1e-3)
    torch.testing.assert_close(grad_w, slope(written, of_cell) * (X.mT @ GRAD), rtol=FLOAT32, atol=1e-3)


def test_errors_of_writing_are_those_of_the_forward_pass():
    """A cell that came out 5 % too large moves 5 % too far."""
    check(ProgrammingError(Ideal(), RelativeSpread(0.1), generator=seeded()), lambda g, wanted: g / wanted)


def test_stuck_cells_do_not_move():
    stuck = {"g_on": 2e-5, "g_off": 0.0}  # beyond all digits, so that they can be told
    model = StuckCells(Ideal(), FaultRates(0.1, 0.1), **stuck, generator=seeded())
    is_stuck = tuple(torch.tensor(g, dtype=torch.float32).item() for g in stuck.values())
    check(model, lambda g, wanted: float(g not in is_stuck))


def test_the_gradient_of_a_fixed_chip_is_its_difference_quotient():
    """One digit per number and fine readings, so that a step of a weight tells a slope; one seed is one chip."""
    number = FixedPoint(8, 0)
    config = HardwareConfig(
        ROWS, COLS, number, number, slice_bits=8, dac=Dac(8), adc=Adc(32, full_scale=1e-4), accumulator=None
    )
    model = ProgrammingError(LinearCircuit(CrossbarSpec(ROWS, COLS)), RelativeSpread(0.1), generator=seeded())
    matmul = AnalogMatmul(model, config)
    x = torch.randint(20, 120, (1, ROWS), generator=seeded(1)).double()
    w = torch.randint(20, 120, (ROWS, 2), generator=seeded(2)).double()

    def output(w):
        reseed(model, 5)
        return matmul.multiply(x, matmul.program(w)).sum()

    reseed(model, 5)
    leaf = w.clone().requires_grad_()
    matmul.differentiable(x, leaf, matmul.program(leaf)).sum().backward()
    for at in ((0, 0), (3, 1), (5, 0)):
        step = torch.zeros_like(w)
        step[at] = 1
        quotient = (output(w + step) - output(w - step)) / 2
        # 2e-3: the second difference of a curve over one level of 255
        torch.testing.assert_close(leaf.grad[at], quotient, rtol=2e-3, atol=0)


def test_the_backward_pass_draws_nothing_new():
    model = ProgrammingError(Ideal(), RelativeSpread(0.1), generator=seeded())
    matmul, w = AnalogMatmul(model, CONFIG), W.clone().requires_grad_()
    y = matmul.differentiable(X, w, matmul.program(w))
    (before,) = states(model)
    y.sum().backward()
    assert torch.equal(generators(model)[0].get_state(), before)


@pytest.mark.parametrize("in_file", [True, False], ids=["from a file", "in memory"])
def test_on_a_chip_that_was_written_before_gradients_go_straight_through(tmp_path, in_file):
    """What its effects were is not known: the weights are taken to move all their cells as they should."""
    linear = nn.Linear(14, OUTPUTS, bias=False).double()
    linear.weight.data = W.mT.clone()
    model = ProgrammingError(Ideal(), RelativeSpread(0.1), generator=seeded())
    chip = chip_of(convert(linear, model, CONFIG))
    if in_file:
        chip.save(tmp_path / "chip.safetensors")
        chip = load_chip(tmp_path / "chip.safetensors")
    layer, x = convert(linear, model, CONFIG), X.clone().requires_grad_()
    chip.install(layer)
    (layer(x) * GRAD).sum().backward()
    (written,) = chip.layers[""].matrices
    torch.testing.assert_close(x.grad, GRAD @ effective(written).mT, rtol=FLOAT32, atol=1e-3)
    torch.testing.assert_close(layer.weight.grad, GRAD.mT @ X, rtol=FLOAT32, atol=1e-3)
