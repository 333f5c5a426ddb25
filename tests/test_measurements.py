"""Measured curves as instruments write them, and as people get them wrong."""

import re

import numpy as np
import pytest

from geniex.measurements import read_curves
from tests.tolerances import SAME_ALGORITHM

VOLTS = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture
def write(tmp_path):
    """Writes a file of lines."""

    def write(*lines, name="data.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def refusal(write):
    """The message with which lines are refused."""

    def message(*lines):
        with pytest.raises(ValueError, match=r"data\.csv cannot be used: ") as caught:
            read_curves(write(*lines))
        return str(caught.value)

    return message


def ohms_law(header="voltage (V),current (A)", volts=VOLTS, g=1e-5):
    return [header, *(f"{v},{g * v}" for v in volts)]


# Columns and units


@pytest.mark.parametrize(
    ("unit", "volt"), [("V", 1), ("mV", 1e-3), ("uV", 1e-6), ("\u00b5V", 1e-6), ("\u03bcV", 1e-6), ("kV", 1e3)]
)
def test_voltages_in_every_unit(write, unit, volt):
    (curve,) = read_curves(write(f"voltage ({unit}),current (A)", "1,1e-6", "2,2e-6", "3,3e-6", "4,4e-6"))
    np.testing.assert_allclose(curve.v, np.array([1, 2, 3, 4]) * volt, rtol=SAME_ALGORITHM)


@pytest.mark.parametrize(
    ("unit", "ampere"), [("A", 1), ("mA", 1e-3), ("uA", 1e-6), ("µA", 1e-6), ("nA", 1e-9), ("pA", 1e-12)]
)
def test_currents_in_every_unit(write, unit, ampere):
    (curve,) = read_curves(write(f"voltage (V),current ({unit})", "1,1", "2,2", "3,3", "4,4"))
    np.testing.assert_allclose(curve.i, np.array([1, 2, 3, 4]) * ampere, rtol=SAME_ALGORITHM)


@pytest.mark.parametrize(
    ("title", "value", "siemens"),
    [
        ("conductance (S)", "2e-5", 2e-5),
        ("g_uS", "20", 2e-5),
        ("G [µS]", "20", 2e-5),
        ("conductance (nS)", "20000", 2e-5),
        ("g (mS)", "0.02", 2e-5),
        ("resistance (ohm)", "50000", 2e-5),
        ("R_kohm", "50", 2e-5),
        ("r [kΩ]", "50", 2e-5),
        ("R (Mohm)", "0.05", 2e-5),
    ],
)
def test_conductances_in_every_unit(write, title, value, siemens):
    (curve,) = read_curves(write(f"V (V),I (A),{title}", *(f"{v},{siemens * v},{value}" for v in VOLTS)))
    assert curve.conductance == pytest.approx(siemens, rel=SAME_ALGORITHM)
    assert curve.name == "2e-05 S"


@pytest.mark.parametrize(("title", "value"), [("gap (nm)", "1.5"), ("gap_m", "1.5e-9"), ("d [nm]", "1.5")])
def test_gaps_in_every_unit(write, title, value):
    (curve,) = read_curves(write(f"V (V),I (A),{title}", *(f"{v},{1e-5 * v},{value}" for v in VOLTS)))
    assert curve.gap == pytest.approx(1.5e-9, rel=SAME_ALGORITHM)


@pytest.mark.parametrize(
    "header", ["voltage (V),current (A)", "V [V], I [A]", "v_V,i_A", "Bias (V) , CURRENT(A)", "Voltage_V,I (A)"]
)
def test_columns_may_be_titled_in_several_ways(write, header):
    (curve,) = read_curves(write(*ohms_law(header)))
    np.testing.assert_allclose(curve.i, 1e-5 * curve.v, rtol=SAME_ALGORITHM)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_may_be_separated_in_three_ways(write, separator):
    lines = [line.replace(",", separator) for line in ohms_law()]
    assert len(read_curves(write(*lines))[0].v) == 4


def test_comments_and_empty_lines_are_skipped(write):
    lines = ohms_law()
    (curve,) = read_curves(write("# made by hand, in 2 sweeps", "", lines[0], "# sweep 1", *lines[1:], "  ", " # end"))
    assert curve.v.tolist() == list(VOLTS)


def test_the_mark_that_spreadsheets_put_first_is_no_mistake(write):
    lines = ohms_law()
    assert len(read_curves(write("\ufeff" + lines[0], *lines[1:]))) == 1


# States


def test_states_are_told_apart_by_their_column(write):
    rows = [f"{name},{v},{g * v}" for v in VOLTS for name, g in (("low", 1e-6), ("high", 1e-5))]
    curves = read_curves(write("state,voltage (V),current (A)", *rows))
    assert [curve.name for curve in curves] == ["low", "high"]
    for curve, g in zip(curves, (1e-6, 1e-5), strict=True):
        np.testing.assert_allclose(curve.i, g * curve.v, rtol=SAME_ALGORITHM)
        assert curve.conductance is None


def test_states_come_in_the_order_of_their_conductance(write):
    rows = [f"{g},{v},{g * v}" for g in (1e-5, 1e-6, 1e-4) for v in VOLTS]
    curves = read_curves(write("conductance (S),voltage (V),current (A)", *rows))
    assert [curve.conductance for curve in curves] == [1e-6, 1e-5, 1e-4]


def test_sweeps_are_averaged_and_their_distance_is_told(write):
    """Forward 10 % above, backward 10 % below their mean: each deviates by 10 %."""
    forward, backward = ([f"{v},{factor * 1e-5 * v}" for v in VOLTS] for factor in (1.1, 0.9))
    (curve,) = read_curves(write("voltage (V),current (A)", "0,0", *forward, *reversed(backward)))
    np.testing.assert_allclose(curve.v, VOLTS, rtol=SAME_ALGORITHM)
    np.testing.assert_allclose(curve.i, 1e-5 * curve.v, rtol=SAME_ALGORITHM)
    relative = 0.1 * curve.i / (curve.i + 0.01 * curve.i.max())
    assert curve.hysteresis == pytest.approx(np.sqrt(np.mean(relative**2)), rel=1e-9)


def test_a_single_sweep_has_no_hysteresis(write):
    assert read_curves(write(*ohms_law()))[0].hysteresis is None


def test_noise_near_rest_is_no_mistake(write):
    (curve,) = read_curves(write("voltage (V),current (A)", "0,1e-9", "0.001,-1e-9", *ohms_law()[1:]))
    assert curve.v.tolist() == [0.001, *VOLTS]


# Mistakes


HEADERS = {
    "no separator": ("voltage (V)", "separated by commas, semicolons or tabs; the header has none."),
    "two separators": ("voltage (V),current (A);state", "the header has several of them."),
    "no unit": (
        "voltage,current (A)",
        "column 'voltage' has no unit; the voltage is in one of V, mV, uV, kV, as in `vol",
    ),
    "empty unit": ("V [],current (A)", "column 'V []' has no unit"),
    "unknown unit": (
        "voltage (MV),current (A)",
        "column 'voltage (MV)' has the unit 'MV'; the voltage is in one of V,",
    ),
    "small prefix": ("V (V),I (ma)", "column 'I (ma)' has the unit 'ma'; the current is in one of A, mA, uA, nA, pA"),
    "unit of another": ("V (A),I (A)", "column 'V (A)' has the unit 'A'; the voltage is in"),
    "milliohm": ("V (V),I (A),r (mohm)", "'r (mohm)' has the unit 'mohm'; the resistance is in one of ohm, kohm, Mohm"),
    "unit of a state": ("V (V),I (A),state (S)", "'state (S)' holds names of states, which have no unit."),
    "unknown column": (
        "V (V),I (A),temperature (K)",
        "column 'temperature (K)' is not known; remove or rename it.",
    ),
    "misspelt column": (
        "V (V),curent (A)",
        "column 'curent (A)' is not known; remove or rename it. Did you mean 'curr",
    ),
    "empty title": ("V (V),I (A),", "the column '' is not known"),
    "no current": ("voltage (V),state", "no column of the current; name it `current (unit)`, in one of A, mA, uA, nA"),
    "no voltage": ("I (A),state", "it has no column of the voltage; name it `voltage (unit)`"),
    "twice": ("V (V),I (A),bias (mV)", "two columns are the voltage; the second is 'bias (mV)'. Leave one."),
    "both": ("V (V),I (A),g (S),r (ohm)", "columns of both conductance and resistance. Leave one."),
}


@pytest.mark.parametrize(("header", "message"), HEADERS.values(), ids=HEADERS.keys())
def test_a_header_is_refused_with_what_is_allowed(refusal, header, message):
    assert message in refusal(header, "1,1")


ROWS = {
    "text": ("0.2,x", "the current in line 4 must be a number; got 'x'."),
    "empty": ("0.2,", "the current in line 4 must be a number; got ''."),
    "nan": ("nan,1e-6", "the voltage in line 4 must be finite; got nan. Remove the line."),
    "infinite": ("0.2,inf", "the current in line 4 must be finite; got inf."),
    "too few": ("0.2", "line 4 has 1 values, but there are 2 columns."),
    "too many": ("0.2,1,1", "line 4 has 3 values, but there are 2 columns."),
    "opposed": (
        "0.2,-1e-6",
        "the current of state 1 opposes the voltage, or flows at 0 V, in 1 of 5 lines: 4 (line 4: 0.2",
    ),
    "at rest": ("0,1e-6", "in 1 of 5 lines: 4 (line 4: 0 V, 1e-06 A). A cell only consumes power."),
}


@pytest.mark.parametrize(("row", "message"), ROWS.values(), ids=ROWS.keys())
def test_a_row_is_refused_with_its_line(refusal, row, message):
    lines = ohms_law()
    assert message in refusal("# a comment counts as a line", *lines[:2], row, *lines[2:])


def test_decimal_commas_are_told_from_separators(refusal):
    message = refusal("voltage (V);current (A)", "0,1;1e-6")
    assert "the voltage in line 2 must be a number; got '0,1'. Write decimals with a point." in message


def test_currents_of_the_wrong_sign_are_refused_with_the_remedy(refusal):
    message = refusal(*ohms_law(g=-1e-5))
    assert re.search(
        r"in 4 of 4 lines: 2, 3, 4, 5 \(line 2: 0\.1 V, -1e-06 A\)\..* change the sign of the current", message
    )


@pytest.mark.parametrize(
    ("title", "value", "message"),
    [
        ("g (S)", "0", "the conductance in line 2 must be positive; got 0."),
        ("r (ohm)", "-5", "the resistance in line 2 must be positive; got -5."),
        ("gap (nm)", "-1", "the gap in line 2 must be at least 0; got -1."),
    ],
)
def test_states_that_cannot_be_are_refused(refusal, title, value, message):
    assert message in refusal(f"V (V),I (A),{title}", *(f"{v},{1e-5 * v},{value}" for v in VOLTS))


@pytest.mark.parametrize(("title", "name"), [("conductance (S)", "conductance"), ("gap (m)", "gap")])
def test_a_state_of_two_minds_is_refused(refusal, title, name):
    rows = [f"A,{v},{1e-5 * v},{1e-5 if v < 0.3 else 2e-5}" for v in VOLTS]
    message = refusal(f"state,V (V),I (A),{title}", *rows)
    assert (
        f"state A has two values of the {name}, 1e-05 in line 2 and 2e-05 in line 4. Give each its own state" in message
    )


def test_too_few_voltages_are_refused(refusal):
    message = refusal("V (V),I (A)", "0,0", "0.1,1", "0.1,1.01", "0.2,2", "0.3,3")
    assert "state 1 has readings at 3 voltages other than 0 V; at least 4 are needed." in message


def test_a_dead_cell_is_refused(refusal):
    assert "all currents of state 1 are 0 A." in refusal("V (V),I (A)", *(f"{v},0" for v in VOLTS))


@pytest.mark.parametrize("lines", [[], ["# nothing"], ["V (V),I (A)"]], ids=["empty", "comments", "header"])
def test_a_file_without_readings_is_refused(refusal, lines):
    assert "it has no readings; it needs a line of names and units" in refusal(*lines)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.csv\."):
        read_curves(tmp_path / "none.csv")


def test_another_encoding_is_refused(tmp_path):
    (tmp_path / "data.csv").write_bytes("V (µV),I (A)\n1,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"data\.csv cannot be used: 'utf-8' codec can't decode"):
        read_curves(tmp_path / "data.csv")


def test_random_bytes_are_refused(tmp_path):
    random = np.random.default_rng(0)
    for _ in range(100):
        (tmp_path / "data.csv").write_bytes(random.bytes(60))
        with pytest.raises(ValueError, match=r"data\.csv cannot be used"):
            read_curves(tmp_path / "data.csv")
