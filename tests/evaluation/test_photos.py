"""Folders of photos: which class each has, which are drawn, and how they come to one size."""

import numpy as np
import pytest
from PIL import Image

from geniex.evaluation import Preprocess, list_photos, load_images, pack_folder
from geniex.evaluation import photos as module
from geniex.zoo import library


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


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


# Labels


def marked(names):
    """Images of one pixel, each of another colour."""
    return {name: np.full((1, 1, 3), 10 * k % 256, np.uint8) for k, name in enumerate(names)}


def test_classes_and_photos_are_those_of_torchvision(folder):
    datasets = library("torchvision").datasets
    root = folder(marked(["b/2.png", "b/1.png", "a/z/1.png", "a/1.png", "10/1.png", "2/1.png", "C/1.png"]))
    (root / "empty").mkdir()
    reference = datasets.ImageFolder(root, allow_empty=True)
    photos = list_photos(root)
    assert list(photos.classes) == reference.classes
    assert sorted(zip(map(str, photos.files), photos.labels, strict=True)) == sorted(reference.samples)


def test_a_file_of_classes_gives_their_order(folder):
    root = folder(marked(["ant/1.png", "bee/1.png", "cat/1.png"]))
    (root / "classes.txt").write_text("dog\ncat\n\nant\nbee\n")
    photos = list_photos(root)
    assert photos.classes == ("dog", "cat", "ant", "bee")
    assert {file.parent.name: label for file, label in zip(photos.files, photos.labels, strict=True)} == {
        "cat": 1,
        "ant": 2,
        "bee": 3,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant\ncat\n", r"classes\.txt does not name the folder 'bee'"),
        ("ant\nbees\n", r"does not name the folder 'bee'\. Did you mean 'bees'\?"),
        ("ant\nbee\nant\n", r"names 'ant' twice"),
        (b"\xff\xfe\x00", r"classes\.txt is not text in UTF-8"),
    ],
)
def test_a_file_of_classes_that_does_not_fit_is_refused(folder, text, message):
    root = folder(marked(["ant/1.png", "bee/1.png"]))
    (root / "classes.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        list_photos(root)


def test_labels_of_photos_side_by_side_come_from_a_file(folder):
    root = folder(marked(["one.png", "in two.png", "three.png"]))
    (root / "labels.txt").write_text("three.png 7\nin two.png 65\n")
    read = list_photos(root).read(Preprocess())
    assert read.labels.tolist() == [7, 65]
    assert read.images[:, 0, 0, 0].tolist() == [20, 10]


@pytest.mark.parametrize("line", ["one.png", "one.png seven", "one.png -1", "one.png 1.5", "7"])
def test_a_line_without_a_label_is_refused(folder, line):
    root = folder(marked(["one.png"]))
    (root / "labels.txt").write_text(f"one.png 0\n{line}\n")
    with pytest.raises(ValueError, match=rf"labels\.txt has the line '{line}'\. A line is `NAME LABEL`"):
        list_photos(root)


def test_an_empty_file_of_labels_and_a_missing_photo_are_refused(folder):
    root = folder(marked(["one.png"]))
    (root / "labels.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"labels\.txt lists no images"):
        list_photos(root)
    (root / "labels.txt").write_text("none.png 0\n")
    with pytest.raises(ValueError, match=r"none\.png cannot be read as an image: .*No such file"):
        list_photos(root).read(Preprocess())


# Drawing and reading


def test_photos_are_drawn_as_packed_images_are(folder, tmp_path):
    root = folder(marked([f"{k % 3}/{k}.png" for k in range(12)]))
    drawn = list_photos(root).drawn(3, 5).read(Preprocess())
    expected = pack_folder(root, tmp_path / "o.npz", Preprocess()).shuffled(3).first(5)
    np.testing.assert_array_equal(drawn.images, expected.images)
    np.testing.assert_array_equal(drawn.labels, expected.labels)


@pytest.mark.parametrize("count", [0, 4])
def test_a_draw_needs_a_possible_number(folder, count):
    photos = list_photos(folder(marked(["a/1.png", "a/2.png", "b/1.png"])))
    with pytest.raises(ValueError, match=rf"between 1 and 3, all of .*photos; got {count}"):
        photos.drawn(0, count)


def test_only_drawn_photos_are_read(folder):
    root = folder(marked([f"a/{k}.png" for k in range(9)]))
    drawn = list_photos(root).drawn(0, 2)
    for file in (root / "a").iterdir():
        if file not in drawn.files:
            file.write_bytes(b"damaged")
    told = []
    assert len(drawn.read(Preprocess(), lambda *what: told.append(what))) == 2
    assert told == [("photos", 1, 2), ("photos", 2, 2)]


def test_a_damaged_photo_ends_the_reading_of_the_others(folder, monkeypatch):
    root = folder(marked([f"a/{k:03}.png" for k in range(200)]))
    (root / "a" / "000.png").write_bytes(b"damaged")
    opened, read = [], module._read
    monkeypatch.setattr(module, "_read", lambda file, prepare: (opened.append(file), read(file, prepare))[1])
    with pytest.raises(ValueError, match=r"000\.png cannot be read as an image"):
        list_photos(root).read(Preprocess())
    assert len(opened) < 200


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width"), [(37, 52), (61, 40), (33, 33), (20, 31)])
def test_photos_are_resized_and_cropped_as_by_torchvision(folder, height, width, interpolation):
    """The same bytes: of sizes with a remainder, and of crops half a pixel off."""
    transforms = library("torchvision").transforms
    root = folder({"a/1.png": random_pixels(height, width, 3)})
    mode = transforms.InterpolationMode(interpolation)
    reference = transforms.CenterCrop(22)(transforms.Resize(25, mode)(Image.open(root / "a" / "1.png")))
    read = list_photos(root).read(Preprocess(resize=25, crop=22, interpolation=interpolation))
    np.testing.assert_array_equal(read.images[0], np.asarray(reference))


def test_a_photo_smaller_than_the_crop_is_named(folder):
    with pytest.raises(ValueError, match=r"`crop` of 5 pixels does not fit .*1\.png of 4x6. Give a smaller `crop`"):
        list_photos(folder({"a/1.png": random_pixels(4, 6, 3)})).read(Preprocess(crop=5))


# Packing a folder


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
    resized = np.asarray(Image.fromarray(pixels).resize((15, 10), Image.Resampling.BILINEAR))
    assert packed.images.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(packed.images[0], resized[1:9, 4:12])  # 3.5 to even, as torchvision


def test_images_of_several_sizes_are_refused_with_a_remedy(folder, tmp_path):
    photos = folder({"a/1.png": random_pixels(4, 5, 3), "a/2.png": random_pixels(4, 6, 3)})
    with pytest.raises(ValueError, match=r"photos have several sizes, such as 4x5 and 4x6. Give `resize` and `crop`"):
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
