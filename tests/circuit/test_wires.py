from dataclasses import replace

import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import lumped_resistance, wire_loss
from tests.tolerances import SAME_ALGORITHM

SPEC = CrossbarSpec(rows=4, cols=3, r_source=7.0, r_sink=5.0, r_row=2.0, r_col=3.0)


SPECS = [replace(SPEC, driven_ends=driven, sensed_ends=sensed) for driven in (1, 2) for sensed in (1, 2)]


def walk(currents, r_end, r_wire, ends):
    """Voltage lost at each cell of one line, walking along it from an end behind `r_end`; and the power in it.

    Of a current at a distance x from that end, the other end carries x / whole, as in any divider.
    """
    x = [r_end + r_wire * k for k in range(len(currents))]
    whole = x[-1] + r_end
    other = sum(i * x_k / whole for i, x_k in zip(currents, x, strict=True)) if ends == 2 and whole > 0 else 0.0
    current = sum(currents) - other
    potential, power = r_end * current, r_end * (current**2 + other**2)
    lost = []
    for k, i in enumerate(currents):
        if k:
            potential, power = potential + r_wire * current, power + r_wire * current**2
        lost.append(potential)
        current = current - i
    return torch.stack([torch.as_tensor(p) for p in lost]), power


def plain_loss(spec, i):
    """Voltages lost in the circuit of currents i (row, col), resistance by resistance, and the power lost in all."""
    rows = [walk(list(line), spec.r_source, spec.r_row, spec.driven_ends) for line in i]
    cols = [walk(list(line.flip(0)), spec.r_sink, spec.r_col, spec.sensed_ends) for line in i.mT]
    loss = torch.stack([lost for lost, _ in rows]) + torch.stack([lost.flip(0) for lost, _ in cols], dim=-1)
    return loss, sum(power for _, power in [*rows, *cols])


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_loss_is_the_sum_of_drops_over_every_resistance(spec, generator):
    i = torch.rand(4, 3, dtype=torch.float64, generator=generator)
    lost, power = plain_loss(spec, i)
    torch.testing.assert_close(wire_loss(spec, i), lost, rtol=SAME_ALGORITHM, atol=0)
    assert torch.isclose((i * lost).sum(), power, rtol=SAME_ALGORITHM)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_loss_is_symmetric_and_positive(spec, generator):
    x, y = torch.rand(2, 4, 3, dtype=torch.float64, generator=generator) - 0.5
    assert torch.isclose((x * wire_loss(spec, y)).sum(), (y * wire_loss(spec, x)).sum(), rtol=SAME_ALGORITHM)
    assert (x * wire_loss(spec, x)).sum() > 0


def test_lump_is_what_equal_currents_lose_on_average():
    """In all rows and columns the same current: the mean loss per ampere."""
    loss = wire_loss(SPEC, torch.ones(4, 3, dtype=torch.float64)).mean().item()
    assert lumped_resistance(SPEC) == pytest.approx(loss, rel=SAME_ALGORITHM)


def test_no_resistance_no_loss():
    for ends in (1, 2):
        spec = CrossbarSpec(4, 3, 0, 0, 0, 0, driven_ends=ends, sensed_ends=ends)
        assert (wire_loss(spec, torch.ones(2, 4, 3)) == 0).all()
