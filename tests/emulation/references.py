"""Crossbars with inputs, solved by another program: see tests/references."""

from pathlib import Path

import numpy as np
import torch

from geniex.window import Window

FOLDER = Path(__file__).parents[1] / "references" / "emulator"


def reference(v_max):
    """Window, v, g, exact and linear currents in float64, at 0.25 or 0.5 V."""
    case = np.load(FOLDER / f"64_100k_v{round(1000 * v_max)}.npz")
    window = Window(float(case["v_max"]), float(case["g_on"]), float(case["g_off"]))
    v = window.voltages(torch.from_numpy(case["v_level"]), torch.float64)
    g = window.conductances(torch.from_numpy(case["g_level"]), torch.float64)
    return window, v, g, torch.from_numpy(case["i_exact"]), torch.from_numpy(case["i_linear"])
