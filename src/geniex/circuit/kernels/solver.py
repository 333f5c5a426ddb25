"""The compiled solver as torch sees it: tensors in and out, threads over the circuits of a batch."""

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from geniex.circuit.kernels.batch import Results, Work, adjoint_range, solve_range, work
from geniex.circuit.kernels.cells import compile_cells
from geniex.circuit.rules import Rules, Solved
from geniex.circuit.spec import CrossbarSpec
from geniex.devices import DeviceModel
from geniex.devices.elementary import ohmic_cell
from geniex.threads import available, work_off

__all__ = ["CompiledSolver"]

BLOCK_CELLS = 2**19  # at most, worked on at once: about 10 ms of solving
PARTS = 4  # at least, for each thread
FEWEST_CELLS = 2**16  # that a second thread is started for: about 1 ms of work
COMPILING = threading.Lock()
NOTICE = "geniex compiles its circuit solver for this processor: once, for about half a minute."


@dataclass(frozen=True)
class CompiledSolver:
    """Solver of one kind of crossbar with cells that give a scalar function; see `batched.TorchSolver`.

    Attributes:
        spec: geometry and parasitics.
        device: the cells.
    """

    spec: CrossbarSpec
    device: DeviceModel

    def solve(
        self,
        v: Float[Tensor, "circuit row"],
        g: Float[Tensor, "crossbar row col"],
        which: Int[Tensor, " circuit"],
        rules: Rules,
    ) -> Solved:
        """Operating points of circuits `v`, each on the crossbar that `which` names; see `TorchSolver.solve`."""
        circuits, rows, cols = len(v), self.spec.rows, self.spec.cols
        i, u = v.new_empty(circuits, cols), v.new_empty(circuits if rules.voltages else 0, rows, cols)
        residual, rho = (torch.empty(circuits, dtype=torch.float64) for _ in range(2))
        steps = torch.empty(circuits, dtype=torch.int64)
        results = Results(*(x.numpy() for x in (i, u, residual, steps, rho)))
        given = (_array(v), _array(g), _array(which))
        _ready(solve_range, v.dtype)
        limits = (rules.share(v.dtype), rules.max_steps, v.dtype == torch.float64)
        self._share_out(circuits, lambda room, part: solve_range(room, *given, part, limits, results))
        drive = torch.from_numpy(np.abs(given[0]).max(-1, initial=0.0)).double()
        return Solved(i, u, residual, steps, residual <= rules.tolerance(v.dtype, rho) * drive)

    def adjoint(
        self,
        u: Float[Tensor, "circuit row col"],
        g: Float[Tensor, "crossbar row col"],
        which: Int[Tensor, " circuit"],
        grad_i: Float[Tensor, "circuit col"],
    ) -> tuple[Float[Tensor, "circuit row"], Iterator[tuple[slice, Tensor]]]:
        """See `TorchSolver.adjoint`."""
        grad_v, weight = torch.empty_like(u[..., 0]), torch.empty_like(u)
        _ready(adjoint_range, u.dtype)
        given = (_array(u), _array(g), _array(which), _array(grad_i))
        found = (grad_v.numpy(), weight.numpy())
        self._share_out(len(u), lambda room, part: adjoint_range(room, *given, part, found))
        block = max(1, BLOCK_CELLS // (self.spec.rows * self.spec.cols))
        parts = (slice(first, first + block) for first in range(0, len(u), block))
        return grad_v, ((part, weight[part]) for part in parts)

    def _share_out(self, circuits: int, run: Callable[[Work, tuple[int, int]], None]) -> None:
        """Call `run` with room to work in and a part of the circuits, on as many threads as torch uses."""
        cells = self.spec.rows * self.spec.cols
        threads = min(available(), 1 + circuits * cells // FEWEST_CELLS)
        block = BLOCK_CELLS // cells
        block = max(1, min(block, -(-circuits // (PARTS * threads))))
        parts = [(first, min(first + block, circuits)) for first in range(0, circuits, block)]
        rooms = [self._room() for _ in range(min(threads, len(parts)))]
        work_off(parts, [functools.partial(run, room) for room in rooms])

    def _room(self) -> Work:
        cell = self.device.scalar()
        assert cell is not None
        parameters = np.array(cell.parameters, dtype=np.float64)
        if parameters.ndim == 2 and len(parameters) != self.spec.rows:
            raise ValueError(
                f"{type(self.device).__name__} has parameters for {len(parameters)} rows; the crossbar has "
                f"{self.spec.rows}. Give one per row."
            )
        per_row = parameters.shape[-1] if parameters.ndim == 2 else 0
        return work(self.spec, _addresses((cell.function, cell.quick), per_row), parameters)


def _array(x: Tensor) -> np.ndarray:
    return x.detach().contiguous().numpy()


@functools.cache
def _addresses(cell: tuple[Callable[..., Any], Callable[..., Any] | None], per_row: int) -> tuple[int, int]:
    """Addresses of the compiled cell in float32 and in float64."""
    with COMPILING, _announced():
        return tuple(compile_cells(cell, dtype, per_row).address for dtype in (np.float32, np.float64))


@functools.cache
def _ready(kernel: Any, dtype: torch.dtype) -> None:
    """Compile a kernel, or load what was compiled before, by running it on no circuits."""
    spec = CrossbarSpec(1, 1)
    v, g, which = torch.zeros(1, 1, dtype=dtype), torch.zeros(1, 1, 1, dtype=dtype), torch.zeros(1, dtype=torch.int64)
    count = torch.zeros(1, dtype=torch.float64)
    room = work(spec, _addresses((ohmic_cell, None), 0), np.zeros(1))
    with COMPILING, _announced():
        if kernel is solve_range:
            results = Results(*(x.numpy() for x in (v, g, count, which, count)))
            solve_range(room, v.numpy(), g.numpy(), which.numpy(), (0, 0), (0.0, 0, dtype == torch.float64), results)
        else:
            adjoint_range(room, g.numpy(), g.numpy(), which.numpy(), v.numpy(), (0, 0), (v.numpy(), g.numpy()))


@functools.cache
def _announce() -> None:
    print(NOTICE, file=sys.stderr, flush=True)


@contextmanager
def _announced() -> Iterator[None]:
    """Say so if what follows takes long, as compiling does on a fresh installation."""
    timer = threading.Timer(2.0, _announce)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
