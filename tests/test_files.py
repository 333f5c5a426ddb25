import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from geniex.files import exclusive, read_npz, replacing


def test_arrays_come_back_by_name(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(3), y=np.array("text"))
    arrays = read_npz(tmp_path / "a.npz")
    assert list(arrays) == ["x", "y"]
    np.testing.assert_array_equal(arrays["x"], [0, 1, 2])


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("notes.txt", "no array")
    with pytest.raises(ValueError, match=r"it holds 'notes.txt', which is not an array"):
        read_npz(tmp_path / "a.npz")


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path):
    """Damage raises ValueError and nothing else; what is read all the same is what was written."""
    path, x = tmp_path / "a.npz", np.random.default_rng(0).integers(0, 256, 200, dtype=np.uint8)
    np.savez_compressed(path, x=x)
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :])
        try:
            arrays = read_npz(path)
        except ValueError:
            continue
        for array in arrays.values():
            np.testing.assert_array_equal(array.view(np.uint8), x)


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as beside:
        beside.write_text("half")
        assert not path.exists()
        assert beside.parent == path.parent
        beside.write_text("whole")
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with replacing(path) as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_two_that_write_the_same_file_at_once_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as one:
        one.write_text("one")
        with replacing(path) as other:
            other.write_text("other")
        assert path.read_text() == "other"
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_fails(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass


def test_a_folder_is_for_one_at_a_time(tmp_path):
    with exclusive(tmp_path):
        with pytest.raises(OSError, match=f"Another process is at work in {tmp_path}"), exclusive(tmp_path):
            pass
    with exclusive(tmp_path):
        assert os.listdir(tmp_path) == []


def test_a_killed_process_lets_go_of_its_folder(tmp_path):
    code = f"import pathlib, time; from geniex.files import exclusive\nwith exclusive(pathlib.Path({str(tmp_path)!r})):"
    command = [sys.executable, "-c", f"{code}\n    print('in', flush=True)\n    time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in\n"
        with pytest.raises(OSError, match="Another process"), exclusive(tmp_path):
            pass
        process.kill()
        process.wait()
        with exclusive(tmp_path):
            pass
