"""Decks say what the crossbar is, and ngspice, which shares nothing with our solver, computes the same currents."""

import re
import shutil
from dataclasses import dataclass
from itertools import pairwise

import jaxtyping
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from geniex import cli
from geniex.circuit.newton import NewtonKrylov
from geniex.circuit.spec import CrossbarSpec
from geniex.circuit.spice import Cell, cell_lines, deck, run, run_ngspice
from geniex.devices import DeviceModel, Filament, Ohmic, Selector, SeriesAccess, Sinh, Tabulated, Transistor1T1R

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
NGSPICE = 1e-9  # of the largest current: ngspice stops at a relative change of 1e-10, and keeps 11 digits in places
ROWS = 5
TABLE = Tabulated(
    voltages=(-0.4, -0.15, 0.0, 0.1, 0.2, 0.45),
    conductances=(1e-6, 1e-5),
    currents=(
        (-9e-7, -1.8e-7, 0.0, 1.1e-7, 2.5e-7, 8e-7),
        (-5e-6, -1.6e-6, 0.0, 1.02e-6, 2.2e-6, 5.5e-6),
    ),
)
DEVICES = {
    "Ohmic": Ohmic(),
    "Sinh": Sinh(0.2137),
    "Filament": Filament(i0=1e-3, d0=0.25e-9, v0=0.25),
    "SeriesAccess": SeriesAccess(Sinh(0.25), 5e3),
    "SeriesAccess of 0 ohm": SeriesAccess(Sinh(0.25), 0.0),
    "Selector": Selector(Ohmic(), i0=3e-7, v0=0.08),
    "Transistor1T1R": Transistor1T1R(Sinh(0.3), v_gate=1.2, channel_modulation=0.07),
    "Transistor1T1R by row": Transistor1T1R(Ohmic(), v_gate=(0.3, 0.5, 0.7, 0.9, 1.1), k=2e-5),
    "Tabulated": TABLE,
    "Tabulated from 0 V on": Tabulated((0.1, 0.3), (3e-6,), ((3e-7, 1.2e-6),)),
    "Tabulated without 0 V": Tabulated((-0.2, 0.1, 0.3), (3e-6,), ((-9e-7, 3e-7, 1.2e-6),)),
    "Transistor1T1R of a table": Transistor1T1R(TABLE, v_gate=0.9),
}
SPECS = {
    "nominal": CrossbarSpec(ROWS, 3),
    "both ends": CrossbarSpec(ROWS, 7, r_row=20.0, r_col=20.0, driven_ends=2, sensed_ends=2),
    "no wires": CrossbarSpec(ROWS, 4, r_row=0.0, r_col=0.0),
    "wires alone": CrossbarSpec(ROWS, 4, r_source=0.0, r_sink=0.0, driven_ends=2, sensed_ends=2),
}
devices = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)


@dataclass(frozen=True)
class Cubic(DeviceModel):
    """A device of a user's own, 6 lines as in the documentation."""

    k: float = 4.0

    def current(self, v, g):
        return g * (v + self.k * v**3)


@cell_lines.register
def _(device: Cubic, cell: Cell) -> list[str]:
    u = cell.voltage
    return [cell.source(f"{cell.number(cell.g)}*({u}+{cell.number(device.k)}*{u}*{u}*{u})")]


def draw(spec, generator, inputs=3):
    """Voltages of both signs and conductances over one decade."""
    v = torch.rand(inputs, spec.rows, generator=generator, dtype=torch.float64) - 0.5
    return v, 10 ** (torch.rand(spec.rows, spec.cols, generator=generator, dtype=torch.float64) - 6)


def difference(spec, device, v, g):
    """The largest difference between ngspice and our solver as a share of the largest current."""
    i = NewtonKrylov(spec, device, rtol=1e-12).solve(v.reshape(-1, spec.rows), g).i
    return ((run_ngspice(spec, device, v, g).i - i).abs().amax() / i.abs().amax()).item()


def sections(text):
    """Headings and what follows them."""
    for section in text.split("\n\n"):
        heading, _, content = section.partition("\n")
        yield heading, content


def elements(text, first):
    """The elements whose names begin so, split into words."""
    return [line.split() for line in text.splitlines() if line.startswith(first)]


