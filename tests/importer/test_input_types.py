# SPDX-License-Identifier: Apache-2.0
"""Inputs of any element type, with or without a batch axis, from the file to the C boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import FLOAT, TensorProto, model, node, run_onnx, save, value

from mcuplan import passes, pipeline
from mcuplan.calibrate import Data, Runtime, read_data
from mcuplan.errors import McuplanError, Problems
from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.ops.conv2d import Conv2D
from mcuplan.prove.boundary import boundary_inputs, real_outputs
from mcuplan.record import Request
from mcuplan.targets import load_target

_RNG = np.random.default_rng(5)
_KINDS = {
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
}


def _weights(*shape: int, dtype: Any = np.float32) -> Any:
    return (_RNG.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(dtype)


def _normalized(dtype: str, *, by_channel: bool = False, pad: int = 0) -> Any:
    """Cast, Sub, Mul, Conv: what a camera's bytes go through."""
    shape = (1, 3, 1, 1) if by_channel else ()
    constants = {
        "mean": _RNG.uniform(100, 130, shape).astype(np.float32),
        "by": _RNG.uniform(0.01, 0.02, shape).astype(np.float32),
        "w": _weights(4, 3, 3, 3),
        "b": _weights(4, 1)[:, 0],
    }
    nodes = [
        node("Cast", ["x"], ["real"], to=FLOAT),
        node("Sub", ["real", "mean"], ["centred"]),
        node("Mul", ["centred", "by"], ["scaled"]),
        node("Conv", ["scaled", "w", "b"], ["y"], pads=[pad] * 4),
    ]
    return model(nodes, [value("x", (1, 3, 6, 5), _KINDS[dtype])], [value("y", None)], constants)


def _bytes_to_unit(shape: tuple[int, ...], perm: list[int], *added: int) -> Any:
    """Bytes in another order of axes, divided by 255 somewhere before the convolution."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=perm),
        node("Cast", ["t"], ["real"], to=FLOAT),
        node("Div", ["real", "by"], ["scaled"]),
        node("Unsqueeze", ["scaled", "axes"], ["u"]) if added else node("Relu", ["scaled"], ["u"]),
        node("Conv", ["u", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    constants = {
        "by": np.float32(255),
        "axes": np.array(added, np.int64),
        "w": _weights(4, 3, 3, 3),
    }
    return model(nodes, [value("x", shape, TensorProto.UINT8)], [value("y", None)], constants)


def _wide(dtype: str) -> Any:
    """A float model of another width, and constants folded in that width."""
    made = np.dtype(dtype).type
    nodes = [
        node("Mul", ["w", "two"], ["w2"]),
        node("MatMul", ["x", "w2"], ["c"]),
        node("Relu", ["c"], ["y"]),
    ]
    constants = {"w": _weights(7, 4, dtype=made), "two": made(2)}
    kind = _KINDS[dtype]
    return model(nodes, [value("x", (1, 7), kind)], [value("y", None, kind)], constants)


def _matrix(*shape: int) -> Any:
    constants = {"w": _weights(shape[-1], 5), "v": _weights(5, 3)}
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("MatMul", ["r", "v"], ["y"]),
    ]
    return model(nodes, [value("x", shape)], [value("y", None)], constants)


def _image() -> Any:
    """[C, H, W], as an unbatched PyTorch model has it."""
    nodes = [
        node("Unsqueeze", ["x", "axes"], ["u"]),
        node("Conv", ["u", "w"], ["c"]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Squeeze", ["p"], ["y"]),
    ]
    constants = {"axes": np.array([0], np.int64), "w": _weights(4, 3, 3, 3)}
    return model(nodes, [value("x", (3, 6, 5))], [value("y", None)], constants)


def _frames() -> Any:
    """[T, F], made channels first."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0]),
        node("Unsqueeze", ["t", "axes"], ["u"]),
        node("Conv", ["u", "w"], ["y"], pads=[1, 1]),
    ]
    constants = {"axes": np.array([0], np.int64), "w": _weights(4, 6, 3)}
    return model(nodes, [value("x", (9, 6))], [value("y", None)], constants)


def _gemm_rows() -> Any:
    constants = {"w": _weights(6, 4), "b": _weights(4, 1)[:, 0]}
    nodes = [node("Gemm", ["x", "w", "b"], ["y"])]
    return model(nodes, [value("x", (5, 6))], [value("y", None)], constants)


