"""Work in threads: results in order, only so many ahead, errors passed on."""

import itertools
import threading
import time

import pytest
import torch

from geniex.threads import available, in_order, taken_from_torch, work_off


def test_results_come_in_order_though_later_parts_are_done_first():
    def wait(part):
        time.sleep(0.05 if part == 0 else 0)
        return part

    assert list(in_order(range(20), wait, threads=4, ahead=4)) == list(range(20))


def test_endless_parts_are_begun_only_so_far_ahead():
    begun = []
    results = in_order(itertools.count(), begun.append, threads=2, ahead=3)
    for count in range(1, 6):
        next(results)
        assert len(begun) <= count + 3
    results.close()


def test_threads_have_one_of_torchs_each_and_this_one_keeps_its_own():
    before = torch.get_num_threads()
    found = list(in_order(range(4), lambda part: (torch.get_num_threads(), threading.current_thread()), 2, 2))
    assert {count for count, _ in found} == {1}
    assert threading.main_thread() not in {thread for _, thread in found}
    assert torch.get_num_threads() == before


def test_an_error_in_a_thread_is_raised_here_and_ends_the_rest():
    done = []

    def fail(part):
        if part == 2:
            raise OSError("disk")
        done.append(part)

    with pytest.raises(OSError, match="disk"):
        list(in_order(range(100), fail, threads=1, ahead=2))
    assert len(done) < 10


def test_parts_are_shared_out_and_torchs_threads_stay():
    before, done = torch.get_num_threads(), []
    work_off(range(20), [done.append, done.append, done.append])
    assert sorted(done) == list(range(20))
    assert torch.get_num_threads() == before


def test_an_error_ends_the_rest_of_the_parts():
    before, done = torch.get_num_threads(), []

    def work(part):
        time.sleep(0.01)
        if part == 3:
            raise RuntimeError("part 3")
        done.append(part)

    with pytest.raises(RuntimeError, match="part 3"):
        work_off(range(1000), [work, work])
    count = len(done)
    time.sleep(0.1)
    assert len(done) == count < 100
    assert torch.get_num_threads() == before


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_threads_taken_from_torch_are_available_here_and_given_back():
    with taken_from_torch():
        with taken_from_torch():
            assert (torch.get_num_threads(), available()) == (1, 3)
        assert (torch.get_num_threads(), available()) == (1, 3)
        assert list(in_order(range(2), lambda _: available(), 2, 2)) == [1, 1]
    assert torch.get_num_threads() == available() == 3
    with pytest.raises(KeyError), taken_from_torch():
        raise KeyError
    assert torch.get_num_threads() == available() == 3
