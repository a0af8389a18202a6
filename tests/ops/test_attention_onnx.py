# SPDX-License-Identifier: Apache-2.0
"""Attention as one node, of the standard and of com.microsoft, and rotary positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan.errors import UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ops.attention import Attention
from mcuplan.ops.masked_attention import MaskedAttention
from mcuplan.ops.softmax import Softmax

from .onnx_cases import agrees, model, node

R = np.random.default_rng(3)
ROWS = {"q": (1, 5, 16), "k": (1, 7, 16), "v": (1, 7, 16)}
SAME = {"q": (1, 6, 16), "k": (1, 6, 16), "v": (1, 6, 16)}
SHARED = {"q": (1, 6, 16), "k": (1, 6, 8), "v": (1, 6, 8)}
STACKS = {"q": (1, 4, 5, 8), "k": (1, 2, 7, 8), "v": (1, 2, 7, 6)}
HEADS = {"q_num_heads": 4, "kv_num_heads": 4}
MASK = np.where(R.random((5, 7)) < 0.7, 0, -5).astype(np.float32)
MASK[:, 0] = 0


def _floats(*shape: int) -> Any:
    return R.normal(0, 0.5, shape).astype(np.float32)


def _contrib(op_type: str, inputs: str, **attributes: Any) -> Any:
    made = node(op_type, inputs, **attributes)
    made.domain = "com.microsoft"
    return made


ONE = {
    "rank 3": model(node("Attention", "q k v", **HEADS), ROWS, opset=23),
    "rank 4": model(node("Attention", "q k v", scale=0.2), STACKS, opset=23),
    "causal": model(node("Attention", "q k v", is_causal=1, **HEADS), SAME, opset=23),
    "shared keys": model(
        node("Attention", "q k v", q_num_heads=4, kv_num_heads=2), SHARED, opset=24
    ),
    "multi head": model(_contrib("MultiHeadAttention", "q k v", num_heads=2), ROWS),
    "bias": model(_contrib("MultiHeadAttention", "q k v b", num_heads=4), ROWS, {"b": _floats(48)}),
    "packed weights": model(
        _contrib("Attention", "x w b", num_heads=2, unidirectional=1),
        {"x": (1, 6, 12)},
        {"w": _floats(12, 48), "b": _floats(48)},
    ),
}
MANY = {
    "mask": model(node("Attention", "q k v m", **HEADS), ROWS, {"m": MASK}, opset=23),
    "bool mask": model(node("Attention", "q k v m", **HEADS), ROWS, {"m": MASK == 0}, opset=23),
    "mask as input": model(node("Attention", "q k v m", **HEADS), {**ROWS, "m": (5, 7)}, opset=23),
    "mask of shared keys": model(node("Attention", "q k v m"), {**STACKS, "m": (5, 7)}, opset=23),
    "past keys": model(
        node("Attention", "q k v m k v", "y pk pv"),
        {**STACKS, "m": (5, 14)},
        opset=23,
        outputs="y pk pv",
    ),
    "mask and causal": model(
        node("Attention", "q k v m", is_causal=1, **HEADS),
        SAME,
        {"m": MASK[:, :6][[0, *range(5)]]},
        opset=23,
    ),
    "softcap": model(node("Attention", "q k v", softcap=2.0, **HEADS), ROWS, opset=23),
    "causal of other lengths": model(
        node("Attention", "q k v", is_causal=1, **HEADS), ROWS, opset=23
    ),
    "causal behind past keys": model(
        node("Attention", "q k v - k v", "y pk pv", is_causal=1),
        STACKS,
        opset=23,
        outputs="y pk pv",
    ),
    "mask and causal behind past keys": model(
        node("Attention", "q k v m k v", "y pk pv", is_causal=1),
        {**STACKS, "m": (5, 14)},
        opset=23,
        outputs="y pk pv",
    ),
    "infinite mask": model(
        node("Attention", "q k v m", **HEADS),
        ROWS,
        {"m": np.where(MASK == 0, 0, -np.inf).astype(np.float32)},
        opset=23,
    ),
    "added to scores": model(
        _contrib("MultiHeadAttention", "q k v - - a", num_heads=2),
        {**ROWS, "a": (1, 2, 5, 7)},
    ),
}
ANGLES = {"c": np.cos(_floats(6, 4) * 4), "s": np.sin(_floats(6, 4) * 4), "p": np.arange(6)[None]}
ROTARY = {
    "rank 4": node("RotaryEmbedding", "x c s p"),
    "interleaved": node("RotaryEmbedding", "x c s p", interleaved=1),
    "part": node("RotaryEmbedding", "x c s p", rotary_embedding_dim=8),
    "rank 3": node("RotaryEmbedding", "t c s p", num_heads=2),
}


@pytest.mark.parametrize("name", ONE)
def test_one_operator(name: str, tmp_path: Path) -> None:
    """Without a mask, it computes what ONNX Runtime does, as one operator."""
    graph = agrees(tmp_path, ONE[name])
    assert sum(isinstance(n.op, Attention) for n in graph.nodes) == 1


@pytest.mark.parametrize("name", MANY)
def test_with_a_mask(name: str, tmp_path: Path) -> None:
    """With one, as one operator, too, or as products around a Softmax."""
    graph = agrees(tmp_path, MANY[name])
    assert sum(isinstance(n.op, Softmax | MaskedAttention) for n in graph.nodes) == 1


@pytest.mark.parametrize("name", ROTARY)
def test_rotary_positions(name: str, tmp_path: Path) -> None:
    """Pairs of channels are turned by the angle of their position."""
    width = 12 if name == "part" else 8
    shape = {"t": (1, 6, 16)} if name == "rank 3" else {"x": (1, 2, 6, width)}
    agrees(tmp_path, model(ROTARY[name], shape, ANGLES, opset=23))


REFUSED = {
    "heads": model(node("Attention", "q k v", q_num_heads=3, kv_num_heads=3), ROWS, opset=23),
    "hidden by a mask": model(
        node("Attention", "q k v m", **HEADS), ROWS, {"m": np.eye(5, 7, 3, bool)}, opset=23
    ),
    "hidden by both": model(
        node("Attention", "q k v m", is_causal=1, **HEADS),
        SAME,
        {"m": np.eye(6, k=1, dtype=np.float32) * 1e30 - 1e30},
        opset=23,
    ),
    "packed": model(_contrib("MultiHeadAttention", "q - -", num_heads=2), {"q": (1, 5, 2, 3, 8)}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    """What is not there is refused by the name of its node."""
    (tmp_path / "model.onnx").write_bytes(REFUSED[name].SerializeToString())
    with pytest.raises(UnsupportedOp) as refused:
        load_model(tmp_path / "model.onnx")
    assert "Attention" in refused.value.where


def test_grouped_queries(tmp_path: Path) -> None:
    """GroupQueryAttention is the standard operator, causal, where nothing is kept."""
    lengths = {"n": np.array([5], np.int32), "t": np.array(6, np.int32)}
    inputs = "q k v - - n t"
    proto = model(
        _contrib("GroupQueryAttention", inputs, num_heads=4, kv_num_heads=2), SHARED, lengths
    )
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    (op,) = [
        n.op for n in load_model(tmp_path / "model.onnx").graph.nodes if isinstance(n.op, Attention)
    ]
    assert op == Attention(0.5, causal=True)
