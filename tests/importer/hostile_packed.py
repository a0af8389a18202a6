# SPDX-License-Identifier: Apache-2.0
"""Operators with weights of few bits, and integers, that do not fit, with the codes of errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx_files import TensorProto, model, node, onnx, value

_F32 = np.float32
_MS = "com.microsoft"
_EXTRA = [onnx.helper.make_opsetid(_MS, 1)]
_DAMAGED, _UNSUPPORTED = "model/damaged", "model/unsupported-op"
_SCALE = "quant/scale-impossible"
_PRODUCT: dict[str, Any] = {
    "w": np.full((5, 3, 8), 90, np.uint8),
    "s": np.full((5, 3), 0.1, _F32),
    "z": np.full((5, 2), 7, np.uint8),
}
_ROWS: dict[str, Any] = {
    "w": np.full((7, 16), 90, np.uint8),
    "s": np.full((7, 2), 0.1, _F32),
    "z": np.full((7, 1), 7, np.uint8),
}


def product(points: Any = None, **more: Any) -> Any:
    """MatMulNBits of 40 inputs, with other constants (arrays) or sizes."""
    given = {k: v for k, v in more.items() if isinstance(v, np.ndarray)}
    sizes = {"K": 40, "N": 5, "bits": 4, "block_size": 16} | {
        k: v for k, v in more.items() if k not in given
    }
    constants = _PRODUCT | given | ({} if points is None else {"z": points})
    step = node("MatMulNBits", ["x", "w", "s", "z"], ["y"], domain=_MS, **sizes)
    return model([step], [value("x", [1, 40])], [value("y", None)], constants, 21, _EXTRA)


def _rows(**more: Any) -> Any:
    given = {k: v for k, v in more.items() if isinstance(v, np.ndarray)}
    sizes = {"block_size": 16, "quantize_axis": 1} | {
        k: v for k, v in more.items() if k not in given
    }
    step = node("GatherBlockQuantized", ["w", "x", "s", "z"], ["y"], domain=_MS, **sizes)
    x = value("x", [1, 4], TensorProto.INT64)
    return model([step], [x], [value("y", None)], _ROWS | given, 21, _EXTRA)


def _blocks(scale: Any, zero: Any, **sizes: int) -> Any:
    """Weights by blocks of 16 of the first axis, and their product."""
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], ["r"], **({"axis": 0, "block_size": 16} | sizes)),
        node("MatMul", ["x", "r"], ["y"]),
    ]
    constants = {"w": np.ones((32, 4), np.int8), "s": scale, "z": zero}
    return model(nodes, [value("x", [1, 32])], [value("y", None)], constants, 21)


def _cell(**more: Any) -> Any:
    """DynamicQuantizeLSTM of 4 from 6."""
    constants: dict[str, Any] = {}
    for name, inputs in (("w", 6), ("r", 4)):
        constants[name] = np.ones((1, inputs, 16), np.int8)
        constants |= {f"{name}s": np.full(1, 0.1, _F32), f"{name}z": np.zeros(1, np.int8)}
    names = ["x", "w", "r", "", "", "", "", "", "ws", "wz", "rs", "rz"]
    sizes = {"hidden_size": 4} | {k: v for k, v in more.items() if k not in constants}
    constants |= {k: v for k, v in more.items() if k in constants}
    step = node("DynamicQuantizeLSTM", names, ["y"], domain=_MS, **sizes)
    return model([step], [value("x", [5, 1, 6])], [value("y", None)], constants, 21, _EXTRA)


def _top(count: int, **attributes: int) -> Any:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("TopK", ["q", "k"], ["y", "i"], **attributes),
    ]
    constants = {"s": _F32(0.1), "z": np.int8(0), "k": np.array([count])}
    made = [value("y", None, TensorProto.INT8), value("i", None, TensorProto.INT64)]
    return model(nodes, [value("x", [1, 10])], made, constants, 21)


def _grid_of_wide_integers() -> Any:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1, block_size=2),
        node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=1, block_size=2),
    ]
    constants = {"s": np.ones((1, 2), _F32), "z": np.zeros((1, 2), np.uint64)}
    return model(nodes, [value("x", [1, 4])], [value("y", None)], constants, 21)


_SIZES = {"N": 1 << 62, "K": 1 << 62, "block_size": 1 << 62, "bits": 3}
PACKED: dict[str, tuple[Any, str]] = {
    **{f"product with {k}={v}": (product(**{k: v}), _DAMAGED) for k, v in _SIZES.items()},
    **{f"product with {k}=-1": (product(**{k: -1}), _DAMAGED) for k in _SIZES},
    "product with bits that are 0": (product(bits=0), _DAMAGED),
    "product with weights of float32": (product(w=np.ones((5, 3, 2), _F32)), _DAMAGED),
    "product with one number as weights": (product(w=np.array(1, np.uint8)), _DAMAGED),
    "product with scales of int8": (product(s=np.ones((5, 3), np.int8)), _DAMAGED),
    "product with a NaN scale": (product(s=np.full((5, 3), np.nan, _F32)), _SCALE),
    "product with an infinite scale": (product(s=np.full((5, 3), np.inf, _F32)), _SCALE),
    "product with too few scales": (product(s=np.ones((5, 2), _F32)), _DAMAGED),
    "product with zero points of int32": (product(np.ones((5, 3), np.int32)), _DAMAGED),
    "product with too few zero points": (product(np.ones((5, 1), np.uint8)), _DAMAGED),
    "product with NaN zero points": (
        product(np.full((5, 3), np.nan, _F32)),
        "model/non-finite",
    ),
    "rows with bits that are 0": (_rows(bits=0), _DAMAGED),
    "rows of bytes of 16 bits": (_rows(bits=16), _DAMAGED),
    "rows with a huge block": (_rows(block_size=1 << 62), _DAMAGED),
    "rows with no blocks": (_rows(block_size=0), _UNSUPPORTED),
    "rows along an axis that is not there": (_rows(gather_axis=7), _UNSUPPORTED),
    "rows of a table of another rank": (_rows(w=np.ones((1, 7, 16), np.uint8)), _DAMAGED),
    "rows of one number": (_rows(w=np.array(1, np.uint8)), _DAMAGED),
    "rows without a column": (_rows(w=np.ones((7, 0), np.uint8)), _DAMAGED),
    "rows with scales of int64": (_rows(s=np.ones((7, 2), np.int64)), _DAMAGED),
    "rows with zero points beyond bytes": (
        _rows(w=np.ones((7, 32), np.uint8), bits=8, z=np.full((7, 2), 1 << 20, np.int32)),
        _DAMAGED,
    ),
    "blocks with a NaN scale": (
        _blocks(np.full((2, 4), np.nan, _F32), np.zeros((2, 4), np.int8)),
        _SCALE,
    ),
    "blocks of another rank": (_blocks(np.ones(8, _F32), np.zeros(8, np.int8)), _DAMAGED),
    "blocks with zero points of another type": (
        _blocks(np.ones((2, 4), _F32), np.zeros((2, 4), np.uint8)),
        _DAMAGED,
    ),
    "blocks of a negative size": (
        _blocks(np.ones((2, 4), _F32), np.zeros((2, 4), np.int8), block_size=-16),
        _DAMAGED,
    ),
    "cell with a limit below 0": (_cell(clip=-1.0), _DAMAGED),
    "cell with a NaN scale": (_cell(ws=np.full(1, np.nan, _F32)), "model/non-finite"),
    "cell with too many scales": (_cell(ws=np.ones(7, _F32)), _DAMAGED),
    "cell with weights of another size": (_cell(w=np.ones((1, 6, 17), np.int8)), _DAMAGED),
    "cell of a huge size": (_cell(hidden_size=1 << 40), _DAMAGED),
    "more of the largest than there are": (_top(11), _UNSUPPORTED),
    "a huge number of the largest": (_top(1 << 62), _UNSUPPORTED),
    "fewer than none of the largest": (_top(-1), _UNSUPPORTED),
    "largest along an axis that is not there": (_top(1, axis=5), _UNSUPPORTED),
    "largest with a flag of 3": (_top(1, largest=3), _UNSUPPORTED),
    "grid of integers that no type has": (_grid_of_wide_integers(), "model/unsupported-type"),
}
