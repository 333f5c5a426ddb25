"""An independent solver: node potentials, assembled from a plain list of branches, by Newton with SciPy's sparse LU.

It shares neither the unknowns (nodes, not cells) nor the algebra with the library. Resistances of zero join two nodes.
"""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla


def solve(spec, law, v, g):
    """Column currents for v (row,) and g (row, col); `law(u, g)` returns current and slope of the cells."""
    wires, cells = branches(spec)
    node = joined([branch for branch in wires if branch[2] == 0])
    names = sorted({node(end) for a, b, *_ in [*wires, *cells] for end in (a, b)}, key=str)
    fixed = {node(("source", i)): v[i] for i in range(spec.rows)} | {node("ground"): 0.0}
    free = [name for name in names if name not in fixed]
    place = {name: k for k, name in enumerate(free)}
    potential = dict.fromkeys(names, 0.0) | fixed
    for _ in range(60 if free else 0):
        step = newton_step(place, flows(wires, cells, node, potential, law, g))
        for name, change in zip(free, step, strict=True):
            potential[name] += change
        if np.abs(step).max() < 1e-12:
            break
    else:
        assert not free, f"the last of 60 Newton steps was {np.abs(step).max():.1e} V"
    column = np.zeros(spec.cols)
    for (_, _, (_, j)), (_, _, current, _) in zip(cells, flows([], cells, node, potential, law, g), strict=True):
        column[j] += current
    return column


def newton_step(place, flows):
    """Changes of the free potentials, which `place` numbers, that balance the currents of all branches."""
    rows, cols, values, balance = [], [], [], np.zeros(len(place))
    for a, b, i, slope in flows:
        for end, other, sign in ((a, b, 1), (b, a, -1)):
            if end in place:
                balance[place[end]] += sign * i
                for neighbour, weight in ((end, slope), (other, -slope)):
                    if neighbour in place:
                        rows.append(place[end]), cols.append(place[neighbour]), values.append(weight)
    return sla.spsolve(sp.csc_matrix((values, (rows, cols)), shape=(len(place),) * 2), -balance)


def branches(spec):
    """Resistors (node, node, ohm), and cells (word node, bit node, (row, col))."""
    wires, cells = [], []
    for i in range(spec.rows):
        wires.append((("source", i), ("word", i, 0), spec.r_source))
        wires += [(("word", i, j - 1), ("word", i, j), spec.r_row) for j in range(1, spec.cols)]
        if spec.driven_ends == 2:
            wires.append((("source", i), ("word", i, spec.cols - 1), spec.r_source))
        cells += [(("word", i, j), ("bit", i, j), (i, j)) for j in range(spec.cols)]
    for j in range(spec.cols):
        wires += [(("bit", i - 1, j), ("bit", i, j), spec.r_col) for i in range(1, spec.rows)]
        wires.append((("bit", spec.rows - 1, j), "ground", spec.r_sink))
        if spec.sensed_ends == 2:
            wires.append((("bit", 0, j), "ground", spec.r_sink))
    return wires, cells


def joined(shorts):
    """A function from a node to the representative of all nodes that zero resistances join it with."""
    parent = {}

    def root(node):
        while node in parent:
            node = parent[node]
        return node

    for a, b, _ in shorts:
        a, b = root(a), root(b)
        if a != b:
            keep, drop = (a, b) if a == "ground" or (isinstance(a, tuple) and a[0] == "source") else (b, a)
            parent[drop] = keep
    return root


def flows(wires, cells, node, potential, law, g):
    """Every branch as (node, node, current, slope) at the present potentials."""
    for a, b, ohm in wires:
        a, b = node(a), node(b)
        if a != b:
            yield a, b, (potential[a] - potential[b]) / ohm, 1 / ohm
    for a, b, (i, j) in cells:
        a, b = node(a), node(b)
        current, slope = law(potential[a] - potential[b], g[i, j])
        yield a, b, current, slope
