"""`geniex record`: the digits that a network writes into crossbars and drives into them, for emulators to learn."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Generator

from geniex.cli.app import say
from geniex.cli.subjects import Data, Network, Weights, chosen_config, chosen_network, drawn_images
from geniex.emulation import save_digits
from geniex.evaluation.fidelity import record_digits
from geniex.files import check_writable

__all__ = ["record_command"]


def record_command(
    out: Annotated[Path, typer.Argument(help="npz file to write; `digits.recorded` of `geniex train` reads it.")],
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration of `geniex evaluate`: tiles, digits, layers, images. Left out: the demo's."),
    ] = None,
    network: Network = None,
    weights: Weights = None,
    data: Data = None,
    images: Annotated[int, typer.Option(min=1, help="How many images to show the network, drawn with --seed.")] = 16,
    reads: Annotated[int, typer.Option(min=1, help="How many reads (one input on one tile) to keep.")] = 4096,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
) -> None:
    """Digits of a network's own weights and activations, for `geniex train`, `dataset` and `card` to draw from."""
    if out.suffix != ".npz":
        raise ValueError(f"The file of recorded digits must end in .npz; got {out}.")
    check_writable(out)
    (settings, folder), chosen = chosen_config(config, network), chosen_network(network, weights)
    shown = settings.preprocess.build()(drawn_images(data, seed, images, settings.preprocess).images)
    layers = settings.layer_config(chosen, folder)
    generator = Generator().manual_seed(seed)
    digits = record_digits(chosen.eval(), settings.hardware(), layers, shown.to(torch.float32), reads, generator)
    save_digits(out, digits)
    say(f"{len(digits.v_level)} inputs and {len(digits.g_level)} crossbars of {chosen.__class__.__name__} in {out}.")
