"""The bundled digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from rpganify.data.digits import open_digits
from rpganify.errors import DataError


def test_the_digits_are_scikit_learn_s_with_sixteen_as_white() -> None:
    data = open_digits()
    bunch = load_digits()
    assert (len(data), data.image_shape, data.num_classes) == (1797, (1, 8, 8), 10)
    assert data.labels is not None and data.labels.tolist() == bunch.target.tolist()
    # 255 / 16 is no whole number, so a level is off by half a step at most.
    assert np.abs(data.pixels[:, 0].numpy() - bunch.images * 255 / 16).max() <= 0.5
    assert data.pixels.min() == 0 and data.pixels.max() == 255
    assert len(data.pixels.unique()) == 17


def test_the_digits_are_the_same_each_time() -> None:
    assert torch.equal(open_digits().pixels, open_digits().pixels)


def test_a_part_of_the_digits_is_refused() -> None:
    with pytest.raises(DataError, match="digits has no parts, so 'test' names nothing"):
        open_digits(argument="test")
