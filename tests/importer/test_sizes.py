# SPDX-License-Identifier: Apache-2.0
"""What no microcontroller holds is refused by its size, before time and memory go into it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_files import conv_model, model, node, value

from mcuplan.errors import InputTooLarge
from mcuplan.importer import load_model


def _tile(source: str, repeats: int) -> Any:
    nodes = [node("Tile", [source, "repeats"], ["y"])]
    constants = {"repeats": np.array([1, 1, repeats, repeats]), "k": np.ones((1, 1, 4, 4), "f4")}
    return model(nodes, [value("x", [1, 1, 4, 4])], [value("y", None)], constants)


def _chain(count: int, side: int) -> Any:
    names = ["x", *(f"t{i}" for i in range(count))]
    pairs = enumerate(pairwise(names))
    nodes = [node("Sigmoid" if i % 2 else "Relu", [a], [b]) for i, (a, b) in pairs]
    shape = [1, 1, side, side]
    return model(nodes, [value("x", shape)], [value(names[-1], shape)])


_REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "image": (lambda: conv_model(shape=(1, 3, 4096, 4096)), "shape"),
    "tile": (lambda: _tile("x", 4096), "268,435,456 elements"),
    "constant": (lambda: _tile("k", 4096), "passes the limit"),
    "nodes": (lambda: _chain(20_001, 2), "20,001 nodes"),
    "together": (lambda: _chain(15, 3_000), "elements of all activations"),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_large_models_are_refused_without_their_memory(name: str, tmp_path: Path) -> None:
    """The error says which size, and no tensor of it was made."""
    build, said = _REFUSED[name]
    onnx.save(build(), tmp_path / "model.onnx")
    tracemalloc.start()
    try:
        with pytest.raises(InputTooLarge, match=said) as caught:
            load_model(tmp_path / "model.onnx")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.hint
    assert peak < 64 << 20
