"""What a network's accuracy becomes on non-ideal crossbars, and how far each model is from the exact circuit."""

from geniex.evaluation.images import LabelledImages, Preprocess, load_images
from geniex.evaluation.options import RunOptions
from geniex.evaluation.photos import Photos, list_photos, pack_folder
from geniex.evaluation.results import Evaluation, Margin, ModelResult, NfError, NfSample
from geniex.evaluation.run import evaluate

__all__ = [
    "Evaluation",
    "LabelledImages",
    "Margin",
    "ModelResult",
    "NfError",
    "NfSample",
    "Photos",
    "Preprocess",
    "RunOptions",
    "evaluate",
    "list_photos",
    "load_images",
    "pack_folder",
]
