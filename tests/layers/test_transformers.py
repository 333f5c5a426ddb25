"""Networks of the transformers library, random and small: every layer with weights goes on crossbars, name kept."""

import copy
import io
import os

import pytest
import torch
from torch import nn

from geniex.conversion import convert
from geniex.converters import Dac
from geniex.digital import FixedPoint
from geniex.functional import HardwareConfig
from geniex.layers import AnalogConv2d, AnalogLayer, AnalogLinear, AnalogTransposedLinear
from geniex.models.ideal import Ideal
from geniex.zoo import library

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is imported
transformers = pytest.importorskip("transformers")
library("torchvision")  # which transformers imports as it is, also where it was built for another torch

FINE = FixedPoint(16, 12)
CONFIG = HardwareConfig(64, 64, FINE, FINE, slice_bits=8, dac=Dac(8), adc=None, accumulator=None)


def bert():
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
    )
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    return transformers.BertForMaskedLM(config), {"input_ids": torch.arange(10).view(2, 5), "attention_mask": mask}


def vit():
    config = transformers.ViTConfig(
        image_size=8,
        patch_size=4,
        num_channels=2,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        num_labels=3,
    )
    return transformers.ViTForImageClassification(config), {"pixel_values": torch.rand(2, 2, 8, 8)}


def gpt2():
    config = transformers.GPT2Config(
        vocab_size=20, n_positions=16, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return transformers.GPT2LMHeadModel(config), {"input_ids": torch.arange(10).view(2, 5)}


NETWORKS = {"bert": bert, "vit": vit, "gpt2": gpt2}
each = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def made(name):
    network, inputs = NETWORKS[name]()
    return network.eval(), inputs


@torch.no_grad()
def logits(network, inputs):
    return network(**inputs).logits


@each
def test_every_layer_with_weights_is_mapped_where_it_was(name):
    digital, _ = made(name)
    analog = convert(digital, Ideal(), CONFIG)
    kinds = {"Linear": AnalogLinear, "Conv2d": AnalogConv2d, "Conv1D": AnalogTransposedLinear}
    expected = {n: kinds[type(m).__name__] for n, m in digital.named_modules() if type(m).__name__ in kinds}
    assert {n: type(m) for n, m in analog.named_modules() if isinstance(m, AnalogLayer)} == expected
    assert len(expected) >= 5
    assert type(analog) is type(digital)
    unmapped = [m for m in analog.modules() if isinstance(m, nn.Linear | nn.Conv2d) or type(m).__name__ == "Conv1D"]
    assert unmapped == []


@each
@pytest.mark.parametrize("attention", [None, CONFIG], ids=["digital attention", "attention on arrays"])
def test_fine_numbers_give_nearly_the_digital_logits(name, attention):
    digital, inputs = made(name)
    expected = logits(digital, inputs)
    found = logits(convert(digital, Ideal(), CONFIG, attention=attention), inputs)
    assert found.shape == expected.shape
    # sums of 16 to 32 products, each truncated by 2^-12
    difference = (found - expected).abs().max()
    assert 0 < difference < 32 * 2**-12


@each
def test_attention_on_arrays_is_quantized_on_its_own(name):
    """With 1 bit behind the point keys and values are nearly 0: attention is flat, or nothing."""
    digital, inputs = made(name)
    coarse = HardwareConfig(16, 16, FixedPoint(4, 1), FixedPoint(4, 1), adc=None, accumulator=None)
    fine = convert(digital, Ideal(), CONFIG)
    assert not torch.equal(logits(convert(digital, Ideal(), CONFIG, attention=coarse), inputs), logits(fine, inputs))


@each
def test_state_dict_keeps_its_names_and_loads_both_ways(name):
    digital, inputs = made(name)
    analog = convert(digital, Ideal(), CONFIG, attention=CONFIG)
    assert list(analog.state_dict()) == list(digital.state_dict())
    other, _ = made(name)
    analog.load_state_dict(other.state_dict())
    assert torch.equal(logits(analog, inputs), logits(convert(other, Ideal(), CONFIG, attention=CONFIG), inputs))
    digital.load_state_dict(analog.state_dict())
    assert torch.equal(logits(digital, inputs), logits(other, inputs))


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_weights_tied_to_embeddings_stay_tied(name):
    analog = convert(made(name)[0], Ideal(), CONFIG)
    assert type(analog.get_input_embeddings()) is nn.Embedding
    assert analog.get_output_embeddings().weight is analog.get_input_embeddings().weight


@each
def test_copies_and_saved_networks_keep_attention_on_arrays(name):
    digital, inputs = made(name)
    analog = convert(digital, Ideal(), CONFIG, attention=CONFIG)
    expected = logits(analog, inputs)
    assert not torch.equal(expected, logits(convert(digital, Ideal(), CONFIG), inputs))
    file = io.BytesIO()
    torch.save(analog, file)
    file.seek(0)
    for other in (copy.deepcopy(analog), torch.load(file, weights_only=False), copy.deepcopy(analog).train().eval()):
        assert torch.equal(logits(other, inputs), expected)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(1.1)
        assert not torch.equal(logits(other, inputs), expected)


def test_generation_runs_on_crossbars():
    digital, inputs = made("gpt2")
    analog = convert(digital, Ideal(), CONFIG, attention=CONFIG)
    options = {"max_new_tokens": 3, "do_sample": False, "pad_token_id": 0, "attention_mask": torch.ones(2, 5).long()}
    assert torch.equal(analog.generate(**inputs, **options), digital.generate(**inputs, **options))


def test_eager_attention_cannot_be_put_on_arrays():
    digital, inputs = made("bert")
    digital.set_attn_implementation("eager")
    with pytest.raises(ValueError, match=r"BertForMaskedLM computed no attention.*attn_implementation"):
        logits(convert(digital, Ideal(), CONFIG, attention=CONFIG), inputs)


@each
def test_networks_can_be_trained_on_crossbars(name):
    digital, inputs = made(name)
    analog = convert(digital, Ideal(), CONFIG, attention=CONFIG)
    upstream = torch.randn_like(logits(digital, inputs))
    for network in (digital, analog):
        (network(**inputs).logits * upstream).sum().backward()
    for key, parameter in digital.named_parameters():
        if parameter.grad is not None:
            found, expected = analog.get_parameter(key).grad, parameter.grad
            # weights of order 0.02 are truncated by 2^-12; 1e-8: of a key's bias, the gradient is 0
            assert (found - expected).norm() < 0.03 * expected.norm() + 1e-8, key


def test_a_subclass_of_conv1d_is_refused_by_name():
    class Scaled(transformers.pytorch_utils.Conv1D):
        """Computes something else."""

    digital = nn.Sequential(nn.Linear(2, 2), Scaled(3, 2))
    with pytest.raises(ValueError, match=r"Layer `1` is a Scaled, which has no analog version.*`register_layer`"):
        convert(digital, Ideal(), CONFIG)


def test_conv1d_refuses_other_sizes():
    layer = convert(transformers.pytorch_utils.Conv1D(3, 2), Ideal(), CONFIG)
    with pytest.raises(ValueError, match=r"takes 2 features; got an input of shape \(4, 3\)"):
        layer(torch.zeros(4, 3))
