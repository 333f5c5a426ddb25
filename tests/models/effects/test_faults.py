"""Stuck cells: as many as the rates say, or where the map says, and nothing moves them."""

import numpy as np
import pytest
import torch

from geniex.models.effects import FaultMap, FaultRates, StuckCells
from geniex.models.ideal import Ideal
from tests.models.effects.statistics import check_share, seeded

ON, OFF = 1e-4, 1e-7
G = torch.full((2, 300, 200), 1e-5, dtype=torch.float64)
CORNER = torch.tensor([[True, False], [False, False]])
NONE = torch.zeros(2, 2, dtype=torch.bool)


def stuck(faults):
    return StuckCells(Ideal(), faults, ON, OFF, seeded())


@pytest.mark.parametrize(("on", "off"), [(0.02, 0.1), (0.0, 0.3), (0.5, 0.0), (0.3, 0.7), (0.0, 0.0)])
def test_rates_are_shares_of_the_cells(on, off):
    g = stuck(FaultRates(on, off)).write(G)
    check_share(g == ON, on)
    check_share(g == OFF, off)
    assert ((g == ON) | (g == OFF) | (g == G)).all()
    assert torch.equal(G, torch.full_like(G, 1e-5))  # inputs are never modified


def test_faults_are_drawn_once_per_writing():
    model, v = stuck(FaultRates(0.2, 0.2)), torch.ones(1, 300, dtype=torch.float64)
    read = model.program(G)
    assert torch.equal(read(v), read(v))
    assert not torch.equal(model.write(G), model.write(G))
    assert torch.equal(stuck(FaultRates(0.2, 0.2)).write(G), stuck(FaultRates(0.2, 0.2)).write(G))


def read_only(cells):
    return np.broadcast_to(cells.numpy(), cells.shape)


@pytest.mark.parametrize("kind", [torch.clone, torch.Tensor.numpy, read_only], ids=["tensor", "array", "read-only"])
def test_a_map_holds_for_all_crossbars(kind):
    faults = FaultMap(kind(CORNER), kind(CORNER.flip(0)))
    g = StuckCells(Ideal(), faults, ON, OFF).write(torch.full((3, 2, 2), 1e-5, dtype=torch.float64))
    assert g.tolist() == [[[ON, 1e-5], [OFF, 1e-5]]] * 3


def test_a_map_may_tell_crossbars_apart():
    maps = torch.stack([CORNER, NONE])
    g = StuckCells(Ideal(), FaultMap(maps, torch.zeros_like(maps)), ON, OFF).write(torch.full((2, 2, 2), 1e-5))
    assert torch.equal(g == torch.tensor(ON), maps)


def test_stuck_cells_have_no_gradient():
    g = torch.full((2, 2), 1e-5, requires_grad=True)
    StuckCells(Ideal(), FaultMap(CORNER, CORNER.flip(0)), ON, OFF).write(g).sum().backward()
    assert g.grad.tolist() == [[0.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FaultRates(-0.1, 0.0), r"at most 1 together; got on=-0\.1, off=0"),
        (lambda: FaultRates(0.6, 0.6), r"at most 1 together; got on=0\.6, off=0\.6"),
        (
            lambda: FaultMap(CORNER.float(), NONE),
            r"`FaultMap\(on=...\)` must hold booleans; got torch.float32\. Compare",
        ),
        (lambda: FaultMap(CORNER, NONE.int()), r"`FaultMap\(off=...\)` must hold booleans; got torch.int32"),
        (lambda: FaultMap(CORNER, NONE[:1]), r"must have one shape; got \(2, 2\) and \(1, 2\)"),
        (lambda: FaultMap(CORNER, CORNER), "has 1 cells that are stuck on and off"),
        (lambda: StuckCells(Ideal(), FaultRates(0.1), ON, OFF), r"`StuckCells\(generator=...\)` must be .* got None"),
        (lambda: StuckCells(Ideal(), FaultMap(CORNER, NONE), -1.0, OFF), r"`StuckCells\(g_on=...\)` .* got -1 S"),
        (lambda: StuckCells(Ideal(), FaultMap(CORNER, NONE), ON, -2.0), r"`StuckCells\(g_off=...\)` .* got -2 S"),
        (
            lambda: StuckCells(Ideal(), FaultMap(CORNER, NONE), ON, OFF).write(torch.ones(3, 2)),
            r"must broadcast to the crossbars, \(3, 2\); got \(2, 2\)\. Give one",
        ),
        (
            lambda: StuckCells(Ideal(), FaultMap(CORNER[None], NONE[None]), ON, OFF).write(torch.ones(2, 2)),
            r"must broadcast to the crossbars, \(2, 2\); got \(1, 2, 2\)",
        ),
    ],
)
def test_bad_descriptions_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
