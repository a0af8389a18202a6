# SPDX-License-Identifier: Apache-2.0
"""Einsum as the operators that it abbreviates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan.errors import DamagedModel
from mcuplan.importer.onnx import load_model

from .onnx_cases import agrees, model, node

FORMS = {
    "matrices": ("bij,bjk->bik", ((1, 3, 4), (1, 4, 5)), 0),
    "attention scores": ("bhqd,bhkd->bhqk", ((1, 2, 3, 4), (1, 2, 5, 4)), 0),
    "attention values": ("bhqk,bhkd->bqhd", ((1, 2, 3, 5), (1, 2, 5, 4)), 0),
    "heads last": ("bqhd,bkhd->bhqk", ((1, 3, 2, 4), (1, 5, 2, 4)), 0),
    "dense": ("bij,jk->bik", ((1, 3, 4), (4, 5)), 1),
    "weights first": ("kj,bij->bik", ((5, 4), (1, 3, 4)), 2),
    "heads of weights": ("btd,dhe->bthe", ((1, 3, 4), (4, 2, 3)), 1),
    "inner": ("bi,bi->b", ((1, 6), (1, 6)), 0),
    "outer": ("bi,bj->bij", ((1, 3), (1, 4)), 0),
    "element by element": ("bij,bij->bij", ((1, 3, 4), (1, 3, 4)), 0),
    "ellipsis": ("...ij,...jk->...ik", ((1, 2, 3, 4), (1, 2, 4, 5)), 0),
    "ellipsis that broadcasts": ("...ij,jk", ((1, 2, 3, 4), (4, 5)), 2),
    "transposed": ("bij->bji", ((1, 3, 4),), 0),
    "sum": ("bij->bi", ((1, 3, 4),), 0),
    "diagonal": ("bii->bi", ((1, 4, 4),), 0),
    "left alone": ("bij,bk->bik", ((1, 3, 4), (1, 2)), 0),
    "three": ("bij,bjk,bkl->bil", ((1, 2, 3), (1, 3, 4), (1, 4, 2)), 0),
}


def _einsum(equation: str, shapes: Any, constant: int) -> Any:
    """A model of an equation; ``constant``: which operand is one, from 1."""
    names = [f"x{k}" for k in range(len(shapes))]
    rng = np.random.default_rng(len(equation))
    inputs = {n: s for k, (n, s) in enumerate(zip(names, shapes, strict=True)) if k + 1 != constant}
    values = rng.normal(size=shapes[constant - 1]).astype(np.float32)
    held = {names[constant - 1]: values} if constant else {}
    return model(node("Einsum", " ".join(names), equation=equation), inputs, held)


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str, tmp_path: Path) -> None:
    """What exporters write computes what ONNX Runtime does."""
    agrees(tmp_path, _einsum(*FORMS[name]))


@pytest.mark.parametrize("equation", ["bij,bjk->bik", "bij->bk", "bij->bii", "b(j->b", "bi->b"])
def test_damaged(equation: str, tmp_path: Path) -> None:
    """An equation that does not fit its inputs is an error that shows it."""
    path = tmp_path / "model.onnx"
    path.write_bytes(_einsum(equation, ((1, 3, 4),), 0).SerializeToString())
    with pytest.raises(DamagedModel):
        load_model(path)
