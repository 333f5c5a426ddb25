"""Emulators: data from the exact circuit, training, and files that say what they are."""

from geniex.emulation.card import EmulatorCard
from geniex.emulation.checkpoint import load, load_card, save
from geniex.emulation.dataset import Dataset, DatasetRun, make_dataset, open_dataset
from geniex.emulation.errors import ErrorCard, measure_errors
from geniex.emulation.manifest import DatasetPlan, Manifest
from geniex.emulation.recipe import DatasetRecipe, TrainingRecipe
from geniex.emulation.recorded import RecordedDigits, load_digits, save_digits
from geniex.emulation.samples import Samples, solve_samples
from geniex.emulation.sampling import Corners, DigitSampling, MixedDigits, Mixture
from geniex.emulation.source import FreshSamples, SampleSource, StoredSamples
from geniex.emulation.train import TrainingRun, train

__all__ = [
    "Corners",
    "Dataset",
    "DatasetPlan",
    "DatasetRecipe",
    "DatasetRun",
    "DigitSampling",
    "EmulatorCard",
    "ErrorCard",
    "FreshSamples",
    "Manifest",
    "MixedDigits",
    "Mixture",
    "RecordedDigits",
    "SampleSource",
    "Samples",
    "StoredSamples",
    "TrainingRecipe",
    "TrainingRun",
    "load",
    "load_card",
    "load_digits",
    "make_dataset",
    "measure_errors",
    "open_dataset",
    "save",
    "save_digits",
    "solve_samples",
    "train",
]
