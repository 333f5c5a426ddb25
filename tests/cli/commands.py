"""Commands as tests give them, and the files they are given."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from geniex import cli
from geniex.circuit.kernels.solver import NOTICE

COMMANDS = (
    *"demo evaluate attribute calibrate program chip solve spice record dataset train info card".split(),
    *"fit-device pack template".split(),
    "study",
)
MODELS = ("digital", "ideal", "linear", "geniex", "reduced", "circuit")
CONSOLE_SCRIPT = Path(sys.executable).with_name("geniex")

TRAINING = """
[crossbar]
rows = 4
cols = 5
[dataset]
crossbars = 30
inputs = 2
crossbars_per_shard = 8
[training]
steps = 10
batch = 12
checks = 2
hidden = 8
held_out_crossbars = 6
held_out_inputs = 4
"""
EVALUATION = """
batch = 3
[crossbar]
rows = 4
cols = 5
[emulator]
file = "tiny.safetensors"
[exact]
reads = 20
images = 1
"""
NETWORK = """
import os
import time

import torch
from torch import nn


class Tiny(nn.Sequential):
    def forward(self, x):
        time.sleep(float(os.environ.get("SECONDS_PER_BATCH", "0")))
        return super().forward(x)


def make():
    torch.manual_seed(0)
    return Tiny(nn.Conv2d(3, 2, 3, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


def other_size():
    return nn.Sequential(nn.Flatten(), nn.Linear(7, 3))


def with_bilinear():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.both, self.fc = nn.Bilinear(64, 64, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(self.both(x.flatten(2)[:, 0], x.flatten(2)[:, 1]))

    return Net()
"""
EVALUATE = (
    "evaluate",
    "--config",
    "run.toml",
    "--network",
    "my_tiny_network:make",
    "--data",
    "data.npz",
    "--out",
    "out",
)


def run(*args):
    """The command in this process; nothing but its own exit may end it."""
    result = CliRunner().invoke(cli.app, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def succeed(*args):
    result = run(*args)
    assert (result.exit_code, said(result.stderr)) == (0, "")
    return result.stdout


def fail(*args, code=2):
    """The one message with which a command fails."""
    result = run(*args)
    assert result.exit_code == code
    assert "Traceback" not in result.output
    message = said(result.stderr)
    assert message.startswith("Error: ")
    return message


def said(stderr):
    """All but the notice that the first command of an installation gives, whichever it is."""
    return stderr.replace(f"{NOTICE}\n", "")


def start(*args, **environment):
    return subprocess.Popen(
        [CONSOLE_SCRIPT, *map(str, args)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def plain(text):
    """Words without the frames and line breaks of the terminal."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def solved():
    with np.load("solved.npz") as arrays:
        return dict(arrays)
