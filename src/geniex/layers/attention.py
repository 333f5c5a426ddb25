"""Multi-head attention on crossbars: projections of queries, keys, values and outputs.

The products of queries with keys, and of their softmax with values, are digital unless `AttentionOnArrays` is entered.
"""

import functools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geniex.functional import HardwareConfig
from geniex.layers.base import AnalogLayer, Products
from geniex.layers.dynamic import attend
from geniex.models.base import CrossbarModel

__all__ = ["AnalogMultiheadAttention"]


class AnalogMultiheadAttention(AnalogLayer):
    """`nn.MultiheadAttention` on crossbars. A query whose keys are all masked gives 0, not NaN."""

    def __init__(self, attention: nn.MultiheadAttention, model: CrossbarModel, config: HardwareConfig) -> None:
        """Put the weights of `attention` on crossbars; its parameters are used, not copied. Raises as `AnalogLayer`."""
        super().__init__(model, config)
        self.q_proj_weight, self.k_proj_weight = attention.q_proj_weight, attention.k_proj_weight
        self.v_proj_weight, self.in_proj_weight = attention.v_proj_weight, attention.in_proj_weight
        self.in_proj_bias = attention.in_proj_bias
        self.bias_k, self.bias_v = attention.bias_k, attention.bias_v
        self.out_proj = _OutputProjection(attention.out_proj)
        self.embed_dim, self.kdim, self.vdim = attention.embed_dim, attention.kdim, attention.vdim
        self.num_heads, self.head_dim = attention.num_heads, attention.head_dim
        self.dropout, self.batch_first = attention.dropout, attention.batch_first
        self.add_zero_attn = attention.add_zero_attn
        self._qkv_same_embed_dim = attention._qkv_same_embed_dim  # PyTorch's encoder layer asks for it
        self.train(attention.training)

    def matrices(self) -> list[Float[Tensor, "row col"]]:
        """Projections of queries, keys and values, and of the output."""
        if self.in_proj_weight is None:
            inside = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        else:
            inside = self.in_proj_weight.chunk(3)
        return [weight.mT for weight in (*inside, self.out_proj.weight)]

    def forward(  # noqa: PLR0913  the arguments are PyTorch's
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As `nn.MultiheadAttention`; `is_causal` only says what `attn_mask` is."""
        if is_causal and attn_mask is None:
            raise ValueError("`is_causal=True` only says what `attn_mask` is; pass the causal mask, too.")
        sequences, products = self._sequences(query, key, value), self.products()
        q, k, v = (self._heads(which, x, products) for which, x in enumerate(sequences))
        mask = self._mask(key_padding_mask, attn_mask, sequences)
        dropout, weights = self.dropout if self.training else 0.0, None
        if need_weights:
            y, weights = attend(q, k, v, mask, dropout)
            weights = weights.mean(dim=1) if average_attn_weights else weights
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, dropout)
        y = _plus(products(3, y.transpose(1, 2).flatten(2)), self.out_proj.bias)
        if query.dim() == 2:
            return y.squeeze(0), None if weights is None else weights.squeeze(0)
        return y if self.batch_first else y.transpose(0, 1), weights

    def extra_repr(self) -> str:
        """Size, for `print`."""
        return f"{self.embed_dim}, num_heads={self.num_heads}, model={type(self.matmul.model).__name__}"

    def _sequences(self, *inputs: Tensor) -> list[Tensor]:
        """Query, key and value as (sequence, step, feature).

        Raises:
            ValueError: if their shapes do not fit the layer or each other.
        """
        dims, features = inputs[0].dim(), (self.embed_dim, self.kdim, self.vdim)
        if dims in (2, 3) and all(x.dim() == dims for x in inputs):
            batches = [x if dims == 3 else x.unsqueeze(0 if self.batch_first else 1) for x in inputs]
            query, key, value = (x if self.batch_first else x.transpose(0, 1) for x in batches)
            fits = tuple(x.shape[-1] for x in inputs) == features
            if fits and len(query) == len(key) and key.shape[:2] == value.shape[:2]:
                return [query, key, value]
        raise ValueError(
            f"Query, key and value must have {features} features, as many sequences, and key and value as many steps; "
            f"got shapes {', '.join(str(tuple(x.shape)) for x in inputs)}."
        )

    def _heads(self, which: int, x: Tensor, products: Products) -> Tensor:
        """Projection (sequence, head, step, feature) of the query, key or value, with what is appended to it."""
        y = _plus(products(which, x), None if self.in_proj_bias is None else self.in_proj_bias.chunk(3)[which])
        appended = (None, self.bias_k, self.bias_v)[which]
        if appended is not None:
            y = torch.cat([y, appended.expand(len(y), 1, -1)], dim=1)
        if which > 0 and self.add_zero_attn:
            y = F.pad(y, (0, 0, 0, 1))
        return y.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _mask(self, padding: Tensor | None, mask: Tensor | None, sequences: Sequence[Tensor]) -> Tensor | None:
        """What both masks add to scores (sequence, head, query, key); nothing to appended keys.

        Raises:
            ValueError: if one has another shape.
        """
        query, key = sequences[0], sequences[1]
        (count, queries), keys = query.shape[:2], key.shape[1]
        parts = []
        if mask is not None:
            _check_shape("attn_mask", mask, [(queries, keys), (count * self.num_heads, queries, keys)])
            parts.append(_added(mask if mask.dim() == 2 else mask.unflatten(0, (count, -1)), query.dtype))
        if padding is not None:
            _check_shape("key_padding_mask", padding, [(count, keys), (keys,)][: 2 if count == 1 else 1])
            parts.append(_added(padding.view(count, 1, 1, keys), query.dtype))
        appended = (self.bias_k is not None) + self.add_zero_attn
        return F.pad(functools.reduce(torch.add, parts), (0, appended)) if parts else None


class _OutputProjection(nn.Module):
    """Parameters under the names that they have in the digital layer."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias


def _plus(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + bias


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What a mask adds to scores: a boolean one is True where a query does not see a key."""
    return mask if mask.is_floating_point() else torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -math.inf)


def _check_shape(name: str, mask: Tensor, shapes: list[tuple[int, ...]]) -> None:
    if tuple(mask.shape) not in shapes:
        raise ValueError(
            f"`{name}` must be of shape {' or '.join(map(str, shapes))} for this input; got {tuple(mask.shape)}."
        )
