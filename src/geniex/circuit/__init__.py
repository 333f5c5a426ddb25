"""The exact circuit: what a crossbar is made of, the wires, the solver."""
