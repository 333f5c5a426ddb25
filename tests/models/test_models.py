import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, Sinh
from geniex.models.base import CrossbarModel, OperatingRange, check_conductances, check_range
from geniex.models.circuit import Circuit
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.testing import check_model

SPEC = CrossbarSpec(rows=5, cols=4, r_source=2000.0, r_sink=500.0, r_row=50.0, r_col=20.0)
SCALING = Scaling(v_max=0.25, g_min=1e-6, g_max=1e-5, f_min=0.9, f_max=1.3)


class Halved(CrossbarModel):
    """A user's model that wraps another; `twist` breaks it in a way that the contract names."""

    def __init__(self, model, twist=""):
        super().__init__()
        self.model, self.twist = model, twist

    def program(self, g):
        read = self.model.program(g.abs() if self.twist == "negative" else g)
        twist = {"offset": lambda i: i + 1e-9, "batch": lambda i: i * i.shape[0], "shape": lambda i: i[..., :1]}
        return lambda v: twist.get(self.twist, lambda i: i / 2)(read(v))


def untrained(dtype):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Geniex(SPEC, SCALING, hidden=16).to(dtype)


MODELS = [
    Ideal(),
    LinearCircuit(SPEC),
    LinearCircuit(CrossbarSpec(5, 4, 0, 0, 0, 0)),
    Circuit(SPEC, Ohmic(), rtol=1e-13),
    Circuit(SPEC, Sinh(), rtol=1e-13),
    untrained(torch.float64),
    untrained(torch.float32),
    Halved(Ideal()),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_models_keep_the_contract(model):
    check_model(model)


@pytest.mark.parametrize(
    ("twist", "property_"),
    [
        ("offset", "no current flows at 0 V"),
        ("batch", "a batch computes what single crossbars do"),
        ("shape", "leading dimensions broadcast"),
        ("negative", "a negative conductance raises ValueError"),
    ],
)
def test_the_contract_names_what_is_broken(twist, property_):
    with pytest.raises(AssertionError, match=property_):
        check_model(Halved(Ideal(), twist))


@pytest.mark.parametrize("model", [Ideal(), LinearCircuit(SPEC), Circuit(SPEC, Sinh())], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(
    ("v", "g", "message"),
    [
        (torch.ones(1, 4), torch.ones(5, 4) * 1e-5, r"row = 5; got float32 \(1, 4\)"),
        (torch.ones(5), torch.ones(5, 4) * 1e-5, r"`v` must be \(\*tile, input, row\)"),
        (torch.ones(1, 5, dtype=torch.float64), torch.ones(5, 4), "dtype and device of `g`, float32"),
        (torch.full((1, 5), torch.inf), torch.ones(5, 4), "`v` must be finite; 5 of 5 values"),
        (torch.ones(1, 5), torch.full((5, 4), torch.nan), "20 of 20 values are not, the first is nan"),
        (torch.ones(1, 5), -torch.ones(5, 4), "the first is -1.0"),
    ],
)
def test_bad_input_is_named(model, v, g, message):
    with pytest.raises(ValueError, match=message):
        model.program(g)(v)


@pytest.mark.parametrize(
    "g", [torch.ones(5, 4, dtype=torch.int64), torch.ones(5)], ids=["whole numbers", "one dimension"]
)
def test_conductances_are_floating_and_have_two_dimensions(g):
    with pytest.raises(ValueError, match=r"`g` must be a floating tensor \(\*tile, row, col\) in siemens; got"):
        check_conductances(g)


@pytest.mark.parametrize("model", [LinearCircuit(SPEC), Circuit(SPEC, Sinh())], ids=lambda m: type(m).__name__)
def test_a_circuit_refuses_crossbars_of_another_size(model):
    with pytest.raises(ValueError, match=r"\(row, col\) = \(5, 4\), the crossbar's; got float32 \(4, 5\)"):
        model.program(torch.ones(4, 5))


@pytest.mark.parametrize(
    ("needed", "message"),
    [
        (OperatingRange(4, 5), "models crossbars of 5x4, but tiles of 4x5"),
        (OperatingRange(5, 4, 0, 0.5, 1e-6, 1e-5), "v from 0 to 0.25 V, but 0 to 0.5 V"),
        (OperatingRange(5, 4, -0.1, 0.1, 1e-6, 1e-5), "but -0.1 to 0.1 V"),
        (OperatingRange(5, 4, 0, 0.25, 1e-7, 1e-5), "g from 1e-06 to 1e-05 S, but 1e-07 to 1e-05 S"),
    ],
)
def test_a_model_made_for_something_else_is_refused(needed, message):
    with pytest.raises(ValueError, match=message):
        check_range(untrained(torch.float32), needed)


def test_any_range_suits_a_model_without_one():
    check_range(Ideal(), OperatingRange(3, 7))
    check_range(Circuit(SPEC, Sinh()), OperatingRange(5, 4, -100, 100, 0, 1))
