"""`convert` puts every layer with weights on crossbars, in a copy, and says by name what it cannot do."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from torch.nn.utils import parametrizations, parametrize, prune

from geniex import conversion
from geniex.circuit.spec import CrossbarSpec
from geniex.conversion import convert, register_layer
from geniex.converters import Dac
from geniex.functional import HardwareConfig
from geniex.layers import AnalogConv2d, AnalogLayer, AnalogLinear
from geniex.models.base import CrossbarModel
from geniex.models.geniex import Geniex, Scaling
from geniex.models.ideal import Ideal
from geniex.models.linear import LinearCircuit

CONFIG = HardwareConfig(8, 8, adc=None, accumulator=None)
SPEC = CrossbarSpec(8, 8, r_source=1000.0, r_sink=500.0)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def network():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 5)
    ).eval()


def kinds(module):
    return [type(layer).__name__ for layer in module]


class CountReads(CrossbarModel):
    """Ideal, and counts its reads."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def program(self, g):
        read = Ideal().program(g)

        def count(v):
            self.reads += 1
            return read(v)

        return count


# --- what is replaced ---


def test_the_original_is_not_changed():
    digital, x = network(), torch.rand(2, 2, 4, 4)
    before, weights = digital(x), copy.deepcopy(digital.state_dict())
    analog = convert(digital, LinearCircuit(SPEC), CONFIG)
    with torch.no_grad():
        analog[0].weight.zero_()
    assert kinds(digital) == ["Conv2d", "BatchNorm2d", "ReLU", "Flatten", "Linear"]
    assert all(torch.equal(value, weights[name]) for name, value in digital.state_dict().items())
    assert torch.equal(digital(x), before)


def test_layers_with_weights_are_replaced_and_the_rest_stays_digital():
    analog = convert(network(), Ideal(), CONFIG)
    assert kinds(analog) == ["AnalogConv2d", "BatchNorm2d", "ReLU", "Flatten", "AnalogLinear"]


def test_the_analog_network_is_near_the_digital_one():
    """16-bit numbers with 12 fraction bits: sums of 18 and 48 truncated products of some 2^-12 each."""
    digital, x = network(), torch.rand(2, 2, 4, 4)
    difference = convert(digital, Ideal(), CONFIG)(x) - digital(x)
    assert 0 < difference.abs().max() < 48 * 2**-12


def test_state_dict_has_the_digital_keys_and_loads_digital_weights():
    analog, other = convert(network(), Ideal(), CONFIG), network()
    assert analog.state_dict().keys() == other.state_dict().keys()
    x = torch.rand(2, 2, 4, 4)
    analog(x)
    analog.load_state_dict(other.state_dict())
    assert torch.equal(analog(x), convert(other, Ideal(), CONFIG)(x))


def test_training_mode_is_kept():
    assert convert(network().train(), Ideal(), CONFIG)[4].training
    assert not convert(network().eval(), Ideal(), CONFIG)[4].training


@pytest.mark.parametrize(("digital", "kind"), [(nn.Linear(4, 3), AnalogLinear), (nn.Conv2d(1, 1, 1), AnalogConv2d)])
def test_a_network_may_be_a_single_layer(digital, kind):
    analog = convert(digital, Ideal(), CONFIG)
    assert type(analog) is kind
    assert analog.weight is not digital.weight


MAPPED = [
    nn.Linear(3, 2),
    NonDynamicallyQuantizableLinear(3, 2),
    *(kind(3, 2, 1) for kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d)),
    *(kind(3, 2, 1) for kind in (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)),
    *(kind(3, 2) for kind in (nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell)),
    nn.MultiheadAttention(4, 2),
]


@pytest.mark.parametrize("layer", MAPPED, ids=lambda layer: type(layer).__name__)
def test_every_type_has_its_analog_version_with_the_same_parameters(layer):
    analog = convert(nn.Sequential(layer), Ideal(), CONFIG)[0]
    assert type(analog).__name__ == f"Analog{type(layer).__name__.replace('NonDynamicallyQuantizable', '')}"
    assert sorted(analog.state_dict()) == sorted(layer.state_dict())
    assert analog.training == layer.training


