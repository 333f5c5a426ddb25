"""Emulators: data from the exact circuit, training, and files that say what they are."""

from geniex.emulation.card import EmulatorCard
from geniex.emulation.checkpoint import load, load_card, save
from geniex.emulation.dataset import Samples, solve_samples
from geniex.emulation.errors import ErrorCard, measure_errors
from geniex.emulation.recipe import TrainingRecipe
from geniex.emulation.recorded import RecordedDigits, load_digits, save_digits
from geniex.emulation.sampling import Corners, DigitSampling, MixedDigits, Mixture
from geniex.emulation.source import FreshSamples, SampleSource
from geniex.emulation.train import TrainingRun, train

__all__ = [
    "Corners",
    "DigitSampling",
    "EmulatorCard",
    "ErrorCard",
    "FreshSamples",
    "MixedDigits",
    "Mixture",
    "RecordedDigits",
    "SampleSource",
    "Samples",
    "TrainingRecipe",
    "TrainingRun",
    "load",
    "load_card",
    "load_digits",
    "measure_errors",
    "save",
    "save_digits",
    "solve_samples",
    "train",
]
