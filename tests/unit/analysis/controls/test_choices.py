import torch

from rpganify.analysis.controls.choices import (
    Choice,
    latent_choices,
    no_weaker_choices,
    path_choices,
    set_choices,
    weaker_latent_choices,
)


def test_every_dimension_goes_to_both_extremes():
    assert latent_choices(2) == (Choice(0, 3.0), Choice(0, -3.0), Choice(1, 3.0), Choice(1, -3.0))


def test_every_block_of_a_bucket_with_others_is_a_choice_and_a_single_block_is_none():
    assert path_choices((2, 1, 3)) == (Choice(0, 0), Choice(0, 1), Choice(2, 0), Choice(2, 1), Choice(2, 2))


def test_weaker_choices_keep_dimension_and_sign():
    assert weaker_latent_choices(Choice(4, -3.0)) == (Choice(4, -1.0), Choice(4, -2.0))
    assert weaker_latent_choices(Choice(4, 1.0)) == ()
    assert no_weaker_choices(Choice(4, 1.0)) == ()


def test_setting_leaves_the_codes_as_they_were_and_keeps_whole_numbers_whole():
    paths = torch.tensor([[1, 2, 3], [4, 5, 6]])
    changed = set_choices(paths, [Choice(0, 9.0), Choice(2, 0.0)])
    assert changed.tolist() == [[9, 2, 0], [9, 5, 0]] and changed.dtype == torch.int64
    assert paths.tolist() == [[1, 2, 3], [4, 5, 6]]