def test_look_ups_stay_digital():
    analog = convert(nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5)), Ideal(), CONFIG)
    assert kinds(analog) == ["Embedding", "AnalogLinear"]


def test_a_weight_tied_to_an_embedding_stays_tied():
    digital = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5))
    digital[1].weight = digital[0].weight
    analog = convert(digital, Ideal(), CONFIG)
    assert analog[1].weight is analog[0].weight
    before = analog(torch.tensor([1]))
    with torch.no_grad():
        analog[0].weight.mul_(0.5)
    assert not torch.equal(analog(torch.tensor([1])), before)


def test_a_layer_used_twice_stays_one_layer():
    shared = nn.Linear(6, 6)
    analog = convert(nn.Sequential(shared, nn.ReLU(), shared, nn.Sequential(shared)), Ideal(), CONFIG)
    assert kinds(analog) == ["AnalogLinear", "ReLU", "AnalogLinear", "Sequential"]
    assert analog[0] is analog[2] is analog[3][0]


def test_weights_shared_by_layers_stay_shared():
    first, second = nn.Linear(6, 6), nn.Linear(6, 6)
    second.weight = first.weight
    analog = convert(nn.Sequential(first, second), Ideal(), CONFIG)
    assert analog[0].weight is analog[1].weight


def test_all_layers_use_the_callers_model():
    model = LinearCircuit(SPEC)
    analog = convert(network(), model, CONFIG)
    assert all(layer.matmul.model is model for layer in (analog[0], analog[4]))


def test_a_copy_of_the_network_has_one_copy_of_the_model():
    copied = copy.deepcopy(convert(network(), LinearCircuit(SPEC), CONFIG))
    assert copied[0].matmul.model is copied[4].matmul.model


def test_a_network_converted_in_inference_mode_works_there():
    digital, x = network(), torch.rand(2, 2, 4, 4)
    with torch.no_grad():
        expected = convert(digital, LinearCircuit(SPEC), CONFIG)(x)
    with torch.inference_mode():
        assert torch.equal(convert(digital, LinearCircuit(SPEC), CONFIG)(x), expected)


def test_batch_norm_stays_digital_and_learns_its_statistics():
    analog = convert(network(), Ideal(), CONFIG).train()
    before = analog[1].running_mean.clone()
    analog(torch.rand(4, 2, 4, 4))
    assert type(analog[1]) is nn.BatchNorm2d
    assert not torch.equal(analog[1].running_mean, before)


# --- settings by layer ---


def test_a_function_gives_each_layer_its_own_settings():
    seen = {}
    narrow = HardwareConfig(8, 8, slice_bits=2, dac=Dac(2))

    def settings(name, module):
        seen[name] = type(module).__name__
        return narrow if isinstance(module, nn.Conv2d) else CONFIG

    digital = nn.ModuleDict({"stem": nn.Sequential(nn.Conv2d(1, 2, 3)), "head": nn.Linear(2, 2)})
    analog = convert(digital, Ideal(), settings)
    assert seen == {"stem.0": "Conv2d", "head": "Linear"}
    assert analog["stem"][0].matmul.config is narrow
    assert analog["head"].matmul.config is CONFIG


def test_none_leaves_a_layer_digital():
    analog = convert(network(), Ideal(), lambda name, module: None if name == "0" else CONFIG)
    assert kinds(analog) == ["Conv2d", "BatchNorm2d", "ReLU", "Flatten", "AnalogLinear"]


# --- layers inside PyTorch's own networks ---


def feed_forward_only(name, module):
    return None if isinstance(module, nn.MultiheadAttention) else CONFIG


