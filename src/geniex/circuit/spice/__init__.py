"""Any crossbar as a SPICE deck for ngspice or HSPICE, and ngspice run on it: a solver that shares nothing with ours."""

from geniex.circuit.spice.cells import Cell, Simulator, cell_lines, number
from geniex.circuit.spice.deck import deck
from geniex.circuit.spice.run import SpiceResult, run_ngspice

__all__ = ["Cell", "Simulator", "SpiceResult", "cell_lines", "deck", "number", "run_ngspice"]
