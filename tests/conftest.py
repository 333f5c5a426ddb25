import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tests compute alike on any number of cores, and do not wait for threads of a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def random_circuit(generator):
    """Makes v (input, row) and g (row, col) of a spec: voltages up to `v_max`, conductances of 1e-6 to 1e-5 S."""

    def make(spec, inputs=3, v_max=0.5, dtype=torch.float64):
        v = v_max * torch.rand(inputs, spec.rows, generator=generator, dtype=dtype)
        g = 1e-6 + 9e-6 * torch.rand(spec.rows, spec.cols, generator=generator, dtype=dtype)
        return v, g

    return make