_CASES = {
    **{f"{d} normalized": _normalized(d) for d in ("int8", "int32", "int64", "uint8")},
    "uint8 by channel, padded": _normalized("uint8", by_channel=True, pad=1),
    "int64 by channel, padded": _normalized("int64", by_channel=True, pad=1),
    "bytes NHWC": _bytes_to_unit((1, 6, 5, 3), [0, 3, 1, 2]),
    "bytes HWC": _bytes_to_unit((6, 5, 3), [2, 0, 1], 0),
    "bytes CHW": _bytes_to_unit((3, 6, 5), [0, 1, 2], 0),
    "float16": _wide("float16"),
    "float64": _wide("float64"),
    "vector": _matrix(7),
    "rows": _matrix(4, 7),
    "stack of rows": _matrix(3, 4, 7),
    "image": _image(),
    "frames": _frames(),
    "Gemm of rows": _gemm_rows(),
}


def _samples(proto: Any, folder: Path) -> Path:
    """A few samples in the element type of the model."""
    tensor = proto.graph.input[0].type.tensor_type
    shape = [d.dim_value for d in tensor.shape.dim]
    dtype = {FLOAT: "float32", **{kind: name for name, kind in _KINDS.items()}}[tensor.elem_type]
    if dtype.startswith("float"):
        samples = _RNG.normal(size=(6, *shape))
    else:
        samples = _RNG.integers(0, 128 if dtype == "int8" else 256, (6, *shape))
    samples = samples[:, 0] if shape[0] == 1 else samples
    np.savez(folder / "data.npz", x=samples.astype(dtype))
    return folder / "data.npz"


def _expected(path: Path, data: Path, shape: tuple[int, ...]) -> list[Any]:
    with np.load(data) as arrays:
        return [run_onnx(path, {"x": s.reshape(shape)})[0] for s in arrays["x"]]


@pytest.mark.parametrize("case", _CASES)
def test_from_file_to_boundary(case: str, tmp_path: Path) -> None:
    """Float graph, exported model and integer program compute what the runtime computes."""
    proto = _CASES[case]
    path = save(tmp_path, proto)
    samples = _samples(proto, tmp_path)
    target = load_target("cortex-m4")
    planned = pipeline.plan(Request(path, target, calibration=samples))
    (port,) = planned.floating.inputs
    expected = _expected(path, samples, port.shape)
    data = read_data(samples, [port])
    _compare_float(planned.floating, data, expected)
    graph = planned.integer
    found = evaluate(graph, boundary_inputs(graph, data))
    (output,) = graph.outputs
    values = real_outputs(graph, output, found[output.tensor])
    flat = np.stack([e.reshape(-1) for e in expected]).astype(np.float64)
    noise = np.square(flat - values.reshape(flat.shape)).sum()
    assert 28 < 10 * np.log10(np.square(flat).sum() / noise)


def _compare_float(floating: Any, data: Data, expected: list[Any]) -> None:
    runtime = Runtime(to_onnx(floating, qdq=False).SerializeToString())
    for i, wanted in enumerate(expected):
        (out,) = runtime.run(data.feeds(floating.inputs, i))
        assert wanted.dtype == out.dtype
        assert wanted.shape == out.shape
        tolerance = 1e-2 if out.dtype == np.float16 else 1e-4
        assert np.abs(wanted.astype("f8") - out).max() <= tolerance * max(1, np.abs(wanted).max())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "float16"])
def test_boundary(dtype: str, tmp_path: Path) -> None:
    """Bytes stay bytes of whole numbers; wider ones get a grid, and the header names them."""
    is_float = dtype == "float16"
    proto = _wide(dtype) if is_float else _normalized(dtype)
    path = save(tmp_path, proto)
    request = Request(path, load_target("cortex-m4"), calibration=_samples(proto, tmp_path))
    planned = pipeline.plan(request)
    (port,) = planned.integer.inputs
    kind = planned.integer.tensor(port.tensor).type
    assert (DType.UINT8 if dtype == "uint8" else DType.INT8) is kind.dtype
    if dtype in ("uint8", "int8"):
        assert (1.0, 0) == (kind.q.s, kind.q.z)
    header = "".join(
        t for n, t in pipeline.generate(planned, "net").files.items() if "net.h" in str(n)
    )
    assert (f"{dtype} in the model" in header) is (dtype not in ("uint8", "int8"))
    assert "float32" == planned.model.form


