"""The solver compiled for CPUs: 16 rows of a crossbar at a time, one circuit per thread."""

from geniex.circuit.kernels.solver import CompiledSolver

__all__ = ["CompiledSolver"]
