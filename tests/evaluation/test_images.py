import io
import pickle

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from geniex.evaluation import LabelledImages, Preprocess, load_images, pack_folder


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


@pytest.mark.parametrize(("height", "width", "side"), [(20, 30, 8), (30, 20, 13), (8, 8, 20), (9, 31, 4), (12, 12, 12)])
def test_resize_is_that_of_pillow(height, width, side):
    pixels = random_pixels(1, height, width, 3)
    x = Preprocess(resize=side, scale=1.0)(pixels)
    assert min(x.shape[-2:]) == side
    size = (x.shape[-1], x.shape[-2])
    assert size == (round(width * side / min(height, width)), round(height * side / min(height, width)))
    expected = np.asarray(Image.fromarray(pixels[0]).resize(size, Image.Resampling.BILINEAR))
    np.testing.assert_allclose(x[0].permute(1, 2, 0), expected, atol=1.01)  # Pillow rounds, after each direction


def test_resize_comes_before_crop():
    x = Preprocess(resize=8, crop=6)(random_pixels(1, 40, 16, 3))
    assert x.shape == (1, 3, 6, 6)


def test_another_channel_order_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its check would come first
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


# Packing a folder


@pytest.fixture
def folder(tmp_path):
    """Writes images, as arrays by name, into a folder."""

    def write(files):
        for name, pixels in files.items():
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return tmp_path / "photos"

    return write


def test_packed_images_are_those_of_the_folder(folder, tmp_path):
    files = {"cat/a.png": random_pixels(4, 5, 3, seed=1), "cat/b.bmp": random_pixels(4, 5, 3, seed=2)}
    packed = pack_folder(
        folder({**files, "ant/z.png": random_pixels(4, 5, 3, seed=3)}), tmp_path / "o.npz", Preprocess()
    )
    read = load_images(tmp_path / "o.npz")
    np.testing.assert_array_equal(read.images, packed.images)
    np.testing.assert_array_equal(read.images[1], files["cat/a.png"])
    np.testing.assert_array_equal(read.images[2], files["cat/b.bmp"])
    assert read.labels.dtype == np.int64


def test_classes_are_numbered_in_sorted_order_of_their_names(folder, tmp_path):
    names = ["b/1.png", "a/1.png", "10/1.png", "2/1.png", "C/1.png", "a/deeper/2.PNG"]
    packed = pack_folder(folder({name: random_pixels(2, 2, 3) for name in names}), tmp_path / "o.npz", Preprocess())
    assert packed.labels.tolist() == [0, 1, 2, 3, 3, 4]
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["classes"].tolist() == ["10", "2", "C", "a", "b"]


def test_other_files_are_left_out(folder, tmp_path):
    photos = folder({"a/1.png": random_pixels(2, 2, 3)})
    (photos / "a" / "notes.txt").write_text("no image")
    (photos / "readme.md").write_text("no image")
    Image.fromarray(random_pixels(9, 9, 3)).save(photos / "outside.png")
    assert len(pack_folder(photos, tmp_path / "o.npz", Preprocess())) == 1


def test_grey_and_transparent_images_become_rgb(folder, tmp_path):
    grey = random_pixels(3, 4)
    packed = pack_folder(folder({"a/1.png": grey, "a/2.png": random_pixels(3, 4, 4)}), tmp_path / "o.npz", Preprocess())
    np.testing.assert_array_equal(packed.images[0], np.stack([grey] * 3, axis=-1))
    assert packed.images.shape == (2, 3, 4, 3)


def test_packing_resizes_and_crops_and_nothing_else(folder, tmp_path):
    pixels = random_pixels(20, 30, 3)
    prepare = Preprocess(resize=10, crop=8, channel_order="BGR", mean=(1.0, 2.0, 3.0))
    packed = pack_folder(folder({"a/1.png": pixels, "a/2.png": random_pixels(50, 20, 3)}), tmp_path / "o.npz", prepare)
    resized = np.asarray(Image.fromarray(pixels).resize((15, 10), Image.Resampling.BILINEAR))[1:9, 3:11]
    assert packed.images.shape == (2, 8, 8, 3)
    assert np.abs(packed.images[0].astype(int) - resized).max() <= 1  # rounded once, and not after each direction


def test_images_of_several_sizes_are_refused_with_a_remedy(folder, tmp_path):
    photos = folder({"a/1.png": random_pixels(4, 5, 3), "a/2.png": random_pixels(4, 6, 3)})
    with pytest.raises(
        ValueError, match=r"2 sizes, such as \[\(4, 5, 3\), \(4, 6, 3\)\]. Give `--resize` and `--crop`"
    ):
        pack_folder(photos, tmp_path / "o.npz", Preprocess())


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    return content[:40] + bytes(255 - byte for byte in content[40:80]) + content[80:]


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "bmp", "webp"])
@pytest.mark.parametrize(
    "damage", [cut, lambda content: b"", lambda content: b"no image at all"], ids=["cut", "empty", "text"]
)
def test_an_image_that_cannot_be_read_is_named(folder, tmp_path, suffix, damage):
    photos = folder({"a/1.png": random_pixels(40, 40, 3), f"a/2.{suffix}": random_pixels(40, 40, 3)})
    broken = photos / "a" / f"2.{suffix}"
    broken.write_bytes(damage(broken.read_bytes()))
    with pytest.raises(ValueError, match=rf"2\.{suffix} cannot be read as an image"):
        pack_folder(photos, tmp_path / "o.npz", Preprocess())
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_flipped_bytes_of_a_png_are_noticed(folder, tmp_path):
    photos = folder({"a/1.png": random_pixels(40, 40, 3)})
    (photos / "a" / "1.png").write_bytes(flip((photos / "a" / "1.png").read_bytes()))
    with pytest.raises(ValueError, match=r"1\.png cannot be read as an image"):
        pack_folder(photos, tmp_path / "o.npz", Preprocess())


@pytest.mark.parametrize("content", [{}, {"a/notes.png/x.txt": None}, None], ids=["empty", "no images", "missing"])
def test_a_folder_without_images_is_refused(tmp_path, content):
    photos = tmp_path / "photos"
    if content is not None:
        photos.mkdir()
    for name in content or {}:
        (photos / name).parent.mkdir(parents=True)
        (photos / name).write_text("no image")
    if content:
        (photos / "a" / "notes.png").rename(photos / "a" / "notes")
    with pytest.raises(ValueError, match=r"photos has no subfolders with images \(\.png, .*one subfolder per class"):
        pack_folder(photos, tmp_path / "o.npz", Preprocess())


def test_a_failed_write_leaves_the_old_file_and_no_other(folder, tmp_path, monkeypatch):
    photos, out = folder({"a/1.png": random_pixels(2, 2, 3)}), tmp_path / "o.npz"
    out.write_text("old")

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        pack_folder(photos, out, Preprocess())
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.npz", "photos"]


def test_folders_of_the_packed_file_are_made(folder, tmp_path):
    pack_folder(folder({"a/1.png": random_pixels(2, 2, 3)}), tmp_path / "new" / "deep" / "o.npz", Preprocess())
    assert len(load_images(tmp_path / "new" / "deep" / "o.npz")) == 1
