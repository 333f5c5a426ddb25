"""The card survives JSON and tells the errors that one measures by hand."""

import dataclasses
import json

import pytest

from geniex.devices import Ohmic, Sinh
from geniex.devices.description import describe_device
from geniex.emulation import EmulatorCard, MixedDigits, solve_samples
from geniex.emulation.errors import held_out_errors
from geniex.emulation.sampling import generator_of
from geniex.window import Window


def test_a_card_survives_json(trained):
    _, card = trained
    assert EmulatorCard.from_dict(json.loads(json.dumps(card.as_dict()))) == card


def without(key):
    def change(card):
        del card[key]

    return change


DAMAGES = {
    "a missing part": (without("window"), KeyError, "window"),
    "a missing plain part": (without("device"), TypeError, "device"),
    "an unknown part": (lambda card: card.update(colour="red"), TypeError, "colour"),
    "an unknown resistance": (lambda card: card["spec"].update(r_magic=1.0), TypeError, "r_magic"),
    "an impossible size": (lambda card: card["spec"].update(rows=0), ValueError, "got 0"),
    "an impossible window": (lambda card: card["window"].update(g_off=1.0), ValueError, r"got 1.0 and 1e-05 S"),
    "an incomplete error": (lambda card: card["errors"]["geniex"].pop("rmse"), TypeError, "rmse"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_card_is_refused(trained, damage):
    change, error, message = DAMAGES[damage]
    card = json.loads(json.dumps(trained[1].as_dict()))
    change(card)
    with pytest.raises(error, match=message):
        EmulatorCard.from_dict(card)


def test_devices_are_described_by_name_and_parameters():
    assert describe_device(Sinh(v0=0.3)) == {"type": "Sinh", "v0": 0.3}
    assert describe_device(Ohmic()) == {"type": "Ohmic"}


def test_errors_are_those_of_crossbars_that_training_never_saw(circuit, trained, recipe):
    """The crossbars of the card are drawn for it alone; ideal currents err by NF itself, 1 - 1 / f."""
    network, card = trained
    generator = generator_of(recipe.seed, "card")
    held_out = solve_samples(circuit, MixedDigits(), Window(), (32, 8), generator)
    nf = 1 - 1 / held_out.f.double()
    rmse = 100 * nf[~nf.isnan()].square().mean().sqrt().item()
    # f is stored in float32, which NF, a tenth of it, feels tenfold
    assert card.errors["ideal"].rmse == pytest.approx(rmse, rel=1e-5)
    assert held_out_errors(network, circuit.solver.spec, held_out, recipe.seed) == card.errors


def test_errors_name_the_emulator_and_what_it_competes_with(trained):
    errors = trained[1].errors
    assert set(errors) == {"geniex", "linear", "ideal"}
    assert errors["geniex"].rmse < errors["linear"].rmse
    for error in errors.values():
        assert error.low <= error.rmse <= error.high <= error.worst
        assert all(value >= 0 for value in dataclasses.astuple(error))
