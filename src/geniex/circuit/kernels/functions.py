"""Functions of devices in forms that a processor vectorizes: polynomials instead of calls of the C library."""

import math
from typing import Any, no_type_check

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import signature
from numba.extending import intrinsic, overload, register_jitable

from geniex.devices.functions import like, resolution, sinh_cosh

__all__ = ["FAST_FORMS"]

FAST_FORMS = (like, resolution, sinh_cosh)
LN2 = math.log(2)
LN2_REST = 2.319046813846299558e-17  # of the logarithm, beyond float64


def _power(negative: bool) -> Any:
    """An intrinsic: 2^k, or 2^-k, from k + 1.5 * 2^m, m the bits of the mantissa: k stands in its last bits."""

    @intrinsic
    @no_type_check
    def power(typing_context, shifted):
        mantissa, bias = (23, 127) if shifted == types.float32 else (52, 1023)

        def codegen(context, builder, sig, args):
            whole = ir.IntType(sig.args[0].bitwidth)
            bits = builder.bitcast(args[0], whole)
            exponent = builder.sub(whole(bias), bits) if negative else builder.add(bits, whole(bias))
            return builder.bitcast(builder.shl(exponent, whole(mantissa)), args[0].type)

        return signature(shifted, shifted), codegen

    return power


_two_to, _half_to = _power(negative=False), _power(negative=True)


NUMBERS = {types.float32: np.float32, types.float64: np.float64}


@overload(like, jit_options={"forceinline": True})
@no_type_check
def _like(value, x):
    number = NUMBERS[x]
    return lambda value, x: number(value)


@overload(resolution, jit_options={"forceinline": True})
@no_type_check
def _resolution(x):
    share = NUMBERS[x](np.sqrt(np.finfo(NUMBERS[x]).eps) / 8)
    return lambda x: share


@overload(sinh_cosh, jit_options={"forceinline": True})
@no_type_check
def _sinh_cosh(x):
    """X = k ln 2 + r with |r| < 0.35, then Taylor's series of sinh r and cosh r."""
    number, limit, high, shift = {
        types.float32: (np.float32, 87.0, 0.693359375, 1.5 * 2.0**23),
        types.float64: (np.float64, 708.0, float.fromhex("0x1.62e42fefa0000p-1"), 1.5 * 2.0**52),
    }[x]
    limit, shift, per_ln2, half = number(limit), number(shift), number(1 / LN2), number(0.5)
    high, low = number(high), number((LN2 - high) + LN2_REST)
    terms = [number(1 / math.factorial(n)) for n in range(15)]
    _, c2, c4, c6, c8, c10, c12, c14 = terms[0::2]
    _, s3, s5, s7, s9, s11, s13 = terms[1::2]
    one = terms[0]

    def short(y):
        return one + y * (c2 + y * (c4 + y * c6)), one + y * (s3 + y * (s5 + y * s7))

    def long(y):
        cosh = one + y * (c2 + y * (c4 + y * (c6 + y * (c8 + y * (c10 + y * (c12 + y * c14))))))
        return cosh, one + y * (s3 + y * (s5 + y * (s7 + y * (s9 + y * (s11 + y * s13)))))

    series = register_jitable(forceinline=True)(short if number is np.float32 else long)

    def sinh_and_cosh(x):
        x = limit if x > limit else (-limit if x < -limit else x)
        shifted = x * per_ln2 + shift
        k = shifted - shift
        r = (x - k * high) - k * low
        even, odd = series(r * r)
        odd = odd * r
        up, down = _two_to(shifted) * half, _half_to(shifted) * half
        return (up - down) * even + (up + down) * odd, (up + down) * even + (up - down) * odd

    return sinh_and_cosh
