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

MOST_IN_TUPLE = 16
RELAXED = {"contract", "nsz", "arcp"}


@functools.cache
def compile_cells(cell: tuple[Callable[..., Any], Callable[..., Any] | None], dtype: type, per_row: int) -> Any:
    """A C function that evaluates a cell for `number` cells of a circuit from `start` on.

    Keep it for as long as its address is used.

    Args:
        cell: `function` and `quick` of a `ScalarCell`.
        dtype: of the cells.
        per_row: how many parameters each row has of its own; 0 if all cells have the same.
    """
    function, quick = cell
    number = types.float32 if dtype == np.float32 else types.float64
    pointer, size = types.CPointer(number), types.intp
    sig = types.void(size, size, size, size, pointer, pointer, pointer, pointer, pointer, size)
    of_ours = getattr(function, "__module__", "").startswith("geniex.")
    compiled = cfunc(sig, cache=of_ours, fastmath=RELAXED, error_model="numpy")
    forms = _compilable(function), _compilable(quick or _none), quick is not None
    cells = _per_row(*forms, _gatherer(per_row)) if per_row else _uniform(*forms)
    return compiled(mark_source(cells, HERE, DEVICES))


@functools.cache
def _compilable(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, and the functions that it calls or closes over, made known to numba."""
    enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
    called = [function.__globals__.get(name) for name in function.__code__.co_names]
    for other in [*enclosed, *called]:
        if isinstance(other, FunctionType) and other is not function and other not in FAST_FORMS:
            _compilable(other)
    return register_jitable(forceinline=True)(function)


@no_type_check
def _gatherer(count):
    """A function (parameters (count, lane), lane) -> those of one lane: a tuple, which vectorizes, or a slice."""
    if count > MOST_IN_TUPLE:
        return register_jitable(forceinline=True)(lambda own, lane: own[:, lane])
    if count == 1:
        return register_jitable(forceinline=True)(lambda own, lane: (own[0][lane],))
    others = _gatherer(count - 1)
    return register_jitable(forceinline=True)(lambda own, lane: (*others(own, lane), own[count - 1][lane]))


@no_type_check
def _none(v, g, p):
    """What stands for `quick` where there is none; never called."""
    return v, g, True


@no_type_check
def _uniform(cell, quick, has_quick):
    def cells(start, number, cols, depth, u, g, current, slope, parameters, count):
        voltages, conductances = carray(u, (number,)), carray(g, (number,))
        currents, slopes = carray(current, (number,)), carray(slope, (number,))
        p = carray(parameters, (count,))
        if has_quick:
            left = 0
            for k in range(number):
                i, s, holds = quick(voltages[k], conductances[k], p)
                currents[k], slopes[k] = i if holds else np.nan, s
                left += not holds
            if left == 0:
                return
        for k in range(number):
            if not has_quick or currents[k] != currents[k]:
                currents[k], slopes[k] = cell(voltages[k], conductances[k], p)

    return cells


@no_type_check
def _per_row(cell, quick, has_quick, parameters_of):
    def cells(start, number, cols, depth, u, g, current, slope, parameters, count):
        blocks = number // LANES
        voltages, conductances = carray(u, (blocks, LANES)), carray(g, (blocks, LANES))
        currents, slopes = carray(current, (blocks, LANES)), carray(slope, (blocks, LANES))
        p = carray(parameters, (depth, count, LANES))
        for block in range(blocks):
            v, g, i, s = voltages[block], conductances[block], currents[block], slopes[block]
            own, left = p[(start // LANES + block) // cols], 1
            if has_quick:
                left = 0
                for lane in range(LANES):
                    one, steep, holds = quick(v[lane], g[lane], parameters_of(own, lane))
                    i[lane], s[lane] = one if holds else np.nan, steep
                    left += not holds
            if left == 0:
                continue
            for lane in range(LANES):
                if not has_quick or i[lane] != i[lane]:
                    i[lane], s[lane] = cell(v[lane], g[lane], parameters_of(own, lane))

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
