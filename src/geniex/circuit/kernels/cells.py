"""Cells, compiled: a device's scalar function over all cells of a circuit, behind a C function pointer.

The solver calls the pointer, so that it is compiled once for all devices, and a device in a fraction of a second.
"""

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, no_type_check

import numpy as np
from llvmlite import ir
from numba import cfunc, types
from numba.core.typing.templates import signature
from numba.extending import intrinsic, register_jitable
from numba.np.arrayobj import make_array
from numba.np.numpy_support import carray

from geniex.circuit.kernels.functions import FAST_FORMS
from geniex.circuit.kernels.keeping import DEVICES, HERE, mark_source
from geniex.circuit.kernels.simd import LANES, element

__all__ = ["call_cells", "compile_cells"]

RELAXED = {"contract", "nsz", "arcp"}


@functools.cache
def compile_cells(function: Callable[..., Any], dtype: type, per_row: bool) -> Any:
    """A C function that evaluates `function` for `number` cells of a circuit from `start` on.

    Keep it for as long as its address is used.

    Args:
        function: (v, g, parameters) -> (current, slope), of plain numbers.
        dtype: of the cells.
        per_row: whether each row has parameters of its own.
    """
    cell = _compilable(function)
    number = types.float32 if dtype == np.float32 else types.float64
    pointer, size = types.CPointer(number), types.intp
    sig = types.void(size, size, size, size, pointer, pointer, pointer, pointer, pointer, size)
    build = _per_row if per_row else _uniform
    of_ours = getattr(function, "__module__", "").startswith("geniex.")
    compiled = cfunc(sig, cache=of_ours, fastmath=RELAXED, error_model="numpy")
    return compiled(mark_source(build(cell), HERE, DEVICES))


@functools.cache
def _compilable(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, and the functions that it calls or closes over, made known to numba."""
    enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
    called = [function.__globals__.get(name) for name in function.__code__.co_names]
    for other in [*enclosed, *called]:
        if isinstance(other, FunctionType) and other is not function and other not in FAST_FORMS:
            _compilable(other)
    return register_jitable(function)


@no_type_check
def _uniform(cell):
    def cells(start, number, cols, depth, u, g, current, slope, parameters, count):
        voltages, conductances = carray(u, (number,)), carray(g, (number,))
        currents, slopes = carray(current, (number,)), carray(slope, (number,))
        p = carray(parameters, (count,))
        for k in range(number):
            currents[k], slopes[k] = cell(voltages[k], conductances[k], p)

    return cells


@no_type_check
def _per_row(cell):
    def cells(start, number, cols, depth, u, g, current, slope, parameters, count):
        voltages, conductances = carray(u, (number,)), carray(g, (number,))
        currents, slopes = carray(current, (number,)), carray(slope, (number,))
        p = carray(parameters, (depth * LANES, count))
        for k in range(number):
            at = start + k
            row = (at % LANES) * depth + at // (LANES * cols)
            currents[k], slopes[k] = cell(voltages[k], conductances[k], p[row])

    return cells


@intrinsic
@no_type_check
def call_cells(typing_context, address, start, number, cols, depth, u, g, current, slope, parameters, count):
    """Call a C function made by `compile_cells`."""

    def codegen(context, builder, sig, args):
        size = ir.IntType(64)
        pointers = [make_array(t)(context, builder, a).data for t, a in zip(sig.args[5:10], args[5:10], strict=True)]
        pointers[:4] = [builder.gep(x, [args[1]], source_etype=element(sig.args[5].dtype)) for x in pointers[:4]]
        kinds = [size] * 4 + [x.type for x in pointers] + [size]
        function = builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        builder.call(function, [*args[1:5], *pointers, args[10]])
        return context.get_dummy_value()

    sizes = [types.intp] * 5
    return signature(types.void, *sizes, u, g, current, slope, parameters, types.intp), codegen
