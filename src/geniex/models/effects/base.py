"""What wrappers share: range and guard are those of the model inside, and writing passes through all of them."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from geniex.models.base import CrossbarModel, Read, check_conductances
from geniex.models.guard import OperatingRange, RangeGuard

__all__ = ["Wrapper", "WriteEffect"]


class Wrapper(CrossbarModel, ABC):
    """A model around another one, which is asked for the same."""

    def __init__(self, model: CrossbarModel) -> None:
        """Wrap `model`; it moves with the wrapper."""
        super().__init__()
        self.model = model

    @property
    def guard(self) -> RangeGuard:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the wrapped model; setting it sets that one."""
        return self.model.guard

    @guard.setter
    def guard(self, guard: RangeGuard) -> None:
        self.model.guard = guard

    @property
    def operating_range(self) -> OperatingRange | None:
        """That of the wrapped model: conductances that an effect moves out of it are out of range."""
        return self.model.operating_range


class WriteEffect(Wrapper, ABC):
    """An effect on the conductances that cells have after writing. It draws once per written crossbar."""

    @abstractmethod
    def altered(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Conductances in siemens after this effect, from those before; differentiable, at least 0.

        Args:
            g: valid conductances in siemens.
        """

    def write(self, g: Float[Tensor, "*tile row col"]) -> Float[Tensor, "*tile row col"]:
        """Conductances after this effect and those of the wrapped model; see `CrossbarModel.write`.

        Raises:
            ValueError: if `g` has the wrong shape, or is negative or not finite.
        """
        check_conductances(g)
        return self.model.write(self.altered(g))

    @property
    def after_writing(self) -> CrossbarModel:
        """The wrapped model after writing."""
        return self.model.after_writing

    def program(self, g: Float[Tensor, "*tile row col"]) -> Read:
        """Write, then prepare for reading; see `CrossbarModel.program`."""
        return self.after_writing.program(self.write(g))
