"""Devices as plain data: what goes out comes back, and what cannot is said."""

import json
import tomllib
from dataclasses import dataclass, field

import pytest
import torch

from geniex.devices import DeviceModel, Filament, Ohmic, Selector, SeriesAccess, Sinh, Tabulated, Transistor1T1R
from geniex.devices.description import build_device, describe_device, flattened, read_device, write_device

TABLE = Tabulated(
    voltages=(-0.5, 0.0, 0.5), conductances=(1e-6, 1e-5), currents=((-5e-7, 0.0, 6e-7), (-5e-6, 0.0, 6e-6))
)
DEVICES = [
    Ohmic(),
    Sinh(v0=0.3),
    Filament(i0=1e-3, d0=0.3e-9, v0=0.2),
    SeriesAccess(Sinh(0.2), resistance=2e3),
    Selector(Ohmic(), i0=1e-7, v0=0.1),
    Transistor1T1R(Sinh(), v_gate=1.2),
    Transistor1T1R(
        SeriesAccess(Sinh(), 100.0), v_gate=(1.0, 1.1, 1.2), v_threshold=0.3, k=2e-3, channel_modulation=0.1
    ),
    TABLE,
    SeriesAccess(TABLE, 50.0),
]


@dataclass(frozen=True)
class Cubic(DeviceModel):
    k: float = 4.0
    label: str = "mine"

    def current(self, v, g):
        return g * (v + self.k * v**3)


@pytest.fixture
def file(tmp_path):
    """Writes a device file of text."""

    def write(text):
        (tmp_path / "cell.toml").write_text(text)
        return tmp_path / "cell.toml"

    return write


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: type(device).__name__)
def test_a_device_survives_its_description_json_and_a_file(tmp_path, device):
    description = describe_device(device)
    assert build_device(description) == device
    assert json.loads(json.dumps(description)) == description
    write_device(tmp_path / "new" / "cell.toml", device, "made by hand\nin two lines")
    text = (tmp_path / "new" / "cell.toml").read_text()
    assert text.startswith("# made by hand\n# in two lines\n")
    assert tomllib.loads(text) == description
    assert read_device(tmp_path / "new" / "cell.toml") == device


def test_descriptions_are_what_cards_have_always_held():
    assert describe_device(Sinh(v0=0.3)) == {"type": "Sinh", "v0": 0.3}
    assert describe_device(Ohmic()) == {"type": "Ohmic"}


def test_a_device_within_a_device_is_a_table():
    described = describe_device(SeriesAccess(Sinh(0.2), resistance=2000))
    assert described == {"type": "SeriesAccess", "device": {"type": "Sinh", "v0": 0.2}, "resistance": 2000.0}
    assert flattened(described) == {
        "type": "SeriesAccess",
        "device.type": "Sinh",
        "device.v0": 0.2,
        "resistance": 2000.0,
    }


def test_whole_numbers_and_defaults_are_as_good_as_any(file):
    assert read_device(file('type = "Sinh"\nv0 = 1')) == Sinh(1.0)
    assert read_device(file('type = "Sinh"')) == Sinh()


def test_comments_cannot_break_a_file(tmp_path):
    write_device(tmp_path / "cell.toml", Sinh(), "from \x07 a\rname")
    assert read_device(tmp_path / "cell.toml") == Sinh()


def test_a_device_of_ones_own_is_described_and_not_built():
    assert describe_device(Cubic()) == {"type": "Cubic", "k": 4.0, "label": "mine"}
    with pytest.raises(
        ValueError, match=r"'Cubic' is not a device of geniex.* is built in Python: pass it to `Circuit`"
    ):
        build_device(describe_device(Cubic()))


def test_what_cannot_be_built_again_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="'Cubic' is not a device of geniex"):
        write_device(tmp_path / "cell.toml", Cubic())
    assert not any(tmp_path.iterdir())


def test_what_is_no_plain_data_is_refused():
    @dataclass(frozen=True)
    class Learned(Cubic):
        weights: torch.Tensor = field(default_factory=lambda: torch.zeros(2))

    class Loose(DeviceModel):
        def current(self, v, g):
            return g * v

    with pytest.raises(ValueError, match=r"`Learned\.weights` cannot be described: it is a Tensor, not a number"):
        describe_device(Learned())
    with pytest.raises(ValueError, match="Loose cannot be described: make it a frozen dataclass"):
        describe_device(Loose())


BAD = {
    "no type": ("v0 = 0.3", r"A device needs a `type`, one of .*Sinh.*; found v0\."),
    "empty": ("", r"A device needs a `type`, .*; found nothing\."),
    "unknown type": ('type = "Sinhh"', r"'Sinhh' is not a device of geniex\. Did you mean 'Sinh'\?"),
    "lower case": ('type = "sinh"', r"'sinh' is not a device of geniex\. Did you mean 'Sinh'\?"),
    "number for a type": ("type = 3", "3 is not a device of geniex"),
    "list for a type": ("type = [3]", r"\[3\] is not a device of geniex"),
    "unknown field": ('type = "Sinh"\nv1 = 0.3', r"`Sinh` has no field 'v1'\. Did you mean 'v0'\?"),
    "missing field": ('type = "Filament"\nv0 = 0.3', r"`Filament` needs the field 'i0'; found v0\."),
    "text": ('type = "Sinh"\nv0 = "0.3"', r"`Sinh\.v0` must be a number; got '0\.3'\."),
    "truth": ('type = "Sinh"\nv0 = true', r"`Sinh\.v0` must be a number; got True\."),
    "list": ('type = "Sinh"\nv0 = [0.3]', r"`Sinh\.v0` must be a number; got \[0\.3\]\."),
    "table": ('type = "Sinh"\n[v0]\na = 1', r"`Sinh\.v0` must be a number; got \{'a': 1\}\."),
    "number for a device": (
        'type = "SeriesAccess"\nresistance = 1.0\ndevice = 3',
        r"`SeriesAccess\.device` must be a table that describes a device; got 3\.",
    ),
    "mixed list": (
        'type = "Transistor1T1R"\nv_gate = [1.0, "a"]\n[device]\ntype = "Ohmic"',
        r"`Transistor1T1R\.v_gate` must be a number or a list of numbers; got \[1\.0, 'a'\]\.",
    ),
    "out of range": ('type = "Sinh"\nv0 = -1', r"`Sinh\(v0=\.\.\.\)` must be positive; got -1\.0 V"),
    "within": (
        'type = "SeriesAccess"\nresistance = 1.0\n[device]\ntype = "Sinh"\nv = 3',
        r"`Sinh` has no field 'v'\. Did you mean 'v0'\?",
    ),
    "no TOML": ("type = Sinh", "line 1, column"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_what_describes_no_device_is_refused(file, text, message):
    with pytest.raises(ValueError, match=rf"cell\.toml is not a device file: .*{message}"):
        read_device(file(text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no device file .*none\.toml\."):
        read_device(tmp_path / "none.toml")


def test_long_values_are_cut_in_messages():
    with pytest.raises(ValueError, match=r"got \[0\.0, 0\.0, .*\.\.\.\.$") as caught:
        build_device({"type": "Sinh", "v0": [0.0] * 1000})
    assert len(str(caught.value)) < 120