@needs_ngspice
@devices
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_ngspice_agrees(device, spec, generator):
    v, g = draw(spec, generator)
    assert difference(spec, device, v, g) < NGSPICE


@needs_ngspice
@devices
def test_ngspice_agrees_on_the_cells_of_hspice_decks(device, generator, monkeypatch):
    """It reads HSPICE's elements, not its table of inputs: the cells of one deck in the other."""
    spec = SPECS["both ends"]
    v, g = draw(spec, generator)
    native, foreign = (dict(sections(deck(spec, device, v, g, simulator))) for simulator in ("ngspice", "hspice"))
    mixed = native | {"* Cells": foreign["* Cells"]}
    monkeypatch.setattr(run, "deck", lambda *_: "\n\n".join("\n".join(item) for item in mixed.items()))
    assert difference(spec, device, v, g) < NGSPICE


@needs_ngspice
@pytest.mark.parametrize("spec", [CrossbarSpec(1, 1), CrossbarSpec(1, 4), CrossbarSpec(32, 20)], ids=str)
def test_ngspice_agrees_on_one_input_and_on_many(spec, generator):
    v, g = draw(spec, generator, inputs=20)
    assert difference(spec, Sinh(), v[0], g) < NGSPICE
    assert difference(spec, Sinh(), v, g) < NGSPICE


@needs_ngspice
def test_ngspice_agrees_on_a_device_of_ones_own(generator):
    spec = SPECS["nominal"]
    assert difference(spec, Cubic(), *draw(spec, generator)) < NGSPICE


@needs_ngspice
def test_an_open_cell_carries_no_current(generator):
    spec = CrossbarSpec(3, 3)
    v, g = draw(spec, generator)
    g[:, 1] = 0
    for device in (Ohmic(), Sinh(), SeriesAccess(Ohmic(), 5e3), Selector(Ohmic(), i0=1e-6, v0=0.1)):
        assert run_ngspice(spec, device, v, g).i[:, 1].abs().max() < 1e-18
        assert difference(spec, device, v, g) < NGSPICE


@needs_ngspice
def test_a_result_says_what_it_took(generator):
    spec = CrossbarSpec(4, 3)
    result = run_ngspice(spec, Sinh(), *draw(spec, generator))
    assert result.i.shape == (3, 3)
    assert result.i.dtype == torch.float64
    assert result.seconds > 0
    assert result.cpu_seconds >= 0
    assert re.fullmatch(r"ngspice-\d+.*", result.version)


@needs_ngspice
def test_a_deck_that_ngspice_cannot_read_is_an_error_with_the_end_of_its_log():
    @dataclass(frozen=True)
    class Misspelt(Cubic):
        pass

    cell_lines.register(Misspelt, lambda device, cell: [cell.source(f"snih({cell.voltage})")])
    with pytest.raises(RuntimeError, match=r"ngspice did not solve the deck. Its last lines:\n(.*\n)*.*snih"):
        run_ngspice(CrossbarSpec(1, 1), Misspelt(), torch.ones(1), torch.ones(1, 1))


def test_without_ngspice_the_remedy_is_told():
    with pytest.raises(FileNotFoundError, match=r"no program 'no-ngspice'. Install it: `apt install ngspice`"):
        run_ngspice(CrossbarSpec(1, 1), Ohmic(), torch.ones(1), torch.ones(1, 1), program="no-ngspice")


@devices
@pytest.mark.parametrize("simulator", ["ngspice", "hspice"])
def test_every_device_has_a_deck(device, simulator, generator):
    spec = SPECS["both ends"]
    text = deck(spec, device, *draw(spec, generator), simulator)
    assert text.isascii()
    assert text.startswith("* Crossbar of 5 x 7 cells ")
    assert text.endswith("\n.end\n")
    names = [line.split()[0] for line in text.splitlines() if re.match("[A-Z]_", line)]
    assert len(names) == len(set(names))
    assert all(
        any(name.endswith(f"_{row}_{col}") or f"_{row}_{col}_" in name for name in names)
        for row in range(5)
        for col in range(7)
    )


