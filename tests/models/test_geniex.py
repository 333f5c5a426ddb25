import copy

import pytest
import torch

from geniex.models import geniex
from geniex.models.geniex import Geniex, Scaling
from tests.models.test_models import SCALING, SPEC, untrained
from tests.tolerances import SAME_ALGORITHM


def draw(generator, *tile):
    v = 0.25 * torch.rand(*tile, 6, 5, generator=generator, dtype=torch.float64)
    return v, 1e-6 + 9e-6 * torch.rand(*tile, 5, 4, generator=generator, dtype=torch.float64)


def test_two_stages_compute_the_formula_of_the_paper(generator):
    """i = i_ideal / f_R with f_R written out: inputs column by column, ReLU, output scaled by its range."""
    network = untrained(torch.float64)
    v, g = draw(generator, 3)
    columns = torch.stack([torch.cat([crossbar[:, col] for col in range(4)]) for crossbar in g])
    x = torch.cat([(columns - 1e-6) / 9e-6, v[:, 0] / 0.25], dim=-1)
    first = torch.cat([network.conductance.weight, network.voltage.weight], dim=-1)
    hidden = (x @ first.T + network.conductance.bias).clamp(min=0)
    f = 0.9 + 0.4 * (hidden @ network.output.weight.T + network.output.bias)
    expected = torch.einsum("br,brc->bc", v[:, 0], g) / f.clamp(min=0.45)
    torch.testing.assert_close(network(v, g)[:, 0], expected, rtol=SAME_ALGORITHM, atol=0)
    torch.testing.assert_close(network.ratio(v, g)[:, 0], f, rtol=SAME_ALGORITHM, atol=0)


def test_inputs_shared_by_crossbars_are_transformed_once(generator, monkeypatch):
    network = untrained(torch.float64)
    v, g = draw(generator, 3)
    expected = torch.stack([network(v[0], one) for one in g])
    for chunk in (1, 2, 2**20):
        monkeypatch.setattr(geniex, "INPUTS_AT_ONCE", chunk)
        torch.testing.assert_close(network(v[:1], g), expected, rtol=SAME_ALGORITHM, atol=0)


def test_the_ratio_never_turns_a_current_around():
    network = untrained(torch.float64)
    with torch.no_grad():
        network.output.bias.fill_(-100.0)
    v, g = torch.full((1, 5), 0.2, dtype=torch.float64), torch.full((5, 4), 5e-6, dtype=torch.float64)
    torch.testing.assert_close(network(v, g), v @ g / 0.45, rtol=SAME_ALGORITHM, atol=0)


def test_a_state_dict_carries_the_network(generator):
    v, g = draw(generator)
    trained, other = untrained(torch.float64), Geniex(SPEC, SCALING, hidden=16).double()
    other.load_state_dict(copy.deepcopy(trained.state_dict()))
    assert torch.equal(trained(v, g), other(v, g))


@pytest.mark.parametrize(
    ("v", "g", "message"),
    [
        (0.3, 5e-6, "`v` spans 0.3 to 0.3 V, but this model was made for 0 to 0.25 V"),
        (-0.1, 5e-6, "`v` spans -0.1 to -0.1 V"),
        (0.1, 2e-5, "`g` spans 2e-05 to 2e-05 S, but this model was made for 1e-06 to 1e-05 S"),
        (0.1, 1e-7, "`g` spans 1e-07 to 1e-07 S"),
    ],
)
def test_inputs_out_of_range_are_refused(v, g, message):
    network = untrained(torch.float32)
    with pytest.raises(ValueError, match=message):
        network(torch.full((1, 5), v), torch.full((5, 4), g))


def test_rounded_bounds_are_inside():
    network = untrained(torch.float32)
    network(torch.full((1, 5), 0.25 * (1 + 1e-6)), torch.full((5, 4), 1e-5 * (1 + 1e-6)))


@pytest.mark.parametrize("hidden", [0, -5])
def test_the_hidden_layer_has_units(hidden):
    with pytest.raises(ValueError, match=rf"`Geniex\(hidden=...\)` must be at least 1; got {hidden}"):
        Geniex(SPEC, SCALING, hidden=hidden)


@pytest.mark.parametrize(
    "wrong",
    [{"v_max": 0.0}, {"g_max": 1e-7}, {"f_min": 0.0}, {"f_max": 0.8}, {"g_min": -1e-6}],
    ids=str,
)
def test_scaling_needs_ranges(wrong):
    with pytest.raises(ValueError, match="`Scaling` needs v_max > 0"):
        Scaling(**{**vars(SCALING), **wrong})


def test_scaling_needs_numbers():
    with pytest.raises(ValueError, match="`Scaling` needs finite values"):
        Scaling(**{**vars(SCALING), "f_max": float("inf")})
