"""Attention on arrays: its two products, q k^T and p v, have no weights, so arrays are written for every input.

Scale, mask and softmax stay digital, and so do both products unless `AttentionOnArrays` is entered. It is a mode of
torch, which sees every call of `scaled_dot_product_attention`, whoever makes it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function

from geniex.functional import AnalogMatmul, HardwareConfig
from geniex.models.base import CrossbarModel

__all__ = ["AttentionOnArrays", "ForwardOnArrays", "attend"]


@dataclass(frozen=True)
class _Weighing:
    """What becomes of the products q k^T.

    Attributes:
        scale: factor on them.
        mask: added to them; None adds nothing.
        dropout: share of the weights that are dropped.
    """

    scale: float
    mask: Tensor | None
    dropout: float


def attend(
    q: Float[Tensor, "*batch query feature"],
    k: Float[Tensor, "*batch key feature"],
    v: Float[Tensor, "*batch key value"],
    mask: Float[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "*batch query value"], Float[Tensor, "*batch query key"]]:
    """Softmax(q k^T / sqrt(feature) + mask) v, and the weights that the softmax gives; 0 where all keys are masked."""
    if has_torch_function((q, k, v)):
        return handle_torch_function(attend, (q, k, v), q, k, v, mask=mask, dropout=dropout)
    return _attended(torch.matmul, (q, k, v), _Weighing(1 / math.sqrt(q.shape[-1]), mask, dropout))


class AttentionOnArrays(TorchFunctionMode):
    """A `with` block in which this thread's attention has both of its products on arrays.

    That of `AnalogMultiheadAttention`, and that of any module that calls `scaled_dot_product_attention`. What
    activation checkpointing computes again in the backward pass lies outside of the block.
    """

    def __init__(self, model: CrossbarModel, config: HardwareConfig) -> None:
        """Join physics and format.

        Args:
            model: computes the arrays.
            config: digits, tiles and converters; keys and values are its weights, queries and softmax its inputs.

        Raises:
            ValueError: if the model was made for other crossbars, voltages or conductances, or weights have a step per
                channel.
        """
        super().__init__()
        if isinstance(config.weights.step, tuple):
            raise ValueError(
                "Keys and values need one step for all columns of their arrays; got `weights` with "
                f"{len(config.weights.step)} steps. Use `FixedPoint`, or `Scaled` with a single step."
            )
        self.matmul, self.attended = AnalogMatmul(model, config), 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Compute attention, and let all else pass."""
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._scaled_dot_product(*args, **kwargs)
        if func is attend:
            return self._attend(*args, **kwargs)
        return func(*args, **kwargs)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> tuple[Tensor, Tensor]:
        self.attended += 1
        return _attended(self._products, (q, k, v), _Weighing(1 / math.sqrt(q.shape[-1]), mask, dropout))

    def _scaled_dot_product(  # noqa: PLR0913  the arguments are PyTorch's
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        self.attended += 1
        if is_causal and attn_mask is not None:
            raise ValueError(
                "`is_causal=True` makes a mask of its own; leave `attn_mask` out, or give one that has it."
            )
        if is_causal:
            attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
        factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        weighing = _Weighing(factor, _added(attn_mask, query.dtype), dropout_p)
        if enable_gqa:
            _check_groups(query, key, value)
        heads = _broadcast(query, key, value, but=3 if enable_gqa else 2)
        return _attended(self._products, heads, weighing)[0]

    def _products(self, x: Tensor, w: Tensor) -> Tensor:
        """Products of x (*batch, query, row) with w (*batch, row, col), each matrix on arrays of its own.

        Where there are fewer matrices than heads in `x`, neighbouring heads share one.
        """
        if not x.numel() or not w.numel():
            return x.new_zeros(*x.shape[:-1], w.shape[-1])
        matrices = w.reshape(-1, *w.shape[-2:])
        inputs = x.reshape(len(matrices), -1, x.shape[-1])
        y = [self._product(one, matrix) for one, matrix in zip(inputs, matrices, strict=True)]
        return torch.stack(y).view(*x.shape[:-1], w.shape[-1])

    def _product(self, x: Tensor, w: Tensor) -> Tensor:
        programmed = self.matmul.program(w)
        if torch.is_grad_enabled() and (x.requires_grad or w.requires_grad):
            return self.matmul.differentiable(x, w, programmed)
        return self.matmul.multiply(x, programmed)


class ForwardOnArrays:
    """The forward pass of a network inside of `AttentionOnArrays`; stands in for its `forward`."""

    def __init__(self, network: nn.Module, model: CrossbarModel, config: HardwareConfig) -> None:
        """Stand in for the `forward` of the network's class. Raises as `AttentionOnArrays`."""
        self.network, self.model, self.config = network, model, config
        AttentionOnArrays(model, config)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the network's `forward`.

        Raises:
            ValueError: if there was no attention to put on arrays.
        """
        with AttentionOnArrays(self.model, self.config) as arrays:
            y = self.__wrapped__(*args, **kwargs)
        if not arrays.attended:
            raise ValueError(
                f"`convert(attention=...)`: {type(self.network).__name__} computed no attention that can be put on "
                "arrays, neither in an nn.MultiheadAttention on crossbars nor by `scaled_dot_product_attention`. Leave "
                '`attention` out, or let the network call that function (transformers: `attn_implementation="sdpa"`).'
            )
        return y

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """What `inspect.signature` shows."""
        return MethodType(type(self.network).forward, self.network)


def _attended(
    product: Callable[[Tensor, Tensor], Tensor], heads: tuple[Tensor, Tensor, Tensor], weighing: _Weighing
) -> tuple[Tensor, Tensor]:
    """Outputs and weights of attention with `heads` (q, k, v)."""
    q, k, v = heads
    scores = product(q, k.mT) * weighing.scale
    scores = scores if weighing.mask is None else scores + weighing.mask
    nowhere = (scores == -math.inf).all(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(nowhere, 0), -1).masked_fill(nowhere, 0)
    weights = F.dropout(weights, weighing.dropout)
    return product(weights, v), weights


def _added(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """What a mask adds to scores: a boolean one is True where a query sees a key."""
    if mask is None or mask.is_floating_point():
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -math.inf)


def _broadcast(q: Tensor, k: Tensor, v: Tensor, but: int) -> tuple[Tensor, Tensor, Tensor]:
    """All with the same leading dimensions, `but` for so many last ones."""
    batch = torch.broadcast_shapes(*(x.shape[:-but] for x in (q, k, v)))
    q, k, v = (x.expand(*batch, *x.shape[-but:]) for x in (q, k, v))
    return q, k, v


def _check_groups(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Raise ValueError unless as many heads of `q` share each head of `k`, and of `v`."""
    if any(x.dim() < 3 for x in (q, k, v)) or q.shape[-3] % k.shape[-3] or q.shape[-3] % v.shape[-3]:
        raise ValueError(
            "`enable_gqa=True` needs a number of query heads that those of keys and of values divide; got shapes "
            f"{', '.join(str(tuple(x.shape)) for x in (q, k, v))}."
        )
