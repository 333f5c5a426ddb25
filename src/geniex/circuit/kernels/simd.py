"""Vectors of 16 numbers for numba: loads, stores, arithmetic, and what the solver needs across lanes.

numba vectorizes a loop only where LLVM can prove that it may, which a running sum is not. A `Vector` is one value of
LLVM's type <16 x float> or <16 x double>: it lives in registers, and LLVM splits it into whatever the processor has.
"""

import operator
from typing import Any, no_type_check

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array

__all__ = [
    "LANES",
    "absolute",
    "cast",
    "element",
    "greater",
    "highest",
    "lane_index",
    "last",
    "load",
    "prefix",
    "root",
    "store",
    "total",
    "zeros",
]

LANES = 16
FAST = ("contract", "nsz")  # products may be fused with sums; nothing else that changes results


class Vector(types.Type):
    """numba's type of 16 numbers of `dtype`."""

    def __init__(self, dtype: types.Float) -> None:
        """Name the type."""
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")

    @property
    def ir(self) -> ir.VectorType:
        """LLVM's type."""
        return ir.VectorType(ir.FloatType() if self.dtype == types.float32 else ir.DoubleType(), LANES)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, fe_type.ir)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, k: Any) -> Any:
    data = make_array(array_type)(context, builder, array).data
    at = builder.gep(data, [builder.mul(k, k.type(LANES))], source_etype=element(array_type.dtype))
    return builder.bitcast(at, Vector(array_type.dtype).ir.as_pointer())


def element(dtype: types.Float) -> ir.Type:
    """LLVM's type of a number."""
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


def _bytes(dtype: types.Float) -> int:
    return dtype.bitwidth // 8


@intrinsic
@no_type_check
def load(typing_context, array, k):
    """The `k`th vector of a contiguous array."""

    def codegen(context, builder, sig, args):
        at = _pointer(context, builder, sig.args[0], args[0], args[1])
        return builder.load(at, align=_bytes(sig.args[0].dtype), typ=sig.return_type.ir)

    return signature(Vector(array.dtype), array, types.intp), codegen


@intrinsic
@no_type_check
def store(typing_context, array, k, x):
    """Write the `k`th vector of a contiguous array."""

    def codegen(context, builder, sig, args):
        at = _pointer(context, builder, sig.args[0], args[0], args[1])
        builder.store(args[2], at, align=_bytes(sig.args[0].dtype))
        return context.get_dummy_value()

    return signature(types.void, array, types.intp, x), codegen


def _spread(builder, vector, x):
    """A number in all lanes."""
    undefined = ir.Constant(vector.ir, ir.Undefined)
    one = builder.insert_element(undefined, x, ir.IntType(32)(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


@intrinsic
@no_type_check
def lane_index(typing_context, array):
    """0, 1, 2 ... in the lanes, of the type of the array's elements."""

    def codegen(context, builder, sig, args):
        return ir.Constant(sig.return_type.ir, [float(k) for k in range(LANES)])

    return signature(Vector(array.dtype), array), codegen


@intrinsic
@no_type_check
def zeros(typing_context, array):
    """0 in all lanes, of the type of the array's elements."""

    def codegen(context, builder, sig, args):
        return ir.Constant(sig.return_type.ir, [0.0] * LANES)

    return signature(Vector(array.dtype), array), codegen


@intrinsic
@no_type_check
def cast(typing_context, x, array):
    """Of the type of the array's elements."""

    def codegen(context, builder, sig, args):
        source, target = sig.args[0].dtype, sig.return_type.dtype
        if source == target:
            return args[0]
        convert = builder.fptrunc if target == types.float32 else builder.fpext
        return convert(args[0], sig.return_type.ir)

    return signature(Vector(array.dtype), x, array), codegen


def _elementwise(name):
    """An LLVM intrinsic of one or two vectors."""

    def codegen(context, builder, sig, args):
        vector = sig.return_type
        kind = ir.FunctionType(vector.ir, [vector.ir] * len(args))
        name_of_type = f"llvm.{name}.v{LANES}f{vector.dtype.bitwidth}"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name_of_type), args)

    return codegen


@intrinsic
@no_type_check
def root(typing_context, x):
    """Square root."""
    return signature(x, x), _elementwise("sqrt")


@intrinsic
@no_type_check
def absolute(typing_context, x):
    """Absolute value."""
    return signature(x, x), _elementwise("fabs")


@intrinsic
@no_type_check
def greater(typing_context, x, y):
    """The greater of two numbers; y where x is not a number."""

    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return signature(x, x, y), codegen


@intrinsic
@no_type_check
def total(typing_context, x):
    """Sum over the lanes."""

    def codegen(context, builder, sig, args):
        return _fold(builder, args[0], lambda a, b: builder.fadd(a, b, flags=FAST))

    return signature(x.dtype, x), codegen


@intrinsic
@no_type_check
def highest(typing_context, x):
    """Largest of the lanes."""

    def codegen(context, builder, sig, args):
        return _fold(builder, args[0], lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))

    return signature(x.dtype, x), codegen


@intrinsic
@no_type_check
def last(typing_context, x):
    """What the last lane holds, in all lanes."""

    def codegen(context, builder, sig, args):
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [LANES - 1] * LANES)
        return builder.shuffle_vector(args[0], args[0], lanes)

    return signature(x, x), codegen


@intrinsic
@no_type_check
def prefix(typing_context, x):
    """In each lane, the sum over the lanes up to it."""

    def codegen(context, builder, sig, args):
        x = args[0]
        for by in (1, 2, 4, 8):
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [(k - by) % LANES for k in range(LANES)])
            before = builder.shuffle_vector(x, x, lanes)
            there = ir.Constant(x.type, [float(k >= by) for k in range(LANES)])
            x = builder.fadd(x, builder.fmul(before, there, flags=FAST), flags=FAST)
        return x

    return signature(x, x), codegen


def _fold(builder, x, combine):
    """One number from all lanes, by halves."""
    half = LANES // 2
    while half:
        lanes = [*range(half, 2 * half), *([0] * (LANES - half))]
        other = builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes))
        x, half = combine(x, other), half // 2
    return builder.extract_element(x, ir.IntType(32)(0))


def _arithmetic(operation, instruction):
    """Make `operation` work on vectors of one type, and on a vector and a number of its type."""

    @infer_global(operation)  # pyright: ignore[reportOptionalCall]
    class _Typing(AbstractTemplate):
        @no_type_check
        def generic(self, args, kws):
            x, y = args
            vector = x if isinstance(x, Vector) else y
            if isinstance(vector, Vector) and all(kind in (vector, vector.dtype) for kind in args):
                return signature(vector, x, y)
            return None

    @lower_builtin(operation, Vector, Vector)
    @lower_builtin(operation, Vector, types.Float)
    @lower_builtin(operation, types.Float, Vector)
    @no_type_check
    def _lowering(context, builder, sig, args):
        vector = sig.return_type
        pairs = zip(args, sig.args, strict=True)
        operands = [x if kind == vector else _spread(builder, vector, x) for x, kind in pairs]
        return getattr(builder, instruction)(*operands, flags=FAST)


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_operation, _instruction)