def test_fused_inference_of_transformers_does_not_bypass_the_crossbars():
    """In eval mode without gradients PyTorch's encoder layer multiplies by its weights itself, if one lets it."""
    counter = CountReads()
    analog = convert(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), counter, feed_forward_only)
    with torch.no_grad():
        analog(torch.rand(1, 3, 8))
    assert counter.reads > 0


def test_a_masked_transformer_without_gradients_equals_one_with_them():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    analog = convert(encoder, LinearCircuit(SPEC), feed_forward_only)
    x, mask = torch.rand(2, 3, 8), torch.tensor([[False, False, False], [False, False, True]])
    with torch.no_grad():
        y = analog(x, src_key_padding_mask=mask)
    # float32; attention is fused or not
    torch.testing.assert_close(y, analog(x, src_key_padding_mask=mask), rtol=1e-3, atol=1e-3)


# --- what cannot be mapped ---


class Scaled(nn.Linear):
    """Computes something else than a linear layer."""

    def forward(self, x):
        return 2 * super().forward(x)


class GatedCell(nn.GRUCell):
    """Computes something else than a GRU cell."""


class TwoLSTMs(nn.LSTM):
    """Computes something else than an LSTM."""


class Talkative(nn.MultiheadAttention):
    """Computes something else than multi-head attention."""


UNSUPPORTED = [nn.Bilinear(2, 2, 2), Scaled(2, 2), GatedCell(2, 2), TwoLSTMs(2, 2), Talkative(2, 1)]


@pytest.mark.parametrize("layer", UNSUPPORTED, ids=lambda layer: type(layer).__name__)
def test_a_layer_that_cannot_be_mapped_is_named_with_a_remedy(layer):
    digital = nn.ModuleDict({"body": nn.Sequential(nn.Linear(2, 2), layer)})
    kind = type(layer).__name__
    with pytest.raises(ValueError, match=rf"Layer `body.1` is a {kind}.*returns None for 'body.1'.*`register_layer`"):
        convert(digital, Ideal(), CONFIG)


@pytest.mark.parametrize("layer", UNSUPPORTED, ids=lambda layer: type(layer).__name__)
def test_the_remedy_works(layer):
    digital = nn.ModuleDict({"body": nn.Sequential(nn.Linear(2, 2), layer)})
    analog = convert(digital, Ideal(), lambda name, module: None if name == "body.1" else CONFIG)
    assert kinds(analog["body"]) == ["AnalogLinear", type(layer).__name__]


@pytest.mark.parametrize("layer", [nn.LazyLinear(2), nn.LazyConv1d(2, 1)], ids=lambda layer: type(layer).__name__)
def test_a_lazy_layer_must_have_run(layer):
    digital = nn.Sequential(layer)
    expected = rf"Layer `0` \({type(layer).__name__}\) has no weights yet. Run the network once"
    with pytest.raises(ValueError, match=expected):
        convert(digital, Ideal(), CONFIG)
    digital(torch.rand(1, 3, 3))
    assert isinstance(convert(digital, Ideal(), CONFIG)[0], AnalogLayer)


PARAMETRIZED = {
    "weight norm": (nn.Linear(3, 3), parametrizations.weight_norm),
    "spectral norm": (nn.Conv1d(3, 3, 1), parametrizations.spectral_norm),
    "of a registered type": (nn.GRUCell(3, 3), lambda cell: parametrizations.orthogonal(cell, "weight_hh")),
}


@pytest.mark.parametrize(("layer", "parametrize_it"), PARAMETRIZED.values(), ids=PARAMETRIZED)
def test_a_parametrized_layer_is_named_with_a_remedy(layer, parametrize_it):
    digital = nn.Sequential(nn.Linear(3, 3), parametrize_it(copy.deepcopy(layer)))
    name = "weight_hh" if isinstance(layer, nn.GRUCell) else "weight"
    with pytest.raises(ValueError, match=rf"Layer `1` \(.*\) computes its {name} .*returns None for '1'"):
        convert(digital, Ideal(), CONFIG)
    assert kinds(convert(digital, Ideal(), lambda key, module: None if key == "1" else CONFIG))[0] == "AnalogLinear"
    parametrize.remove_parametrizations(digital[1], name)
    assert isinstance(convert(digital, Ideal(), CONFIG)[1], AnalogLayer)