@devices
def test_lines_for_hspice_are_short_enough(device, generator):
    """HSPICE reads lines of up to 1024 characters; a continued expression does not begin with an operator."""
    spec = CrossbarSpec(ROWS, 30)
    lines = deck(spec, device, *draw(spec, generator), "hspice").splitlines()
    assert max(map(len, lines)) <= 1024
    for line, following in pairwise(lines):
        if line.endswith("\\\\"):
            assert following.startswith("(")


def test_resistances_of_zero_join_nodes(generator):
    spec = CrossbarSpec(2, 3, r_source=0.0, r_sink=0.0, r_row=0.0, r_col=0.0, driven_ends=2, sensed_ends=2)
    text = deck(spec, Ohmic(), *draw(spec, generator))
    assert not elements(text, "R_")
    assert [words[1:3] for words in elements(text, "G_")] == [
        [f"in_{row}", f"out_{col}"] for row in range(2) for col in range(3)
    ]
    assert [words[1] for words in elements(text, "V_out")] == ["out_0", "out_1", "out_2"]
    assert not elements(text, "V_top")


def test_wires_without_resistance_leave_one_node_per_line(generator):
    spec = CrossbarSpec(2, 3, r_row=0.0, r_col=0.0)
    text = deck(spec, Ohmic(), *draw(spec, generator))
    assert elements(text, "R_w") == [[f"R_w_{row}_0", f"in_{row}", f"w_{row}_0", "500.0"] for row in range(2)]
    assert {tuple(words[1:3]) for words in elements(text, "G_")} == {
        (f"w_{row}_0", f"b_1_{col}") for row in range(2) for col in range(3)
    }


def test_both_ends_of_a_line_have_their_own_resistor(generator):
    spec = CrossbarSpec(2, 2, driven_ends=2, sensed_ends=2)
    text = deck(spec, Ohmic(), *draw(spec, generator))
    assert elements(text, "R_w_0") == [
        ["R_w_0_0", "in_0", "w_0_0", "500.0"],
        ["R_w_0_1", "w_0_0", "w_0_1", "2.5"],
        ["R_w_0_2", "w_0_1", "in_0", "500.0"],
    ]
    assert elements(text, "R_b_1") == [
        ["R_b_1_0", "out_1", "b_1_1", "100.0"],
        ["R_b_1_1", "b_1_1", "b_0_1", "2.5"],
        ["R_b_1_2", "b_0_1", "top_1", "100.0"],
    ]


@pytest.mark.parametrize("simulator", ["ngspice", "hspice"])
def test_numbers_keep_all_their_digits(simulator, generator):
    spec = CrossbarSpec(2, 3, r_source=100 / 3)
    v, g = draw(spec, generator)
    text = deck(spec, Ohmic(), v, g, simulator)
    assert [float(words[-1]) for words in elements(text, "G_")] == g.flatten().tolist()
    found = {float(x) for x in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)}
    assert set(v.flatten().tolist()) | {100 / 3} <= found


def test_ngspice_gets_long_numbers_in_expressions_as_sums(generator):
    """It would keep 11 digits of them."""
    cell = Cell("0_0", 0, "w", "b", 1e-5, "ngspice")
    assert cell.number(0.25) == "0.25"
    for x in (1 / 3, -1e-7 / 3, 2**0.5):
        head, rest = re.fullmatch(r"\((-?\d\.\d{10}e[-+]\d\d)([-+].*)\)", cell.number(x)).groups()
        assert float(head) + float(rest) == x


def test_a_model_that_cells_share_comes_once(generator):
    spec = SPECS["nominal"]
    assert len(elements(deck(spec, Transistor1T1R(Ohmic(), v_gate=1.0), *draw(spec, generator)), ".model")) == 1


def test_hspice_sweeps_the_rows_of_a_table(generator):
    spec = CrossbarSpec(2, 1)
    v, g = draw(spec, generator, inputs=2)
    text = deck(spec, Sinh(0.25), v, g, "hspice")
    assert "V_in_0 in_0 0 DC 'volt_0'" in text
    table = re.search(r"\.DATA inputs volt_0 volt_1\n(.*)\.ENDDATA\n\.DC DATA=inputs\n", text, re.DOTALL)[1]
    assert [[float(x) for x in row.split()[1:]] for row in table.splitlines()] == v.tolist()
    assert f"G_1_0 w_1_0 b_1_0 CUR='{g[1, 0].item() * 0.25!r}*sinh(v(w_1_0,b_1_0)/0.25)'" in text


