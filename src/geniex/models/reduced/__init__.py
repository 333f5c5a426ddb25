"""The reduced-order model of a crossbar."""

from geniex.models.reduced.model import ReducedOrder

__all__ = ["ReducedOrder"]
