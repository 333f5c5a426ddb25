"""How a learned model is made: draw digits, solve circuits, fit a network, measure its errors, save all of it."""

from geniex.emulation.card import EmulatorCard
from geniex.emulation.checkpoint import load, load_card, save
from geniex.emulation.dataset import Samples, solve_samples
from geniex.emulation.sampling import MixedDigits
from geniex.emulation.train import TrainingRecipe, train

__all__ = [
    "EmulatorCard",
    "MixedDigits",
    "Samples",
    "TrainingRecipe",
    "load",
    "load_card",
    "save",
    "solve_samples",
    "train",
]
