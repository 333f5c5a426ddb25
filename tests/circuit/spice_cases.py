"""The operating points of `tests/references/spice` as circuits and their currents."""

from pathlib import Path

import numpy as np
import torch

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Ohmic, SeriesAccess, Sinh

PATHS = sorted((Path(__file__).parents[1] / "references" / "spice").glob("*.npz"))


def load(path, dtype):
    """Spec, device, v (case, 1, row) and g (case, row, col) in `dtype`, and ngspice's currents (case, col)."""
    case = np.load(path)
    device = Ohmic() if str(case["kind"]) == "lin" else Sinh(float(case["V0"]))
    if case["R_access"] > 0:
        device = SeriesAccess(device, float(case["R_access"]))
    v, g = torch.from_numpy(case["V"]).to(dtype)[:, None], torch.from_numpy(case["G"]).to(dtype)
    r_source, r_sink, r_wire = (float(case[name]) for name in ("R_source", "R_sink", "R_wire"))
    return CrossbarSpec(*g.shape[1:], r_source, r_sink, r_wire, r_wire), device, v, g, torch.from_numpy(case["I"])


def error(i, expected):
    """The largest error of each circuit's currents as a share of its largest current: (case,)."""
    return (i.double() - expected).abs().amax(-1) / expected.abs().amax(-1)
