# SPDX-License-Identifier: Apache-2.0
"""Names of layers in a narrow column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuplan.report import distinct

PATHS = st.lists(st.text("ab1/_.;", min_size=1, max_size=60), min_size=1, max_size=12)


@given(PATHS, st.integers(8, 40))
def test_names_keep_to_their_width(names: list[str], width: int) -> None:
    """One name out for one in, none wider than the column, none empty."""
    short = distinct(names, width)
    assert len(names) == len(short)
    assert all(1 <= len(text) <= width for text in short)


@pytest.mark.parametrize(
    "names",
    [
        [f"input.{i}_te_transform_prequant" for i in range(11, 60, 2)],
        [f"/features.{i}/conv.{k}/conv.{k}.0/Conv" for i in range(17) for k in range(2)],
        [f"model/a{i}/Relu;model/norm_{i}/FusedBatchNormV3;model/x" for i in range(30)],
        [f"/{i}/{kind}wise/{kind}wise.0/Conv" for i in range(4) for kind in ("depth", "point")],
        [f"block{i}_of_a_network_with_a_long_name/conv" for i in range(20)],
        [f"a_long_name_of_a_block_{i}_in_the_middle_of_a_long_name" for i in range(20)],
    ],
)
def test_different_layers_have_different_names(names: list[str]) -> None:
    """What exporters write stays distinguishable in 16 columns."""
    assert len(names) == len(set(distinct(names, 16)))


def test_short_names_stay_as_they_are() -> None:
    """Where there is room nothing is cut."""
    assert ["conv1", "x/conv2"] == distinct(["conv1", "x/conv2"], 16)
