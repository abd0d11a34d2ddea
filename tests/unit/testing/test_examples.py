"""What extensions are tried on is the same each time, and holds everything that state can hide in."""

import torch

from rpganify.testing.examples import pictures, small_data, small_discriminator, small_generator, small_model


def test_the_examples_are_the_same_each_time_and_draw_nothing():
    before = torch.get_rng_state()
    for make in (small_generator, small_model, small_discriminator):
        one, two = make().state_dict(), make().state_dict()
        assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_has_three_buckets_whose_blocks_differ_a_norm_and_dropout():
    model = small_model(1).eval()
    assert model.plan.num_blocks == (3, 2, 2) and model.image_shape == (1, 8, 8)
    with torch.no_grad():
        images = model(every_path(model))
    assert len(torch.unique(images, dim=0)) == 12
    assert any(name.endswith("running_mean") for name, _ in model.named_buffers())
    model.train()
    assert not torch.equal(model(torch.zeros(4, 3, dtype=torch.int64)), model(torch.zeros(4, 3, dtype=torch.int64)))


def every_path(model):
    return torch.cartesian_prod(*(torch.arange(count) for count in model.plan.num_blocks))


def test_the_first_picture_is_black_the_second_white_and_no_two_are_equal():
    images = pictures(6, 3, 16)
    assert images.shape == (6, 3, 16, 16) and images.dtype == torch.uint8
    assert images[0].max() == 0 and images[1].min() == 255
    assert len(torch.unique(images, dim=0)) == 6
    assert len(small_data()) == 16 and small_discriminator()(torch.rand(2, 3, 8, 8)).shape == (2,)
