"""What a model does with what it was not made for."""

import warnings

import pytest
import torch

from geniex.models.base import CrossbarModel, check_range
from geniex.models.geniex import Geniex, Scaling
from geniex.models.guard import OperatingRange, OutOfRangeWarning, RangeGuard, shares_outside
from geniex.models.ideal import Ideal
from tests.models.test_models import SPEC

BOUNDS = OperatingRange(2, 3, 0.0, 0.2, 1e-6, 5e-6, v_density=(0.25, 0.75), g_density=(0.0, 0.5))
INSIDE = torch.tensor([[0.1, 0.1], [0.2, 0.0]])
G = torch.full((2, 3), 2e-6)
EMPTY = r"`density of g` spans .*, but this model was made for 0\.1 to 1"


class Bounded(CrossbarModel):
    """`Ideal`, made for `BOUNDS`."""

    operating_range = BOUNDS

    def program(self, g):
        self.guard.check_conductances(g, BOUNDS)

        def read(v):
            self.guard.check_voltages(v, BOUNDS)
            return v @ g

        return read


def warned(call, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments)
    return [str(warning.message) for warning in caught if warning.category is OutOfRangeWarning]


@pytest.mark.parametrize(
    ("v", "g", "message"),
    [
        (
            INSIDE + 0.1,
            G,
            r"`v` spans 0.1 to 0.3 V, but this model was made for 0 to 0.2 V: 25 % of this",
        ),
        (INSIDE - 0.05, G, r"`v` spans -0.05 to 0.15 V"),
        (INSIDE / 4, G, r"`density of v` spans 0.125 to 0.125, but this model was made for 0.25 to 0.75: 100 %"),
        (INSIDE, 4 * G, r"`g` spans 8e-06 to 8e-06 S, but this model was made for 1e-06 to 5e-06 S: 100 %"),
        (INSIDE, 2 * G, r"`density of g` spans 0.75 to 0.75, but this model was made for 0 to 0.5"),
    ],
)
def test_out_of_range_is_refused_or_said_once(v, g, message):
    with pytest.raises(ValueError, match=message):
        Bounded()(v, g)
    model = Bounded()
    model.guard = RangeGuard("warn")
    said = warned(model, v, g)
    assert len(said) >= 1
    with pytest.raises(ValueError, match=message):
        raise ValueError(said[0])
    assert warned(model, v, g) == []
    torch.testing.assert_close(model(v, g), v @ g)


def test_models_do_not_share_what_was_said():
    models = [Bounded(), Bounded()]
    for model in models:
        model.guard = RangeGuard("warn")
        assert len(warned(model, INSIDE, 2 * G)) == 1


def test_a_guard_cannot_be_changed_under_other_models():
    """All models begin with the same one."""
    with pytest.raises(AttributeError):
        Bounded().guard.policy = "warn"


@pytest.mark.parametrize(
    ("bounds", "v", "share"),
    [
        (OperatingRange(2, 3, v_max=0.2), 5.0, 1.0),
        (OperatingRange(2, 3, v_min=0.0), -5.0, 1.0),
        (OperatingRange(2, 3, v_max=0.2), 0.2, 0.0),
        (OperatingRange(2, 3, v_min=0.0), 0.0, 0.0),
        (OperatingRange(2, 3, v_max=0.2), -5.0, 0.0),
    ],
)
def test_a_range_may_be_open_at_one_end(bounds, v, share):
    assert shares_outside(bounds, torch.full((1, 2), v), G)["v"] == share


def test_inside_is_inside():
    model = Bounded()
    torch.testing.assert_close(model(INSIDE, G), INSIDE @ G)
    assert model(torch.zeros(3, 2), G).abs().max() == 0  # no density, no current
    assert model(torch.zeros(0, 2), G).shape == (0, 3)
    assert shares_outside(BOUNDS, INSIDE, G) == {"v": 0, "density of v": 0, "g": 0, "density of g": 0}


def test_shares_are_counted():
    v = torch.tensor([[0.1, 0.1], [0.2, 0.2], [0.3, 0.0], [0.0, 0.0]])
    g = torch.stack([G, 2 * G, 4 * G])
    expected = {"v": 1 / 8, "density of v": 1 / 3, "g": 1 / 3, "density of g": 2 / 3}
    assert shares_outside(BOUNDS, v, g) == pytest.approx(expected)
    assert shares_outside(OperatingRange(2, 3), v, g) == {}


def test_a_shortfall_known_before_the_run_is_told_the_same_way():
    needed = OperatingRange(2, 3, 0.0, 0.4, 1e-6, 5e-6)
    model = Bounded()
    with pytest.raises(ValueError, match=r"holds for v from 0 to 0.2 V, but 0 to 0.4 V was asked for"):
        check_range(model, needed)
    model.guard = RangeGuard("warn")
    assert len(warned(check_range, model, needed)) == 1
    with pytest.raises(ValueError, match="crossbars of 2x3"):  # another size is another function
        check_range(model, OperatingRange(3, 3))


def test_an_emulator_knows_the_densities_of_its_training(generator):
    scaling = Scaling(0.25, 1e-6, 1e-5, 0.9, 1.3, v_density=(0.0, 0.5), g_density=(0.1, 1.0))
    network = Geniex(SPEC, scaling, 7)
    g = torch.full((SPEC.rows, SPEC.cols), 5e-6)
    with pytest.raises(ValueError, match=r"`density of v` spans 0.8 to 0.8, but this model was made for 0 to 0.5"):
        network(torch.full((1, SPEC.rows), 0.2), g)
    with pytest.raises(ValueError, match=EMPTY):
        network.program(torch.full_like(g, 1e-6))


def test_a_guard_that_ignores_computes_without_a_word():
    scaling = Scaling(0.25, 1e-6, 1e-5, 0.9, 1.3, v_density=(0.0, 0.5), g_density=(0.1, 1.0))
    network, g = Geniex(SPEC, scaling, 7), torch.full((SPEC.rows, SPEC.cols), 1e-6)
    network.guard = RangeGuard("ignore")
    assert warned(network, torch.full((1, SPEC.rows), 0.2), g) == []


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match=r"must be 'raise', 'warn' or 'ignore'; got 'shout'"):
        RangeGuard("shout")


def test_a_model_for_everything_has_no_range():
    assert Ideal().operating_range is None
