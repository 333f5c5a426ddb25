import pytest

from geniex.circuit.spec import CrossbarSpec


@pytest.mark.parametrize("name", ["rows", "cols"])
@pytest.mark.parametrize("value", [0, -1])
def test_sizes_are_whole_numbers_of_at_least_one(name, value):
    with pytest.raises(ValueError, match=rf"`CrossbarSpec\({name}=...\)` must be a whole number .* got {value!r}"):
        CrossbarSpec(**{"rows": 4, "cols": 4, name: value})


@pytest.mark.parametrize("name", ["r_source", "r_sink", "r_row", "r_col"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_resistances_are_finite_and_not_negative(name, value):
    with pytest.raises(ValueError, match=rf"`CrossbarSpec\({name}=...\)` must be finite .* got {value} ohm"):
        CrossbarSpec(4, 4, **{name: value})


@pytest.mark.parametrize("name", ["driven_ends", "sensed_ends"])
@pytest.mark.parametrize("value", [0, 3])
def test_a_line_has_two_ends(name, value):
    with pytest.raises(ValueError, match=rf"`CrossbarSpec\({name}=...\)` must be 1 or 2; got {value!r}"):
        CrossbarSpec(4, 4, **{name: value})


def test_a_spec_is_a_value():
    assert CrossbarSpec(4, 3) == CrossbarSpec(4, 3)
    assert len({CrossbarSpec(4, 3), CrossbarSpec(4, 3), CrossbarSpec(3, 4)}) == 2
