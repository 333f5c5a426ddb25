import pytest
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, Sinh
from geniex.models.base import CrossbarModel, check_conductances, check_range
from geniex.models.circuit import Circuit
from geniex.models.effects import (
    Drift,
    FaultMap,
    FaultRates,
    FiniteLevels,
    FlickerNoise,
    LognormalSpread,
    ProgrammingError,
    ReadNoise,
    RelativeSpread,
    ShotNoise,
    StuckCells,
    Temperature,
    ThermalNoise,
)
from geniex.models.geniex import Geniex, Scaling
from geniex.models.guard import OperatingRange
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit
from geniex.testing import check_model

SPEC = CrossbarSpec(rows=5, cols=4, r_source=2000.0, r_sink=500.0, r_row=50.0, r_col=20.0)
SCALING = Scaling(v_max=0.25, g_min=1e-6, g_max=1e-5, f_min=0.9, f_max=1.3)


class Halved(CrossbarModel):
    """A user's model, which wraps another."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def program(self, g):
        read = self.model.program(g)
        return lambda v: read(v) / 2


class Twisted(CrossbarModel):
    """`Ideal` between functions of its conductances, voltages and currents, to break the contract with."""

    def __init__(self, **of):
        super().__init__()
        self.of = {"g": lambda g: g, "v": lambda v: v, "i": lambda i: i} | of

    def program(self, g):
        read = Ideal().program(self.of["g"](g))
        return lambda v: self.of["i"](read(self.of["v"](v)))


def matching(v):
    """`v`, or a TypeError where it has another number of rows than 5."""
    if v.shape[-1] != 5:
        raise TypeError("5 rows, please")
    return v


def untrained(dtype):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Geniex(SPEC, SCALING, hidden=16).to(dtype)


def drawing():
    return torch.Generator().manual_seed(0)


NOISE = ThermalNoise(1e9), ShotNoise(1e8), FlickerNoise(0.02)
CORNER = torch.arange(20).view(5, 4) < 2

MODELS = [
    Ideal(),
    LinearCircuit(SPEC),
    LinearCircuit(CrossbarSpec(5, 4, 0, 0, 0, 0)),
    Circuit(SPEC, Ohmic()),
    Circuit(SPEC, Sinh()),
    untrained(torch.float64),
    untrained(torch.float32),
    Halved(Ideal()),
    ProgrammingError(Ideal(), LognormalSpread(0.1), generator=drawing()),
    ProgrammingError(untrained(torch.float64), RelativeSpread(0.05), 1e-6, 1e-5, drawing()),
    ReadNoise(Circuit(SPEC, Sinh()), NOISE, drawing()),
    StuckCells(Ideal(), FaultRates(0.1, 0.2), 1e-5, 1e-6, drawing()),
    StuckCells(LinearCircuit(SPEC), FaultMap(CORNER, ~CORNER & CORNER.flip(0)), 1e-5, 1e-6),
    Drift(Ideal(), time=3600.0, nu=0.05),
    Drift(Ideal(), time=3600.0, nu=0.05, spread=0.01, generator=drawing()),
    Temperature(LinearCircuit(SPEC), 350.0, ((1e-6, 0.1), (1e-5, 0.0))),
    ProgrammingError(
        ReadNoise(Drift(Halved(Ideal()), 10.0, 0.05, 0.01, generator=drawing()), NOISE, drawing()),
        RelativeSpread(0.05),
        generator=drawing(),
    ),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_models_keep_the_contract(model):
    check_model(model)


def test_rounded_conductances_keep_the_contract():
    """But for float64: their gradients are not those of what they compute."""
    check_model(FiniteLevels.between(Circuit(SPEC, Sinh()), 1e-6, 1e-5, 8), dtypes=(torch.float32,))


class Forgetful(CrossbarModel):
    """Programs without what `write` draws."""

    def __init__(self):
        super().__init__()
        self.generator = drawing()

    def write(self, g):
        return g * (1 + torch.rand(g.shape, generator=self.generator))

    def program(self, g):
        return Ideal().program(g)


def test_the_contract_holds_programming_to_what_was_written():
    with pytest.raises(AssertionError, match=r"program\(g\) equals after_writing.program\(write\(g\)\)\. Found"):
        check_model(Forgetful())


def test_the_contract_leaves_a_random_model_as_it_was():
    model, same = (ProgrammingError(Ideal(), RelativeSpread(0.1), generator=drawing()) for _ in range(2))
    check_model(model)
    g = torch.ones(5, 4)
    assert torch.equal(model.write(g), same.write(g))


@pytest.mark.parametrize(
    ("model", "property_"),
    [
        (Twisted(i=lambda i: i + 1e-9), r"no current flows at 0 V\. Found 1e-09"),
        (Twisted(i=lambda i: i * i.shape[0]), "a batch computes what single crossbars do"),
        (Twisted(i=lambda i: i[..., :1]), r"leading dimensions broadcast .* Found torch.Size\(\[2, 3, 6, 1\]\)"),
        (Twisted(i=lambda i: i.double()), r"the currents keep the dtype torch.float32\. Found torch.float64"),
        (Twisted(i=lambda i: i * torch.nan), r"currents are finite\. Found 144 of 144 values"),
        (Twisted(i=lambda i: i * (1 + torch.rand_like(i))), r"program\(g\)\(v\) equals model\(v, g\)"),
        (Twisted(v=lambda v: v.detach()), "the model is differentiable in v and g"),
        (Twisted(g=lambda g: g.detach()), "the model is differentiable in v and g"),
        (Twisted(g=lambda g: g.abs()), r"a negative conductance raises ValueError\. Found no error"),
        (Twisted(g=lambda g: g.nan_to_num()), "a conductance that is not finite raises ValueError"),
        (Twisted(v=lambda v: v.nan_to_num()), "a voltage that is not finite raises ValueError"),
        (Twisted(v=matching), r"another number of rows raises ValueError\. Found TypeError: 5 rows, please"),
    ],
)
def test_the_contract_names_what_is_broken(model, property_):
    with pytest.raises(AssertionError, match=property_):
        check_model(model)


@pytest.mark.parametrize(
    ("v_max", "g_min", "g_max"), [(0.25, 2e-5, 1e-4), (0.25, 1e-8, 1e-7), (2.0, 1e-6, 1e-5), (0.02, 0.0, 1e-3)]
)
def test_the_contract_stays_within_the_range_of_an_emulator(v_max, g_min, g_max):
    """Ranges above and below the usual one: there the check once drew conductances that the emulator refuses."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        check_model(Geniex(SPEC, Scaling(v_max, g_min, g_max, f_min=0.9, f_max=1.3), hidden=16).double())


class Double(CrossbarModel):
    """Refuses all but float64."""

    def program(self, g):
        if g.dtype != torch.float64:
            raise RuntimeError("float64, please")
        return Ideal().program(g)


def test_the_contract_can_be_limited_to_a_dtype():
    check_model(Double(), dtypes=(torch.float64,))
    with pytest.raises(RuntimeError, match="float64, please"):
        check_model(Double(), dtypes=(torch.float32,))


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
        (
            torch.ones(3, 1, 5),
            torch.ones(2, 5, 4),
            r"broadcast with those of `g`, \(2,\); got float32 \(3, 1, 5\)",
        ),
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
