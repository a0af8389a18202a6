# SPDX-License-Identifier: Apache-2.0
"""ONNX nodes that move data, in every opset that changed them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan.errors import UnsupportedOp
from mcuplan.importer.onnx import load_model

from .onnx_cases import agrees, kinds, model, node

X = {"x": (1, 4, 5, 6)}
MANY = np.random.default_rng(0).permutation(999)


def ints(*values: int) -> np.ndarray:
    """A constant list of integers."""
    return np.array(values, np.int64)


RESHAPES: dict[str, Any] = {
    "reshape": model(node("Reshape", "x s"), X, {"s": ints(1, -1, 6)}),
    "reshape copies sizes": model(node("Reshape", "x s"), X, {"s": ints(0, 0, -1)}),
    "flatten": model(node("Flatten", "x"), X),
    "flatten axis 0": model(node("Flatten", "x", axis=0), X),
    "flatten from the end": model(node("Flatten", "x", axis=-1), X, opset=13),
    "squeeze 11": model(node("Squeeze", "x", axes=[1, 3]), {"x": (1, 1, 5, 1)}, opset=11),
    "squeeze 13": model(node("Squeeze", "x a"), {"x": (1, 1, 5, 1)}, {"a": ints(-1)}, 13),
    "squeeze all": model(node("Squeeze", "x"), {"x": (1, 1, 5, 3)}),
    "unsqueeze 11": model(node("Unsqueeze", "x", axes=[0, 3]), {"x": (1, 5)}, opset=11),
    "unsqueeze 13": model(node("Unsqueeze", "x a"), {"x": (1, 5)}, {"a": ints(2, -1)}, 13),
    "identity": model([node("Identity", "x", "i"), node("Relu", "i")], X),
    "dropout 7": model([node("Dropout", "x", "i"), node("Relu", "i")], X, opset=7),
    "dropout 13": model([node("Dropout", "x", "i"), node("Relu", "i")], X, opset=13),
    "cast": model([node("Cast", "x", "i", to=1), node("Relu", "i")], X),
}


@pytest.mark.parametrize("name", RESHAPES)
def test_shapes(name: str, tmp_path: Path) -> None:
    """Nodes that only rename or reshape move no data."""
    assert set(kinds(agrees(tmp_path, RESHAPES[name]))) <= {"Lookup"}


def test_transposes_cancel(tmp_path: Path) -> None:
    """A convolution between two Transposes of an NHWC model needs no data movement."""
    nodes = [
        node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
        node("Conv", "a w", "b"),
        node("Relu", "b", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2]),
        node("Transpose", "d", "y", perm=[0, 2, 3, 1]),
    ]
    weights = np.random.default_rng(0).normal(size=(3, 2, 3, 3)).astype(np.float32)
    graph = agrees(tmp_path, model(nodes, {"x": (1, 6, 7, 2)}, {"w": weights}))
    assert ["Conv2D", "Lookup", "MaxPool2D"] == kinds(graph)


def test_flatten_keeps_the_order_of_the_model(tmp_path: Path) -> None:
    """What follows a Flatten of convolved rows sees channels first, as the model does."""
    nodes = [
        node("Conv", "x w", "a"),
        node("Flatten", "a", "b"),
        node("Gemm", "b m", "y"),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(size=(3, 2, 2, 2)).astype(np.float32),
        "m": rng.normal(size=(36, 5)).astype(np.float32),
    }
    agrees(tmp_path, model(nodes, {"x": (1, 2, 4, 5)}, constants))


def test_global_pool_and_flatten_move_nothing(tmp_path: Path) -> None:
    """A squeezed 1x1 map is a view in any layout."""
    nodes = [
        node("Conv", "x w", "a"),
        node("GlobalAveragePool", "a", "b"),
        node("Squeeze", "b s", "c"),
        node("Unsqueeze", "c s", "d"),
        node("Flatten", "d", "y"),
    ]
    weights = np.random.default_rng(0).normal(size=(3, 2, 2, 2)).astype(np.float32)
    constants = {"w": weights, "s": ints(2, 3)}
    graph = agrees(tmp_path, model(nodes, {"x": (1, 2, 4, 5)}, constants))
    assert kinds(graph).count("Transpose") <= 1  # of the model's input


SLICES: dict[str, Any] = {
    "slice 9": model(node("Slice", "x", starts=[1, -4], ends=[3, 99], axes=[1, 3]), X, opset=9),
    "slice 9 no axes": model(node("Slice", "x", starts=[0, 1], ends=[1, 3]), X, opset=9),
    "slice 13": model(
        node("Slice", "x s e a t"),
        X,
        {"s": ints(1, -1), "e": ints(4, -99), "a": ints(1, 2), "t": ints(2, -2)},
    ),
    "slice to the least integer": model(
        node("Slice", "x s e a t"),
        X,
        {"s": ints(-1), "e": ints(-(2**63)), "a": ints(-1), "t": ints(-1)},
    ),
    "split 11": model(node("Split", "x", "y z", axis=1, split=[1, 3]), X, opset=11, outputs="y z"),
    "split 11 equal": model(node("Split", "x", "y z", axis=1), X, opset=11, outputs="y z"),
    "split 13": model(
        node("Split", "x s", "y z", axis=-1), X, {"s": ints(2, 4)}, 13, outputs="y z"
    ),
    "split 18 unequal": model(
        node("Split", "x", "y z", axis=2, num_outputs=2), X, opset=18, outputs="y z"
    ),
    "one part unused": model(node("Split", "x", "u z", axis=1), X, opset=13, outputs="z"),
}


@pytest.mark.parametrize("name", SLICES)
def test_slices(name: str, tmp_path: Path) -> None:
    """Slice and Split take what ONNX takes."""
    assert set(kinds(agrees(tmp_path, SLICES[name]))) <= {"Slice"}


GATHERS: dict[str, tuple[Any, set[str]]] = {
    "last": (model(node("Gather", "x i", axis=-1), X, {"i": np.int64(-1)}), {"Slice"}),
    "first row": (model(node("Gather", "x i", axis=2), X, {"i": np.int64(0)}), {"Slice"}),
    "batch": (model(node("Gather", "x i", axis=0), X, {"i": np.int32(0)}), set()),
    "list of one": (model(node("Gather", "x i", axis=1), X, {"i": ints(2)}), {"Slice"}),
    "range": (model(node("Gather", "x i", axis=1), X, {"i": ints(3, 1)}), {"Slice"}),
    "identity": (model(node("Gather", "x i", axis=3), X, {"i": np.arange(6)}), set()),
    "identity in a new shape": (
        model(node("Gather", "x i", axis=2), X, {"i": np.arange(5).reshape(1, 5, 1)}),
        set(),
    ),
    "shuffled": (
        model(node("Gather", "x i", axis=3), X, {"i": ints(0, 2, 4, 1, 3, 5)}),
        {"Transpose"},
    ),
    "repeated": (
        model(node("Gather", "x i", axis=1), X, {"i": ints(0, 0, 3, 1, 2, -1)}),
        {"Take"},
    ),
    "matrix of indices": (
        model(node("Gather", "x i", axis=2), X, {"i": ints(0, 1, 2, 2, 3, 4).reshape(2, 3)}),
        {"Take"},
    ),
    "many": (model(node("Gather", "x i", axis=1), {"x": (1, 999)}, {"i": MANY}), {"Take"}),
    "first axis": (
        model(
            [
                node("Reshape", "x s", "a"),
                node("Gather", "a i", "b", axis=0),
                node("Reshape", "b t", "y"),
            ],
            {"x": (1, 6)},
            {"s": ints(6), "i": ints(5, 0, 0, 2), "t": ints(1, 4)},
        ),
        {"Take"},
    ),
}


@pytest.mark.parametrize("name", GATHERS)
def test_gathers(name: str, tmp_path: Path) -> None:
    """Constant indices are slices, or tables where they do not follow on one another."""
    proto, wanted = GATHERS[name]
    assert set(kinds(agrees(tmp_path, proto))) == wanted


def test_random_gathers(tmp_path: Path) -> None:
    """Indices of any shape, on any axis, of a tensor in either layout."""
    rng = np.random.default_rng(3)
    for trial in range(40):
        shape = (1, *(int(n) for n in rng.integers(1, 7, rng.integers(1, 4))))
        axis = int(rng.integers(0, len(shape)))
        size = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))
        indices = rng.integers(-shape[axis], shape[axis], size)
        pool = node("MaxPool", "x", "a", kernel_shape=[1, 1])
        gather = node("Gather", "x i" if len(shape) < 4 else "a i", "b", axis=axis)
        nodes = [*([pool] if len(shape) == 4 else []), gather, node("Relu", "b")]
        agrees(tmp_path, model(nodes, {"x": shape}, {"i": np.asarray(indices)}, 11 + trial % 8))


BLOCKS = {
    "depth first": (node("DepthToSpace", "a", "b", blocksize=2), (1, 8, 3, 4)),
    "columns first": (node("DepthToSpace", "a", "b", blocksize=2, mode="CRD"), (1, 8, 3, 4)),
    "blocks of 3": (node("DepthToSpace", "a", "b", blocksize=3, mode="CRD"), (1, 18, 2, 5)),
    "space": (node("SpaceToDepth", "a", "b", blocksize=2), (1, 3, 4, 6)),
    "blocks of 1": (node("SpaceToDepth", "a", "b", blocksize=1), (1, 3, 4, 6)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(name: str, tmp_path: Path) -> None:
    """Blocks move as ONNX moves them; rows of pixels stay rows, with one copy between them."""
    blocks, shape = BLOCKS[name]
    plain = model([node("Relu", "x", "a"), blocks, node("Abs", "b")], {"x": shape}, opset=13)
    assert set(kinds(agrees(tmp_path, plain))) <= {"Lookup", "Transpose"}
    pool = node("MaxPool", "x", "a", kernel_shape=[1, 1])
    graph = agrees(
        tmp_path,
        model(
            [pool, blocks, node("AveragePool", "b", kernel_shape=[1, 1])], {"x": shape}, opset=13
        ),
    )
    ends = ["Transpose", "MaxPool2D", "AvgPool2D", "Transpose"]
    made = kinds(graph)
    assert ends == [*made[:2], *made[-2:]]
    assert len(made) <= 5


PADS: dict[str, Any] = {
    "pad 10": model(node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=1.5), X, opset=10),
    "pad 11": model(node("Pad", "x p"), X, {"p": ints(0, 0, 1, 2, 0, 0, 0, 1)}, 11),
    "pad value": model(
        node("Pad", "x p v"),
        X,
        {"p": ints(0, 1, 0, 2, 0, 0, 0, 1), "v": np.float32(-2)},
        13,
    ),
    "reflect": model(
        node("Pad", "x p", mode="reflect"), X, {"p": ints(0, 1, 1, 2, 0, 2, 3, 1)}, 13
    ),
    "edge": model(node("Pad", "x p", mode="edge"), X, {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, 13),
    "negative": model(node("Pad", "x p"), X, {"p": ints(0, 0, -1, 2, 0, 0, 1, -3)}, 13),
    "axes 18": model(node("Pad", "x p - a"), X, {"p": ints(1, 2, 2, 1), "a": ints(-1, 2)}, 18),
}


@pytest.mark.parametrize("name", PADS)
def test_pads(name: str, tmp_path: Path) -> None:
    """Pad puts the border that ONNX puts, in the layout of its input."""
    assert set(kinds(agrees(tmp_path, PADS[name]))) <= {"Pad", "Slice"}


KEPT = np.array([True, False, True, True])
REARRANGED: dict[str, Any] = {
    "compress": model(node("Compress", "x c", axis=1), X, {"c": KEPT}),
    "compress in line": model(node("Compress", "x c"), {"x": (1, 3, 2)}, {"c": KEPT}),
    "reverse": model(node("ReverseSequence", "x l", batch_axis=0, time_axis=1), X, {"l": ints(3)}),
    "reverse time first": model(
        node("ReverseSequence", "x l", batch_axis=1, time_axis=0),
        {"x": (4, 3, 2)},
        {"l": ints(4, 0, 2)},
    ),
    "upper": model(node("Trilu", "x"), X),
    "lower": model(node("Trilu", "x k", upper=0), X, {"k": np.int64(-1)}),
    "above": model(node("Trilu", "x k"), X, {"k": np.int64(2)}),
}


@pytest.mark.parametrize("name", REARRANGED)
def test_rearranged(name: str, tmp_path: Path) -> None:
    """What constants rearrange is a slice or a table of places."""
    assert set(kinds(agrees(tmp_path, REARRANGED[name]))) <= {"Take", "Slice", "Transpose"}


DOUBLE = np.float32([1, 1, 2, 2])
ASYMMETRIC = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
REPEATS: dict[str, Any] = {
    "tile": model(node("Tile", "x r"), X, {"r": ints(1, 2, 1, 3)}),
    "expand": model(node("Expand", "x s"), {"x": (1, 4, 1, 6)}, {"s": ints(1, 4, 3, 1)}),
    "expand rank": model(node("Expand", "x s"), {"x": (1, 4)}, {"s": ints(1, 3, 1, 1)}),
    "upsample 9": model(
        node("Upsample", "x s", mode="nearest"), X, {"s": np.float32([1, 1, 2, 3])}, 9
    ),
    "resize 10": model(node("Resize", "x s", mode="nearest"), X, {"s": DOUBLE}, 10),
    "resize 11": model(node("Resize", "x - s", mode="nearest"), X, {"s": DOUBLE}, 13),
    "resize sizes": model(
        node("Resize", "x - - s", **ASYMMETRIC),
        X,
        {"s": ints(1, 4, 15, 12)},
        13,
    ),
    "resize down": model(
        node("Resize", "x - s", **ASYMMETRIC),
        {"x": (1, 4, 6, 6)},
        {"s": np.float32([1, 1, 0.5, 1 / 3])},
        13,
    ),
}


@pytest.mark.parametrize("name", REPEATS)
def test_repeats(name: str, tmp_path: Path) -> None:
    """Tile, Expand and nearest Resize repeat what ONNX repeats."""
    assert set(kinds(agrees(tmp_path, REPEATS[name]))) <= {"Tile", "Upsample", "Slice"}


def test_concat(tmp_path: Path) -> None:
    """Concat joins activations and constants in the layout of its inputs."""
    nodes = [
        node("Conv", "x w", "a"),
        node("Concat", "a c a", "b", axis=1),
        node("MaxPool", "b", "y", kernel_shape=[2, 2]),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(size=(3, 2, 1, 1)).astype(np.float32),
        "c": rng.normal(size=(1, 1, 4, 5)).astype(np.float32),
    }
    graph = agrees(tmp_path, model(nodes, {"x": (1, 2, 4, 5)}, constants))
    assert ["Transpose", "Conv2D", "Concat", "MaxPool2D", "Transpose"] == kinds(graph)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (model(node("Split", "x s", "y z", axis=1), X, {"s": ints(1, 2)}, outputs="y z"), "split"),
    ],
)
def test_refused(proto: Any, message: str, tmp_path: Path) -> None:
    """What cannot be done is refused by an error that names the attribute."""
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UnsupportedOp, match=message):
        load_model(path)


def _random_movement(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[Any, dict[str, Any]]:
    """A node that moves a tensor "a" of some shape, attributes of any sort; its constants."""
    rank, axis = len(shape), int(rng.integers(len(shape)))
    kind = rng.choice(["Slice", "Pad", "Tile", "Transpose", "Expand", "Concat"])
    if kind == "Slice":
        step = rng.choice([-3, -2, -1, 1, 2, 3], rank)
        near, far = rng.integers(-9, 9, rank), rng.choice([-(2**31), 2**31], rank)
        start = np.where(step > 0, np.minimum(near, -shape[axis]), 9)
        held = {"s": start, "e": np.where(step > 0, far.max(), far.min()), "d": np.arange(rank)}
        one = int(rng.integers(rank))
        held["s"][one] = rng.integers(-shape[one], shape[one])
        return node("Slice", "a s e d t", "b"), {**held, "t": step}
    if kind == "Pad":
        mode = rng.choice(["constant", "edge", "reflect", "wrap"])
        most = min(shape) - 1 if mode == "reflect" else min(shape)
        return node("Pad", "a p", "b", mode=mode), {"p": rng.integers(0, most + 1, 2 * rank)}
    if kind == "Tile":
        return node("Tile", "a r", "b"), {"r": rng.integers(1, 3, rank)}
    if kind == "Expand":
        return node("Expand", "a s", "b"), {"s": np.array([2, *shape], np.int64)}
    if kind == "Concat":
        return node("Concat", "a a", "b", axis=axis), {}
    return node("Transpose", "a", "b", perm=rng.permutation(rank).tolist()), {}


def test_random_movements(tmp_path: Path) -> None:
    """Any axis, the first one too, of a tensor of any rank, forwards and backwards."""
    rng = np.random.default_rng(8)
    for _ in range(60):
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
        moving, held = _random_movement(rng, shape)
        nodes = [node("Relu", "x", "a"), moving, node("Abs", "b")]
        agrees(tmp_path, model(nodes, {"x": shape}, held, 19))
