"""`geniex record` and `geniex card`: a network's digits kept, a model's errors on them."""

import json
from pathlib import Path

import pytest
import torch

from geniex.emulation import load_digits
from tests.cli.commands import TRAINING, fail, plain, succeed

RECORD = ("record", "digits.npz", "--config", "run.toml", "--network", "my_tiny_network:make", "--data", "data.npz")


def test_a_networks_digits_are_kept_the_same_each_time(workspace):
    printed = succeed(*RECORD, "--images", 4, "--reads", 50)
    digits = load_digits("digits.npz")
    assert digits.v_level.shape == (50, 4)
    assert digits.g_level.shape[1:] == (4, 5)
    assert printed == f"50 inputs and {len(digits.g_level)} crossbars of Tiny in digits.npz.\n"
    Path("digits.npz").rename("before.npz")
    succeed(*RECORD, "--images", 4, "--reads", 50)
    before = load_digits("before.npz")
    assert torch.equal(before.v_level, digits.v_level)
    assert torch.equal(before.g_level, digits.g_level)


def test_a_card_on_recorded_digits_and_the_page_beside_its_numbers(workspace):
    succeed(*RECORD, "--images", 4, "--reads", 50)
    text = "[digits]\nrecorded = 'digits.npz'\nrecorded_share = 1.0\ncorner_share = 0.0\n"
    Path("drawn.toml").write_text(TRAINING + text)
    size = ("--config", "drawn.toml", "--crossbars", 6, "--inputs", 5)
    cards = {}
    for model, name in (("tiny.safetensors", "geniex"), ("reduced", "reduced")):
        printed = plain(succeed("card", model, f"{name}.html", *size))
        assert all(f" {word} " in printed for word in (name, "linear", "ideal"))
        assert "GENIEx error card" in Path(f"{name}.html").read_text()
        cards[name] = json.loads(Path(f"{name}.json").read_text())
        assert cards[name]["sampling"]["type"] == "RecordedDigits"
    errors = {name: card["errors"][name]["rmse"] for name, card in cards.items()}
    assert 10 * errors["reduced"] < cards["reduced"]["errors"]["linear"]["rmse"]
    assert errors["reduced"] < errors["geniex"]
    assert cards["geniex"]["errors"]["linear"] == cards["reduced"]["errors"]["linear"]  # the same crossbars


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["record", "digits.txt"], "The file of recorded digits must end in .npz; got digits.txt."),
        (["record", "digits.npz", "--weights", "w.pt"], "`--weights` needs `--network`"),
        (
            ["card", "tiny.safetensors", "card.html", "--order", 2],
            "`--order` is of `reduced`; tiny.safetensors has none.",
        ),
        (["card", "reduced", "card.pdf"], "The page must end in .html; got card.pdf."),
        (["card", "none.safetensors", "card.html"], "There is no emulator file none.safetensors"),
    ],
)
def test_what_cannot_be_recorded_or_judged_is_refused(workspace, args, message):
    assert message in fail(*args)


def test_crossbars_of_another_size_are_refused(workspace):
    succeed(*RECORD, "--images", 1, "--reads", 5)
    text = TRAINING.replace("rows = 4", "rows = 6") + "[digits]\nrecorded = 'digits.npz'\n"
    Path("drawn.toml").write_text(text)
    assert "Crossbars of 4x5 were recorded, not of 6x5" in fail(
        "card", "reduced", "card.html", "--config", "drawn.toml"
    )