def test_scale_of_bytes_vanishes_in_the_first_layer(tmp_path: Path) -> None:
    """Division by 255 is a factor of the weights, whatever the order of axes."""
    for case in ("bytes NHWC", "bytes HWC", "bytes CHW", "uint8 normalized"):
        path = save(tmp_path, _CASES[case])
        graph = passes.run(load_model(path).graph)
        layers = [n for n in graph.nodes if not n.op.is_view and type(n.op).__name__ != "Transpose"]
        assert [Conv2D] == [type(n.op) for n in layers if type(n.op).__name__ != "Lookup"]
        assert len(layers) <= 2  # a Relu of the test's own


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "int8", "bool"])
def test_numbers_that_nothing_makes_real(kind: str, tmp_path: Path) -> None:
    """Integers that are moved stay integers; what is there for real values only is refused."""
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0]), node("Identity", ["t"], ["y"])]
    code = getattr(TensorProto, kind.upper())
    proto = model(nodes, [value("x", (2, 3), code)], [value("y", None, code)], {})
    graph = load_model(save(tmp_path, proto)).graph
    assert {kind} == {graph.tensor(p.tensor).type.dtype for p in (*graph.inputs, *graph.outputs)}
    assert all(port.whole and port.dtype == kind for port in (*graph.inputs, *graph.outputs))
    nodes = [node("HardSwish", ["t"], ["y"]), nodes[0]]
    proto = model(nodes[::-1], [value("x", (2, 3), code)], [value("y", None)], {})
    with pytest.raises(McuplanError):
        load_model(save(tmp_path, proto))


def test_batch_of_images_is_refused(tmp_path: Path) -> None:
    """A first axis that a convolution takes for its batch must be 1, wherever it comes from."""
    nodes = [
        node("Reshape", ["x", "shape"], ["r"]),
        node("Conv", ["r", "w"], ["y"]),
    ]
    constants = {"shape": np.array([2, 3, 4, 4], np.int64), "w": _weights(4, 3, 3, 3)}
    proto = model(nodes, [value("x", (1, 6, 4, 4))], [value("y", None)], constants)
    with pytest.raises(McuplanError, match="a batch of 2"):
        load_model(save(tmp_path, proto))


_TWO = [value("x", (1, 3, "?", "?"))]


@pytest.mark.parametrize(
    ("dims", "shape", "code"),
    [
        ({"x:2": 8, "x:3": 6}, (1, 3, 8, 6), ""),
        ({"?": 8}, (1, 3, 8, 8), ""),
        ({"?": 8, "x:2": 8}, (1, 3, 8, 8), ""),
        ({"x:2": 8, "x:3": 6, "x:1": 3}, (1, 3, 8, 6), ""),
        ({}, None, "model/dynamic-shape"),
        ({"x:2": 8}, None, "model/dynamic-shape"),
        ({"?": 8, "x:2": 9}, None, "usage/bad-argument"),
        ({"x:2": 8, "x:3": 6, "x:1": 4}, None, "usage/bad-argument"),
        ({"x:2": 8, "x:3": 6, "x:7": 4}, None, "usage/bad-argument"),
    ],
)
def test_axes_that_share_a_name(
    dims: dict[str, int], shape: tuple[int, ...] | None, code: str, tmp_path: Path
) -> None:
    """Each axis is settable by input and number; two sizes for one axis contradict."""
    nodes = [node("Conv", ["x", "w"], ["c"], pads=[1] * 4), node("GlobalAveragePool", ["c"], ["y"])]
    path = save(tmp_path, model(nodes, _TWO, [value("y", None)], {"w": _weights(4, 3, 3, 3)}))
    if shape is not None:
        assert shape == load_model(path, dims).graph.inputs[0].shape
        return
    with pytest.raises((McuplanError, Problems)) as caught:
        load_model(path, dims)
    errors = caught.value.errors if isinstance(caught.value, Problems) else (caught.value,)
    assert code in {e.code for e in errors}
    assert all("x:" in e.hint for e in errors if e.code == "model/dynamic-shape")
