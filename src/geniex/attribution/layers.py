"""Networks in which one layer computes as in other networks."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import nn

__all__ = ["exchanged"]


@contextmanager
def exchanged(networks: Sequence[nn.Module], name: str, others: Sequence[nn.Module]) -> Iterator[list[nn.Module]]:
    """`networks`, each with the layer of that name of its counterpart in `others`, until the block ends.

    Args:
        networks: converted.
        name: of a layer in all of them; "" is the whole network.
        others: copies of the same network, converted otherwise.
    """
    with ExitStack() as stack:
        pairs = zip(networks, others, strict=True)
        yield [stack.enter_context(_exchanged(network, name, other)) for network, other in pairs]


@contextmanager
def _exchanged(network: nn.Module, name: str, other: nn.Module) -> Iterator[nn.Module]:
    if not name:
        yield other
        return
    parent, _, last = name.rpartition(".")
    place, own = network.get_submodule(parent), network.get_submodule(name)
    setattr(place, last, other.get_submodule(name))
    try:
        yield network
    finally:
        setattr(place, last, own)
