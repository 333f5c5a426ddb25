"""`geniex attribute`: tables, a page, JSON; refused before it begins where it cannot end well."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import fail, plain, succeed

ATTRIBUTE = (
    "attribute",
    "--config",
    "run.toml",
    "--network",
    "my_tiny_network:make",
    "--data",
    "data.npz",
    "--images",
    8,
)


def test_effects_layers_and_parts_are_printed_and_written(workspace):
    printed = plain(succeed(*ATTRIBUTE, "--out", "out"))
    found = json.loads(Path("out/results.json").read_text())
    names = [effect["name"] for effect in found["effects"]]
    assert {"wires", "drivers", "cells", "floor"} <= set(names)
    for effect in found["effects"]:
        assert effect["title"] in printed
    assert [layer["name"] for layer in found["layers"]] == ["0", "3"]
    assert found["provenance"]["command"].startswith("geniex")
    assert "All effects together cost" in printed
    page = Path("out/report.html").read_text()
    assert 'id="plot-effects"' in page
    assert 'id="plot-layers"' in page


def test_the_same_command_finds_what_is_stored(workspace):
    succeed(*ATTRIBUTE, "--no-layers", "--out", "out")
    stored = {path: path.stat().st_mtime_ns for path in Path("out/logits").iterdir()}
    first = json.loads(Path("out/results.json").read_text())
    succeed(*ATTRIBUTE, "--no-layers", "--out", "out")
    assert {path: path.stat().st_mtime_ns for path in Path("out/logits").iterdir()} == stored
    again = json.loads(Path("out/results.json").read_text())
    assert again["effects"] == first["effects"]
    assert again["layers"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--model", "geniex"),
            "`model` must be one of reduced, circuit, linear, which know any crossbar; got 'geniex'.",
        ),
        (("--network", "my_tiny_network:other_size"), "does not take images"),
        (("--network", "my_tiny_network:with_bilinear"), "Bilinear"),
    ],
)
def test_what_cannot_be_attributed_is_refused(workspace, options, message):
    assert message in fail(*ATTRIBUTE, *options, "--out", "out")
    assert not Path("out/results.json").exists()