def pruned(layer):
    return prune.l1_unstructured(layer, "weight", 0.5)


HOOKED = {
    "prune": (pruned, lambda layer: prune.remove(layer, "weight")),
    "spectral norm": (torch.nn.utils.spectral_norm, torch.nn.utils.remove_spectral_norm),
}


@pytest.mark.parametrize(("hook", "remove"), HOOKED.values(), ids=HOOKED)
def test_a_layer_whose_weight_comes_from_a_hook_is_named_with_a_remedy(hook, remove):
    digital = nn.Sequential(hook(nn.Linear(3, 3)))
    with pytest.raises(ValueError, match=r"Layer `0` \(Linear\) computes its weight in a hook.*`prune.remove`"):
        convert(digital, Ideal(), CONFIG)
    remove(digital[0])
    assert type(convert(digital, Ideal(), CONFIG)[0]) is AnalogLinear


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_the_old_weight_norm_is_named_with_a_remedy():
    digital = nn.Sequential(torch.nn.utils.weight_norm(nn.LSTM(3, 3), "weight_hh_l0"))
    with pytest.raises(ValueError, match=r"Layer `0` \(LSTM\) computes its weight_hh_l0 in a hook"):
        convert(digital, Ideal(), CONFIG)


@pytest.mark.parametrize("digital", [nn.ReLU(), nn.Sequential(nn.BatchNorm2d(3)), nn.Sequential()])
def test_a_network_without_mapped_layers_is_refused(digital):
    with pytest.raises(
        ValueError, match=f"No layer of {type(digital).__name__} was put on crossbars.*Linear, .*Conv2d"
    ):
        convert(digital, Ideal(), CONFIG)


def test_leaving_all_layers_digital_is_refused():
    with pytest.raises(ValueError, match=r"No layer of Sequential was put on crossbars.*`register_layer`"):
        convert(network(), Ideal(), lambda name, module: None)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HardwareConfig(8, 7), "models crossbars of 8x8, but tiles of 8x7"),
        (HardwareConfig(8, 8, dac=Dac(4, v_max=0.5)), "holds for v from 0 to 0.25 V, but 0 to 0.5 V"),
        (HardwareConfig(8, 8, g_off=1e-6), "holds for g from 1.66667e-06 to 1e-05 S, but 1e-06 to 1e-05 S"),
    ],
)
def test_a_model_made_for_other_crossbars_names_the_layer(config, message):
    model = Geniex(SPEC, Scaling(v_max=0.25, g_min=1e-5 / 6, g_max=1e-5, f_min=0.8, f_max=1.2), hidden=4)
    with pytest.raises(ValueError, match=f"Layer `0`: Geniex {message}"):
        convert(network(), model, config)


# --- teaching it a layer ---


class AnalogScaled(AnalogLayer):
    """`Scaled` on crossbars."""

    def matrices(self):
        return [self.weight.mT]

    def __init__(self, scaled, model, config):
        super().__init__(model, config)
        self.weight, self.bias = scaled.weight, scaled.bias

    def forward(self, x):
        return 2 * (self.product(0, x) + self.bias)


def test_register_layer_teaches_convert_a_type(monkeypatch):
    monkeypatch.setattr(conversion, "_BUILDERS", dict(conversion._BUILDERS))
    register_layer(Scaled, AnalogScaled)
    digital, x = nn.Sequential(Scaled(4, 3), nn.Linear(3, 3)), torch.rand(2, 4)
    analog = convert(digital, Ideal(), CONFIG)
    assert kinds(analog) == ["AnalogScaled", "AnalogLinear"]
    # inputs and weights of 12 and 13 fraction bits, truncated; sums of 4 and 3 products, doubled
    torch.testing.assert_close(analog(x), digital(x), rtol=0, atol=16 * 2**-12)
