"""The state of a training run: what the next step needs, in memory and in a file that survives a kill."""

import copy
import dataclasses
import hashlib
import io
import json
import math
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from geniex.devices.description import flattened
from geniex.emulation.recipe import TrainingRecipe
from geniex.files import replacing
from geniex.hints import differences
from geniex.models.geniex import Geniex

__all__ = ["Progress", "ProgressFile"]

CHECKSUM = 32  # bytes of SHA-256, before the state


class Progress:
    """Steps done, and the best network so far.

    Attributes:
        step: number of steps done.
        last: RMSE of NF in percent at the last check.
        best: the smallest of them.
        best_weights: the network that had it.
    """

    def __init__(self, network: Geniex, recipe: TrainingRecipe, optimizer: Optimizer, schedule: LRScheduler) -> None:
        """Start at step 0."""
        self.network, self.recipe, self.optimizer, self.schedule = network, recipe, optimizer, schedule
        self.step, self.waited = 0, 0
        self.last = self.best = math.inf
        self.best_weights: dict[str, Tensor] = copy.deepcopy(network.state_dict())

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or nothing has been gained for long."""
        return self.step >= self.recipe.steps or self.waited >= self.recipe.patience

    def advance(self, loss: Tensor) -> float:
        """One step of the optimizer; returns the loss."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return loss.item()

    def check(self, error: float) -> None:
        """Take note of the error on unseen crossbars."""
        self.last = error
        if error < self.best:
            self.best, self.waited, self.best_weights = error, 0, copy.deepcopy(self.network.state_dict())
        else:
            self.waited += 1

    def state(self) -> dict[str, Any]:
        """All of it, as tensors and numbers."""
        return {
            "network": self.network.state_dict(),
            "densities": (self.network.scaling.v_density, self.network.scaling.g_density),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best_weights": self.best_weights,
            "numbers": (self.step, self.waited, self.last, self.best),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """What `state` returned."""
        self.network.load_state_dict(state["network"])
        v_density, g_density = state["densities"]
        self.network.scaling = dataclasses.replace(self.network.scaling, v_density=v_density, g_density=g_density)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.best_weights = state["best_weights"]
        self.step, self.waited, self.last, self.best = state["numbers"]


class ProgressFile:
    """Where a run leaves its state; without a path, nowhere."""

    def __init__(self, path: Path | None, identity: dict[str, Any]) -> None:
        """Name the file.

        Args:
            path: of the file.
            identity: all that decides about the result: another run's state is refused.
        """
        self.path, self.identity = path, json.dumps(identity, sort_keys=True)

    def save(self, progress: Progress, seconds: float) -> None:
        """Write the state; the one before stays whole until then."""
        if self.path is None:
            return
        buffer = io.BytesIO()
        torch.save({"identity": self.identity, "seconds": seconds, **progress.state()}, buffer)
        with replacing(self.path) as beside:
            beside.write_bytes(hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())

    def restore(self, progress: Progress) -> float:
        """Go on from the file, where there is one; returns the seconds spent before.

        Raises:
            ValueError: if it is damaged, or was left by a run of something else.
        """
        if self.path is None or not self.path.exists():
            return 0.0
        remedy = "Remove it to start anew."
        stored = self.path.read_bytes()
        if hashlib.sha256(stored[CHECKSUM:]).digest() != stored[:CHECKSUM]:
            raise ValueError(f"{self.path} is not a whole state of a training run. {remedy}")
        try:
            state = torch.load(io.BytesIO(stored[CHECKSUM:]), weights_only=True)
            identity, seconds = state["identity"], float(state["seconds"])
            if identity == self.identity:
                progress.restore(state)
        except (RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(f"{self.path} is the state of another version: {error}. {remedy}") from error
        if identity != self.identity:
            found, wanted = (flattened(json.loads(text)) for text in (identity, self.identity))
            raise ValueError(f"{self.path} was left by another run: {differences(found, wanted)}. {remedy}")
        return seconds
