"""Read noise has the variances of the formulas, is new at every read, and leaves what is not driven alone."""

import math

import pytest
import torch

from geniex.models.effects import (
    FaultMap,
    FlickerNoise,
    ProgrammingError,
    ReadNoise,
    RelativeSpread,
    ShotNoise,
    StuckCells,
    ThermalNoise,
)
from geniex.models.ideal import Ideal
from geniex.models.randomness import replaying, reseed, states
from tests.models.effects.statistics import ERRORS, check_normal, seeded
from tests.models.test_models import Halved

V = torch.tensor([0.1, -0.2, 0.25], dtype=torch.float64)
G = torch.tensor([[1e-5, 2e-6], [3e-6, 8e-6], [5e-6, 1e-6]], dtype=torch.float64)
K_B, Q_E = 1.380649e-23, 1.602176634e-19
READS = 100_000

THERMAL = [4 * K_B * 350 * 1e9 * (1e-5 + 3e-6 + 5e-6), 4 * K_B * 350 * 1e9 * (2e-6 + 8e-6 + 1e-6)]
SHOT = [
    2 * Q_E * 1e8 * abs(0.1 * 1e-5 - 0.2 * 3e-6 + 0.25 * 5e-6),
    2 * Q_E * 1e8 * abs(0.1 * 2e-6 - 0.2 * 8e-6 + 0.25 * 1e-6),
]
FLICKER = [
    0.03**2 * ((0.1 * 1e-5) ** 2 + (0.2 * 3e-6) ** 2 + (0.25 * 5e-6) ** 2),
    0.03**2 * ((0.1 * 2e-6) ** 2 + (0.2 * 8e-6) ** 2 + (0.25 * 1e-6) ** 2),
]
SOURCES = (ThermalNoise(1e9, 350.0), ShotNoise(1e8), FlickerNoise(0.03))


@pytest.mark.parametrize(
    ("sources", "variances"),
    [
        (SOURCES[0], THERMAL),
        (SOURCES[1], SHOT),
        (SOURCES[2], FLICKER),
        (SOURCES, [sum(parts) for parts in zip(THERMAL, SHOT, FLICKER, strict=True)]),
    ],
    ids=["thermal", "shot", "flicker", "all"],
)
def test_noise_is_normal_with_the_variance_of_the_formula(sources, variances):
    i = ReadNoise(Ideal(), sources, seeded())(V.expand(READS, 3), G)
    for column, variance in enumerate(variances):
        check_normal(i[:, column], (V @ G)[column], math.sqrt(variance))


def test_flicker_is_what_fluctuating_cells_make():
    """The independent reference: every read has conductances of its own."""
    fluctuating = G * (1 + 0.03 * torch.randn(READS, 3, 2, generator=seeded(1), dtype=torch.float64))
    i = ReadNoise(Ideal(), FlickerNoise(0.03), seeded())(V.expand(READS, 3), G)
    ratio = i.var(0) / torch.einsum("r,nrc->nc", V, fluctuating).var(0)
    assert ((ratio - 1).abs() < ERRORS * math.sqrt(4 / READS)).all()  # both variances have an error


def test_noise_of_inputs_columns_and_crossbars_is_independent():
    v, g = V.expand(READS // 2, 3), G.expand(2, 3, 2)
    i = ReadNoise(Ideal(), SOURCES, seeded())(v, g)
    series = torch.stack([i[0, :, 0], i[0, :, 1], i[1, :, 0], i[0, :, 0].roll(1)])
    correlation = torch.corrcoef(series) - torch.eye(4)
    assert correlation.abs().max() < ERRORS / math.sqrt(READS // 2)


def test_every_read_draws_anew():
    model = ReadNoise(Ideal(), SOURCES, seeded())
    read = model.program(G)
    first, second = read(V[None]), read(V[None])
    assert (first != second).all()
    assert torch.equal(ReadNoise(Ideal(), SOURCES, seeded())(V[None], G), first)
    reseed(model, 3)
    third = read(V[None])
    reseed(model, 3)
    assert torch.equal(read(V[None]), third)


def test_an_input_of_zeros_is_not_read():
    v = torch.stack([V, torch.zeros_like(V), torch.tensor([0.0, 0.1, 0.0])])
    i = ReadNoise(Ideal(), SOURCES, seeded())(v, G)
    quiet = v @ G
    assert (i[1] == 0).all()
    assert (i[[0, 2]] != quiet[[0, 2]]).all()


def test_noise_is_that_of_the_cells_as_they_were_written():
    all_on = torch.ones(3, 2, dtype=torch.bool)
    stuck = StuckCells(Ideal(), FaultMap(all_on, ~all_on), g_on=1e-4, g_off=0.0)
    i = ReadNoise(stuck, SOURCES[0], seeded())(V.expand(READS, 3), G)
    check_normal(i[:, 0], V.sum() * 1e-4, math.sqrt(4 * K_B * 350 * 1e9 * 3e-4))


def test_noise_after_writing_is_the_same_noise():
    """From the same generator, so that whoever seeds the model seeds its reads."""
    model = ReadNoise(ProgrammingError(Ideal(), RelativeSpread(0.1), generator=seeded(1)), SOURCES, seeded(2))
    after = model.after_writing
    assert after.source.generator is model.source.generator
    recorded = states(model)
    i = model(V[None], G)
    with replaying(model, recorded):
        assert torch.equal(after.program(model.write(G))(V[None]), i)
    plain = ReadNoise(Halved(Ideal()), SOURCES, seeded())
    assert plain.after_writing is plain


def test_reads_are_differentiable():
    model = ReadNoise(Ideal(), SOURCES, seeded())
    recorded = states(model)

    def read(v, g):
        with replaying(model, recorded):
            return model(v, g * 1e-5) / 1e-5

    leaves = V[None].clone().requires_grad_(), (G / 1e-5).requires_grad_()
    assert torch.autograd.gradcheck(read, leaves)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_where_no_current_flows(dtype):
    """The slope of the square root is infinite there."""
    v = torch.tensor([[0.0, 0.1, 0.0], [0.0, 0.0, 0.0]], dtype=dtype).requires_grad_()
    g = torch.tensor([[1e-5, 2e-6], [0.0, 8e-6], [5e-6, 1e-6]], dtype=dtype).requires_grad_()
    ReadNoise(Ideal(), SOURCES[1:], seeded())(v, g).sum().backward()
    assert v.grad.isfinite().all()
    assert g.grad.isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ThermalNoise(0.0), r"`ThermalNoise\(bandwidth=...\)` must be finite and above 0 Hz; got 0 Hz"),
        (lambda: ThermalNoise(1e6, -3.0), r"`ThermalNoise\(kelvin=...\)` must be finite and above 0 K; got -3 K"),
        (lambda: ShotNoise(math.inf), r"`ShotNoise\(bandwidth=...\)` must be finite and above 0 Hz; got inf Hz"),
        (lambda: FlickerNoise(-0.1), r"`FlickerNoise\(std=...\)` must be finite and at least 0; got -0\.1"),
        (lambda: ReadNoise(Ideal(), (), seeded()), r"`ReadNoise\(sources=...\)` must hold a source, .* got none"),
        (lambda: ReadNoise(Ideal(), SOURCES), r"`ReadNoise\(generator=...\)` must be a torch.Generator.* got None"),
    ],
)
def test_bad_descriptions_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
