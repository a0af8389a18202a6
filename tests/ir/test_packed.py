# SPDX-License-Identifier: Apache-2.0
"""Values of 4 bits, two to a byte."""

from __future__ import annotations

import numpy as np
import pytest

from mcuplan.ir.packed import paired


@pytest.mark.parametrize("words", [0, 1, 2, 5])
def test_words_of_four_values_are_paired(words: int) -> None:
    """The first word of two is in the low halves, the second in the high ones; zeros fill up."""
    values = np.random.default_rng(words).integers(0, 16, (3, 2, words, 4), np.uint8)
    made = paired(values)
    assert (np.dtype(np.int32), (3, 2, -(-words // 2))) == (made.dtype, made.shape)
    packed = made.view(np.uint8).reshape(3, 2, -1, 1, 4)
    apart = np.concatenate([packed & 15, packed >> 4], axis=3).reshape(3, 2, -1, 4)
    assert np.array_equal(values, apart[:, :, :words])
    assert not apart[:, :, words:].any()