def test_an_unknown_device_is_told_how_to_become_known(generator):
    class Mine(DeviceModel):
        def current(self, v, g):
            return g * v

    spec = CrossbarSpec(2, 2)
    with pytest.raises(
        TypeError, match=r"class Mine. Register a function that writes them: `@geniex.circuit.spice.cell"
    ):
        deck(spec, Mine(), *draw(spec, generator))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"simulator": "spectre"}, "`simulator` must be one of ngspice, hspice; got 'spectre'"),
        ({"v": torch.ones(2, 4)}, r"`v` must be \(3,\) or \(input, 3\) with an input; got \(2, 4\)"),
        ({"v": torch.ones(0, 3)}, r"with an input; got \(0, 3\)"),
        ({"g": torch.ones(3, 3)}, r"`g` must be \(3, 2\), one crossbar; got \(3, 3\)"),
        ({"g": torch.full((3, 2), torch.nan)}, "`g` must be finite; 6 of 6 values are not"),
    ],
    ids=["simulator", "rows", "no input", "shape of g", "nan"],
)
def test_what_cannot_be_a_deck_is_refused(change, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its check would come first
    arguments = {"v": torch.ones(2, 3), "g": torch.ones(3, 2), "simulator": "ngspice"} | change
    with pytest.raises(ValueError, match=message):
        deck(CrossbarSpec(3, 2), Ohmic(), **arguments)


class TestCommand:
    """`geniex spice`."""

    @staticmethod
    def run(folder, *arguments, crossbars=()):
        generator = torch.Generator().manual_seed(0)
        v, g = draw(CrossbarSpec(4, 3), generator)
        np.savez(folder / "circuits.npz", v=v.numpy(), g=g.expand(*crossbars, 4, 3).numpy(), r_row=20.0)
        return CliRunner().invoke(cli.app, ["spice", str(folder / "circuits.npz"), *map(str, arguments)])

    @needs_ngspice
    def test_compares_with_ngspice(self, tmp_path):
        done = self.run(tmp_path, "--out", tmp_path / "deck.cir", "--v0", 0.2)
        assert done.exit_code == 0, done.output
        found = re.search(
            r"3 operating points: ngspice-\S+ took \S+ s, geniex \S+ s. The largest difference is (\S+) of", done.output
        )
        assert float(found[1]) < NGSPICE
        assert "sinh(v(w_0_0,b_0_0)/0.2)" in (tmp_path / "deck.cir").read_text()

    def test_writes_decks_where_ngspice_is_not_installed(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "")
        done = self.run(tmp_path, "--out", tmp_path / "decks", "--device", "ohmic", crossbars=(2,))
        assert done.exit_code == 0, done.output
        assert "Not run: ngspice is not installed. `apt install ngspice`" in done.output
        assert sorted(path.name for path in (tmp_path / "decks").iterdir()) == ["crossbar_0.cir", "crossbar_1.cir"]

    def test_writes_decks_for_hspice(self, tmp_path):
        done = self.run(tmp_path, "--out", tmp_path / "deck.sp", "--simulator", "hspice")
        assert done.exit_code == 0, done.output
        assert "Not run: geniex runs ngspice only." in done.output
        assert ".DC DATA=inputs" in (tmp_path / "deck.sp").read_text()

    def test_only_writes_when_told_so(self, tmp_path):
        done = self.run(tmp_path, "--out", tmp_path / "deck.cir", "--no-run")
        assert (
            done.output.split() == f"1 deck of 4x3 for ngspice, 3 inputs each, written to {tmp_path}/deck.cir.".split()
        )

    def test_several_crossbars_need_a_folder(self, tmp_path):
        done = self.run(tmp_path, "--out", tmp_path / "circuits.npz", crossbars=(2,))
        assert done.exit_code == 2
        assert "is a file; 2 crossbars need a folder." in " ".join(done.output.split())
