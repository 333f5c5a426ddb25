"""The one table of tolerances: each use says by its name why it is what it is."""

SAME_ALGORITHM = 1e-12
OTHER_ALGORITHM = 1e-8
FLOAT32 = 1e-4
