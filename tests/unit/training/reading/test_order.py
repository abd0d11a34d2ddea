import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rpganify.errors import TrainingError
from rpganify.training.reading.order import DataOrder


@given(num_images=st.integers(1, 40), seed=st.integers(0, 2**40), cuts=st.lists(st.integers(1, 60), max_size=8))
def test_however_the_sequence_is_cut_into_batches_it_is_the_same_and_each_epoch_holds_each_image_once(
    num_images, seed, cuts
):
    total = sum(cuts) + 2 * num_images
    whole = DataOrder(num_images, seed).indices(0, total)
    order, position, parts = DataOrder(num_images, seed), 0, []
    for count in [*cuts, 2 * num_images]:
        parts.append(order.indices(position, count))
        assert len(parts[-1]) == count
        position += count
    assert torch.equal(torch.cat(parts), whole)
    for epoch in whole[: total // num_images * num_images].split(num_images):
        assert epoch.sort().values.tolist() == list(range(num_images))


def test_any_place_can_be_read_without_those_before_it():
    whole = DataOrder(10, seed=3).indices(0, 100)
    assert torch.equal(DataOrder(10, seed=3).indices(57, 20), whole[57:77])


def test_epochs_differ_and_the_second_epoch_of_one_seed_is_not_the_first_of_the_next():
    first, second = DataOrder(50, seed=0).indices(0, 100).split(50)
    assert not torch.equal(first, second)
    assert not torch.equal(second, DataOrder(50, seed=1).indices(0, 50))


def test_an_empty_data_set_is_refused():
    with pytest.raises(TrainingError, match=r"holds no images\. Check its label filter"):
        DataOrder(0, seed=0)
