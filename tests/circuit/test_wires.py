import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.wires import wire_loss
from tests.tolerances import SAME_ALGORITHM

SPEC = CrossbarSpec(rows=4, cols=3, r_source=7.0, r_sink=5.0, r_row=2.0, r_col=3.0)


def plain_loss(spec, i):
    """The two drops as solver.md writes them: sums over the currents that pass each resistance."""
    loss = torch.zeros_like(i)
    for row in range(spec.rows):
        for col in range(spec.cols):
            drop = spec.r_source * i[row].sum()
            drop += spec.r_row * sum(i[row, k:].sum() for k in range(1, col + 1))
            rise = spec.r_sink * i[:, col].sum()
            rise += spec.r_col * sum(i[: k + 1, col].sum() for k in range(row, spec.rows - 1))
            loss[row, col] = drop + rise
    return loss


def test_loss_is_the_sum_of_drops_over_every_resistance(generator):
    i = torch.rand(4, 3, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(wire_loss(SPEC, i), plain_loss(SPEC, i), rtol=SAME_ALGORITHM, atol=0)


def test_loss_is_symmetric_and_positive(generator):
    x, y = torch.rand(2, 4, 3, dtype=torch.float64, generator=generator) - 0.5
    assert torch.isclose((x * wire_loss(SPEC, y)).sum(), (y * wire_loss(SPEC, x)).sum(), rtol=SAME_ALGORITHM)
    assert (x * wire_loss(SPEC, x)).sum() > 0


def test_no_resistance_no_loss():
    assert (wire_loss(CrossbarSpec(4, 3, 0, 0, 0, 0), torch.ones(2, 4, 3)) == 0).all()
