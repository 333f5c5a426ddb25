import io
import pickle

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from geniex.evaluation import LabelledImages, Preprocess, load_images


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def image_file(tmp_path):
    """Writes an npz file of the given arrays."""

    def write(**arrays):
        path = tmp_path / "images.npz"
        np.savez(path, **arrays)
        return path

    return write


def whole():
    return {"images": random_pixels(3, 4, 5, 3), "labels": np.array([2, 0, 1])}


# Files


def test_a_file_gives_back_what_was_stored(image_file):
    arrays = whole()
    read = load_images(image_file(**arrays))
    np.testing.assert_array_equal(read.images, arrays["images"])
    np.testing.assert_array_equal(read.labels, arrays["labels"])
    assert (len(read), read.source) == (3, "images.npz")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_may_be_any_whole_numbers(image_file, dtype):
    assert load_images(image_file(**{**whole(), "labels": np.array([2, 0, 1], dtype=dtype)})).labels.dtype == dtype


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((3, 4, 5, 3))}, r"`images` must be uint8 .* got float64 \(3, 4, 5, 3\)"),
        ({"images": np.zeros((3, 3, 4, 5), np.uint8)}, r"`images` must be uint8 .* got uint8 \(3, 3, 4, 5\)"),
        ({"images": np.zeros((3, 4, 5), np.uint8)}, r"`images` must be uint8 .* got uint8 \(3, 4, 5\)"),
        ({"images": np.zeros((3, 4, 5, 4), np.uint8)}, r"`images` must be uint8 .* got uint8 \(3, 4, 5, 4\)"),
        ({"labels": np.zeros(3)}, r"`labels` must be whole numbers \(3,\); got float64 \(3,\)"),
        ({"labels": np.zeros((3, 1), np.int64)}, r"`labels` must be whole numbers \(3,\); got int64 \(3, 1\)"),
        ({"labels": np.zeros(2, np.int64)}, r"`labels` must be whole numbers \(3,\); got int64 \(2,\)"),
        ({"labels": np.array(["a", "b", "c"])}, r"`labels` must be whole numbers \(3,\); got <U1 \(3,\)"),
        ({"images": np.zeros((0, 4, 5, 3), np.uint8), "labels": np.zeros(0, np.int64)}, "images.npz holds no images"),
        ({"labels": np.array([1, "two", None], dtype=object)}, "damaged, or holds Python objects"),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(image_file, change, message):
    with pytest.raises(ValueError, match=message):
        load_images(image_file(**{**whole(), **change}))


@pytest.mark.parametrize(
    ("kept", "message"), [(["images"], "lacks labels"), (["labels"], "lacks images"), ([], "lacks images and labels")]
)
def test_a_missing_array_is_named(image_file, kept, message):
    path = image_file(**{name: array for name, array in whole().items() if name in kept}, other=np.zeros(1))
    with pytest.raises(ValueError, match=rf"images.npz is not an image file.*{message}\. `geniex pack` makes one"):
        load_images(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image file .*none.npz. `geniex pack`"):
        load_images(tmp_path / "none.npz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_file_cut_short_is_refused(image_file, share):
    path = image_file(**whole())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="not an npz file, or its end is missing"):
        load_images(path)


def test_a_file_with_flipped_bytes_is_refused(image_file):
    path = image_file(**whole())
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(255 - byte for byte in content[200:210])  # inside `images`
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"images.npz is not an image file of geniex: it is damaged"):
        load_images(path)


def single_array():
    file = io.BytesIO()
    np.save(file, random_pixels(3, 4, 5, 3))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"labels, images\n", pickle.dumps({"images": 1}), single_array(), b"\x89PNG\r\n\x1a\n", b"PK\x03\x04 and more"],
    ids=["text", "pickle", "npy", "png", "start of a zip"],
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "images.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"images.npz is not an image file of geniex: it is not an npz file"):
        load_images(path)


# Choosing images


def labelled(count):
    return LabelledImages(random_pixels(count, 2, 2, 3), np.arange(count), "some.npz")


def test_first_takes_from_the_start():
    np.testing.assert_array_equal(labelled(10).first(4).labels, [0, 1, 2, 3])


@pytest.mark.parametrize("count", [0, -1, 11])
def test_first_needs_a_possible_number(count):
    with pytest.raises(ValueError, match=rf"between 1 and 10, all of some.npz; got {count}"):
        labelled(10).first(count)


def test_shuffling_keeps_labels_with_their_images_and_loses_none():
    images = labelled(50)
    mixed = images.shuffled(3)
    assert sorted(mixed.labels) == list(range(50))
    assert list(mixed.labels) != list(range(50))
    np.testing.assert_array_equal(mixed.images, images.images[mixed.labels])


def test_shuffling_depends_on_the_seed_alone():
    labels = [labelled(50).shuffled(seed).labels for seed in (3, 3, 4)]
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (labels[0] != labels[2]).any()


