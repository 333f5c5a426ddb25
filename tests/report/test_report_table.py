"""The terminal table says what the evaluation found, in 80 columns and plain ASCII cells."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from geniex.report import results_table
from geniex.report.formats import fixed, points, significant


def lines(evaluation, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(evaluation))
    return console.file.getvalue().splitlines()


def row(evaluation, name):
    (found,) = [line for line in lines(evaluation) if line.split()[:1] == [name]]
    return found.split()[1:]


def test_every_number_of_a_model_stands_in_its_row(evaluation):
    assert row(evaluation, "linear") == [
        "42.2", "(34.0-50.8)", "-28.1", "46.9", "0.121", "8.37", "(8.02-8.71)", "256",
    ]  # fmt: skip


def test_below_stands_how_far_chips_differ(evaluation, on_chips):
    """The sample standard deviations are 3.125 and sqrt(20 / 19) 3.90625 points, by hand."""
    found = lines(on_chips)
    assert found[: len(lines(evaluation))] == lines(evaluation)
    assert " ".join(" ".join(found[len(lines(evaluation)) - 1 :]).split()) == (
        "Accuracies are means over chips, with standard deviations of 3.1 points (linear, 3 chips) and 4.0 points "
        "(geniex, 20 chips)."
    )


def test_notes_stand_below_each_other(on_chips):
    *others, last = on_chips.models
    both = replace(on_chips, models=[*others, replace(last, outside={"g": 0.031})])
    below = [line.strip() for line in lines(both, width=160)]
    assert any(line.startswith("Accuracies are means over chips") for line in below)
    assert "Outside of what the model was made for: geniex: 3.10 % of g." in below


def test_what_does_not_exist_is_a_dash(evaluation):
    assert row(evaluation, "digital")[-2:] == ["-", "-"]
    alone = replace(evaluation, models=[replace(evaluation.models[1], difference=None, agreement=None)])
    assert row(alone, "ideal")[2:4] == ["-", "-"]


def test_rows_keep_the_order_of_the_run(evaluation):
    names = [line.split()[0] for line in lines(evaluation) if line.split()]
    assert names[-4:] == ["digital", "ideal", "linear", "geniex"]


def test_text_of_users_is_not_markup(evaluation):
    odd = replace(evaluation, title="[red]title[/red]", models=[replace(evaluation.models[0], name="[b]x[/b]")])
    text = "\n".join(lines(odd))
    assert "[red]title[/red]" in text
    assert "[b]x[/b]" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.29984, "0.300"),
        (31.24, "31.2"),
        (1234.5, "1234"),
        (0.0041, "0.0041"),
        (0, "0.0"),
        (3e-7, "<0.0001"),
        (None, "-"),
    ],
)
def test_three_digits_matter(value, text):
    assert significant(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.0"), (-1e-5, "0.0"), (0.0078, "+0.8"), (-0.281, "-28.1")])
def test_a_difference_has_a_sign_unless_it_is_none(value, text):
    assert points(value) == text


def test_a_small_number_is_never_printed_as_zero():
    assert fixed(0.0004, 2) == "<0.01"
    assert fixed(0.0, 2) == "0.00"
