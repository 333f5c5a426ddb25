"""A small dataset of weakly driven 4x5 crossbars: 5 shards, the last of 3 crossbars instead of 5."""

import dataclasses

from geniex.circuit.spec import CrossbarSpec
from geniex.devices import Sinh
from geniex.emulation import DatasetPlan, DatasetRecipe, MixedDigits
from geniex.models.circuit import Circuit
from geniex.window import Window

SPEC = CrossbarSpec(4, 5, r_source=1000.0, r_sink=500.0)
RECIPE = DatasetRecipe(crossbars=23, inputs=2, crossbars_per_shard=5, seed=3)
PLAN = DatasetPlan(Circuit(SPEC, Sinh()), MixedDigits(), Window(), RECIPE)


def plan(**recipe):
    """The plan with other amounts."""
    return dataclasses.replace(PLAN, recipe=dataclasses.replace(RECIPE, **recipe))


def files(folder):
    """Content by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