def test_more_images_of_a_seed_begin_with_the_fewer():
    mixed = labelled(50).shuffled(3)
    np.testing.assert_array_equal(mixed.first(30).first(7).labels, mixed.first(7).labels)


# Preparing images


def test_without_options_pixels_become_shares_of_255():
    pixels = random_pixels(2, 4, 6, 3)
    x = Preprocess()(pixels)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x, pixels.transpose(0, 3, 1, 2) / 255, rtol=1e-6)  # float32


def test_scale_mean_and_deviation_act_per_channel_in_the_networks_order():
    pixels = random_pixels(2, 4, 6, 3)
    mean, deviation = (10.0, 20.0, 30.0), (2.0, 3.0, 4.0)
    x = Preprocess(channel_order="BGR", scale=0.5, mean=mean, deviation=deviation)(pixels)
    for channel, source in enumerate((2, 1, 0)):
        expected = (0.5 * pixels[..., source] - mean[channel]) / deviation[channel]
        np.testing.assert_allclose(x[:, channel], expected, rtol=1e-6)  # float32


@pytest.mark.parametrize(
    ("height", "width", "side", "top", "left"),
    [(6, 6, 4, 1, 1), (6, 9, 5, 0, 2), (9, 6, 6, 1, 0), (5, 5, 5, 0, 0), (7, 8, 1, 3, 3)],
)
def test_crop_is_cut_from_the_centre(height, width, side, top, left):
    pixels = random_pixels(2, height, width, 3)
    x = Preprocess(crop=side, scale=1.0)(pixels)
    np.testing.assert_array_equal(x, pixels[:, top : top + side, left : left + side].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width", "side"), [(20, 30, 8), (30, 20, 13), (8, 8, 20), (9, 31, 4), (12, 12, 12)])
def test_resize_is_that_of_pillow(height, width, side, interpolation):
    pixels = random_pixels(1, height, width, 3)
    x = Preprocess(resize=side, scale=1.0, interpolation=interpolation)(pixels)
    assert min(x.shape[-2:]) == side
    size = (x.shape[-1], x.shape[-2])
    assert size == (round(width * side / min(height, width)), round(height * side / min(height, width)))
    expected = np.asarray(Image.fromarray(pixels[0]).resize(size, Image.Resampling[interpolation.upper()]))
    # Pillow rounds, after each direction; of cubic weights the magnitudes add up to 1.25
    np.testing.assert_allclose(x[0].permute(1, 2, 0), expected, atol=1.13)


def test_resize_comes_before_crop():
    x = Preprocess(resize=8, crop=6)(random_pixels(1, 40, 16, 3))
    assert x.shape == (1, 3, 6, 6)


def test_squares_of_the_size_of_the_crop_were_cut_before():
    """So that photos that were resized and cropped when they were packed are not resized again."""
    pixels = random_pixels(1, 6, 6, 3)
    assert torch.equal(Preprocess(resize=8, crop=6)(pixels), Preprocess()(pixels))


def test_an_unknown_choice_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its check would come first
    with pytest.raises(ValueError, match="`interpolation` must be bilinear or bicubic; got 'lanczos'"):
        Preprocess(interpolation="lanczos")
    with pytest.raises(ValueError, match="`channel_order` must be RGB or BGR; got 'GBR'"):
        Preprocess(channel_order="GBR")


def test_read_only_images_are_prepared_without_a_warning():
    pixels = random_pixels(1, 2, 2, 3)
    pixels.flags.writeable = False
    assert Preprocess()(pixels).shape == (1, 3, 2, 2)


def test_preparing_leaves_the_images_alone():
    pixels = random_pixels(2, 4, 4, 3)
    before = pixels.copy()
    Preprocess(channel_order="BGR", mean=(1.0, 1.0, 1.0))(pixels)
    np.testing.assert_array_equal(pixels, before)


def test_each_image_is_prepared_alone():
    pixels, prepare = random_pixels(3, 9, 12, 3), Preprocess(resize=6, crop=5)
    one_by_one = torch.cat([prepare(pixels[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(prepare(pixels), one_by_one, rtol=1e-6, atol=1e-6)  # float32


def test_a_crop_larger_than_the_images_is_refused():
    with pytest.raises(ValueError, match=r"`crop` of 5 pixels does not fit images of 4x6. Give a smaller `crop`"):
        Preprocess(crop=5)(random_pixels(1, 4, 6, 3))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": 0.0}, "must not be 0; got .* and 0.0"),
        ({"deviation": (1.0, 0.0, 1.0)}, r"must not be 0; got \(1.0, 0.0, 1.0\)"),
        ({"resize": 0}, "`resize` must be at least 1 pixel; got 0"),
        ({"crop": -3}, "`crop` must be at least 1 pixel; got -3"),
    ],
)
def test_impossible_preparations_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Preprocess(**fields)
