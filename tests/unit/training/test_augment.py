import pytest
import torch

from rpganify.errors import TrainingError
from rpganify.training.augment import Augmentation

NAMES = ("brightness", "saturation", "contrast", "translation", "cutout")


def pictures(count=6, channels=3, height=16, width=24, dtype=torch.float64):
    values = torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return 2 * values - 1


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def changed(name, images, seed=0):
    return Augmentation(name)(images, chance(seed))


def many(name, image, count=2000):
    """One image changed in many ways."""
    return changed(name, image.expand(count, -1, -1, -1))


def test_the_empty_policy_gives_the_images_themselves_and_draws_nothing():
    images, draws = pictures(), chance()
    before = draws.get_state()
    assert Augmentation("")(images, draws) is images
    assert torch.equal(draws.get_state(), before)


def test_diffaugment_is_all_of_them_in_order():
    assert Augmentation("diffaugment").names == NAMES
    images = pictures()
    assert torch.equal(changed("diffaugment", images), changed(",".join(NAMES), images))


def test_a_policy_is_applied_in_the_order_in_which_it_is_written():
    images = pictures()
    draws = chance(5)
    first = Augmentation("cutout")(images, draws)
    assert torch.equal(changed("cutout, brightness", images, 5), Augmentation("brightness")(first, draws))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [*NAMES, "diffaugment"])
def test_shape_and_type_stay_and_the_given_images_are_not_changed(name, channels):
    for dtype in (torch.float32, torch.bfloat16):
        images = pictures(channels=channels).to(dtype)
        before = images.clone()
        result = changed(name, images)
        assert result.shape == images.shape and result.dtype == dtype
        assert torch.equal(images, before)
        assert not torch.equal(result, before) or (name, channels) == ("saturation", 1)


@pytest.mark.parametrize("name", [*NAMES, "diffaugment"])
def test_one_seed_gives_the_same_changes_and_no_other_generator_is_used(name):
    images, state = pictures(), torch.get_rng_state()
    one, again, other = (changed(name, images, seed) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", NAMES)
def test_each_image_of_a_batch_is_changed_in_its_own_way(name):
    image = pictures(count=1)
    results = many(name, image, 50)
    assert len({tuple(result.flatten().tolist()) for result in results}) > 20


@pytest.mark.parametrize("name", [*NAMES, "diffaugment"])
def test_gradients_pass_through_to_the_images(name):
    images = pictures(count=2, height=4, width=6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: changed(name, x, 3), (images,))


def test_brightness_adds_one_number_to_each_image_of_up_to_a_half_either_way():
    image = pictures(count=1)
    difference = (many("brightness", image) - image).flatten(1)
    # Equal up to the rounding of float64.
    assert (difference.amax(1) - difference.amin(1)).max() < 1e-12
    shifts = difference[:, 0]
    assert -0.5 <= shifts.min() < -0.49 and 0.49 < shifts.max() <= 0.5


def test_saturation_scales_each_pixel_s_distance_from_its_grey_by_nought_to_two():
    image = pictures(count=1)
    results = many("saturation", image)
    grey = image.mean(1, keepdim=True)
    torch.testing.assert_close(results.mean(1, keepdim=True), grey.expand(2000, -1, -1, -1))
    factors = ((results - grey) / (image - grey)).flatten(1).median(1).values
    torch.testing.assert_close(results, grey + factors[:, None, None, None] * (image - grey))
    assert 0 <= factors.min() < 0.01 and 1.99 < factors.max() <= 2


def test_saturation_leaves_grey_images_alone():
    images = pictures(channels=1)
    torch.testing.assert_close(changed("saturation", images), images)


def test_contrast_scales_each_image_s_distance_from_its_mean_by_a_half_to_one_and_a_half():
    image = pictures(count=1)
    results = many("contrast", image)
    mean = image.mean()
    factors = ((results - mean) / (image - mean)).flatten(1).median(1).values
    torch.testing.assert_close(results, mean + factors[:, None, None, None] * (image - mean))
    assert 0.5 <= factors.min() < 0.505 and 1.495 < factors.max() <= 1.5


def shifted(image, down, right):
    """The image moved, by hand, pixel by pixel."""
    result = torch.zeros_like(image)
    _, height, width = image.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[:, row, column] = image[:, row - down, column - right]
    return result


def test_translation_moves_by_whole_pixels_of_up_to_an_eighth_and_fills_with_zeros():
    image = pictures(count=1, height=16, width=24)
    known = {(down, right): shifted(image[0], down, right) for down in range(-2, 3) for right in range(-3, 4)}
    seen = set()
    for result in many("translation", image, 1000):
        seen |= {move for move, expected in known.items() if torch.equal(result, expected)}
    assert seen == set(known)  # each of the 35 moves within the eighth, and every result is one of them
    found = [
        any(torch.equal(result, expected) for expected in known.values()) for result in many("translation", image, 99)
    ]
    assert all(found)


def test_cutout_sets_one_rectangle_of_half_the_sides_to_zero_and_leaves_the_rest():
    image = pictures(count=1, height=16, width=24)
    areas = []
    for result in many("cutout", image, 500):
        is_cut = (result == 0).all(0)
        assert torch.equal(result[:, ~is_cut], image[0][:, ~is_cut])
        rows, columns = is_cut.any(1).nonzero().flatten(), is_cut.any(0).nonzero().flatten()
        assert is_cut[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert len(rows) <= 8 and len(columns) <= 12
        areas.append((len(rows), len(columns)))
    assert max(areas) == (8, 12) and min(areas) < (8, 12)  # whole, and cut off by the edge


def test_real_and_fake_images_are_changed_by_the_same_distribution_not_by_the_same_draws():
    draws, images = chance(), pictures()
    policy = Augmentation("brightness")
    real, fake = policy(images, draws), policy(images, draws)
    assert not torch.equal(real, fake)


def test_an_unknown_change_is_refused_with_its_neighbour():
    with pytest.raises(
        TrainingError, match=r"There is no augmentation 'cutot'\. Did you mean 'cutout'\? There are: bright"
    ):
        Augmentation("brightness,cutot")
    with pytest.raises(TrainingError, match="no augmentation ''"):
        Augmentation("brightness,,cutout")


def test_a_change_that_is_named_twice_is_refused():
    with pytest.raises(TrainingError, match="'cutout,cutout' names cutout twice"):
        Augmentation("cutout,cutout")


@pytest.mark.parametrize("shape", [(1, 16384), (2, 8, 8), (1, 4, 8, 8)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(
        TrainingError, match=rf"changes pictures.*these samples are {'×'.join(map(str, shape))}\. Train with"
    ):
        Augmentation("brightness")(torch.zeros(2, *shape), chance())
    Augmentation("").check(shape)


def test_images_of_one_pixel_go_through():
    assert changed("diffaugment", torch.zeros(2, 1, 1, 1)).shape == (2, 1, 1, 1)
