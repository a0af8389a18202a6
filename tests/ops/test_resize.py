# SPDX-License-Identifier: Apache-2.0
"""Resize in every mode: readers against ONNX Runtime, integers against exact numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan.cli import run
from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.importer import load_model
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops._resampling import Coordinates, interpolated
from mcuplan.ops.resize import Resize

from .onnx_cases import agrees, kinds, model, node

MODES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def _resize(shape: Any, sizes: Any, **attributes: Any) -> Any:
    constants = {"r": np.array([], np.float32), "s": np.array(sizes, np.int64)}
    inputs = {"x": [int(n) for n in shape]}
    return model(node("Resize", "x r - s", **attributes), inputs, constants, opset=19)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_readers(mode: str, seed: int, tmp_path: Path) -> None:
    """What is read, and what is written again, computes what ONNX Runtime does."""
    rng = np.random.default_rng([seed, len(mode)])
    axes = 2 if mode == "cubic" else int(rng.integers(1, 4))
    size, target = rng.integers(2, 8, axes), rng.integers(1, 12, axes)
    if axes == 1:  # which ONNX Runtime wants beside another one
        size, target = np.append(size, 4), np.append(target, 4)
    attributes = {"mode": mode, "coordinate_transformation_mode": MODES[seed % len(MODES)]}
    if mode == "nearest":
        attributes["nearest_mode"] = ROUNDINGS[seed % len(ROUNDINGS)]
    elif seed % 3 == 0 and axes == 2 and (target > 1).all():
        attributes["antialias"] = 1
    if mode == "cubic":
        attributes |= {"cubic_coeff_a": -0.5, "exclude_outside": int(seed % 2)}
    agrees(tmp_path, _resize((1, 3, *size), (1, 3, *target), **attributes))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_part_of_the_input(mode: str, tmp_path: Path) -> None:
    """Outputs beyond the ends are a constant."""
    constants = {
        "r": np.array([0, 0, 0.4, -0.2, 1, 1, 1.2, 0.7], np.float32),
        "s": np.array([1, 2, 5, 3], np.int64),
    }
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": mode}
    made = node("Resize", "x r - s", extrapolation_value=2.5, **attributes)
    agrees(tmp_path, model(made, {"x": (1, 2, 4, 6)}, constants, opset=19))


def test_other_axes_are_resized_one_by_one(tmp_path: Path) -> None:
    """Channels, or all axes of a matrix."""
    agrees(tmp_path, _resize((1, 4, 3), (1, 7, 3), mode="linear"))
    graph = agrees(tmp_path, _resize((4, 3), (7, 5), mode="linear"))
    assert 2 == kinds(graph).count("Resize")
    agrees(tmp_path, _resize((1, 2, 3, 4), (1, 2, 3, 4), mode="cubic"))


REFUSED = {
    "mode": ({"mode": "lanczos"}, (1, 1, 4, 4)),
    "transformation": ({"mode": "linear", "coordinate_transformation_mode": "x"}, (1, 1, 4, 4)),
    "policy": ({"keep_aspect_ratio_policy": "x"}, (1, 1, 4, 4)),
    "sizes": ({"mode": "linear"}, (1, 1, 4)),
    "axes": ({"axes": [2, -2]}, (4, 4)),
    "empty": ({"mode": "linear"}, (1, 1, 0, 4)),
    "roi": ({"coordinate_transformation_mode": "tf_crop_and_resize"}, (1, 1, 4, 4)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    """What ONNX does not have, or nobody knows, is refused by the name of its node."""
    attributes, sizes = REFUSED[name]
    proto = _resize((1, 1, 3, 3), sizes, **attributes)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(Exception, match="Resize") as refused:
        load_model(tmp_path / "model.onnx")
    assert isinstance(refused.value, UnsupportedOp) or "model/" in str(refused.value.code)


@pytest.mark.parametrize("seed", range(40))
def test_integers_are_exact_to_one_step(seed: int) -> None:
    """The integers differ from exact ones by hardly more than their rounding."""
    rng = np.random.default_rng(seed)
    axes = []
    for _ in range(2 + seed % 2):
        size, target = (int(n) for n in rng.integers(1, 9, 2))
        where = Coordinates(MODES[rng.integers(5)], size, target, target / size)
        cubic = -0.75 if rng.random() < 0.4 else None
        taps = interpolated(
            where, cubic=cubic, antialias=rng.random() < 0.3, exclude_outside=rng.random() < 0.3
        )
        axes.append((size, taps))
    op = Resize(tuple(taps for _, taps in axes))
    source = Quant.per_tensor(float(2.0 ** rng.uniform(-9, 4)), int(rng.integers(-128, 128)))
    output = Quant.per_tensor(source.s * float(rng.uniform(0.3, 3)), int(rng.integers(-128, 128)))
    shape = (1, *(size for size, _ in axes), 11)
    kind = TensorType(shape, DType.INT8, source)
    made = TensorType(op.infer([kind])[0].shape, DType.INT8, output)
    q = rng.choice([-128, 127, *rng.integers(-128, 128, 4)], shape).astype(np.int8)
    found = op.integer(Signature(op, (kind,), (made,), (None,)), q)[0]
    weights = [np.array(taps.weights) for _, taps in axes]
    real = op._sums(source.dequantize(q), weights, np.zeros(()))
    exact = np.clip(real / output.s + output.z, -128, 127)
    assert 0.6 > np.abs(found - exact).max()


def test_equal_elements_stay_equal() -> None:
    """On one grid, what is made of equal elements is that element: no drift at any size."""
    where = Coordinates("half_pixel", 7, 19, 19 / 7)
    taps = interpolated(where, cubic=-0.75, antialias=False, exclude_outside=False)
    op, quant = Resize((taps, taps)), Quant.per_tensor(0.1, -3)
    kinds = [TensorType((1, n, n, 256), DType.INT8, quant) for n in (7, 19)]
    q = np.broadcast_to(np.arange(-128, 128, dtype=np.int8), kinds[0].shape)
    found = op.integer(Signature(op, (kinds[0],), (kinds[1],), (None,)), q)[0]
    assert (found == q[0, 0, 0]).all()


def test_scale_out_of_reach() -> None:
    """An output step far below the input's is refused."""
    op = next(iter(Resize.examples())).op
    coarse, fine = Quant.per_tensor(1000.0, 0), Quant.per_tensor(1e-3, 0)
    kind = TensorType((1, 4, 4, 3), DType.INT8, coarse)
    made = TensorType((1, 8, 8, 3), DType.INT8, fine)
    with pytest.raises(ScaleError, match="output scale"):
        op.integer(Signature(op, (kind,), (made,), (None,)), np.zeros(kind.shape, np.int8))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_a_decoder_all_the_way(
    dtype: str, host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path
) -> None:
    """Resized maps and a transposed convolution are planned by rows and proved on a core."""
    rng = np.random.default_rng(3)
    constants = {
        "r": np.array([], np.float32),
        "s": np.array([1, 4, 9, 10], np.int64),
        "w": rng.normal(0, 0.3, (4, 2, 3, 3)).astype(np.float32),
        "v": rng.normal(0, 0.3, (2, 4, 2, 2)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w", "c", pads=[1, 1, 1, 1]),
        node("Resize", "c r - s", "u", mode="linear"),
        node("Conv", "u v", "d", kernel_shape=[2, 2]),
        node("ConvTranspose", "d w2", "y", strides=[2, 2], output_padding=[1, 0]),
    ]
    constants["v"] = rng.normal(0, 0.3, (3, 4, 2, 2)).astype(np.float32)
    constants["w2"] = rng.normal(0, 0.3, (3, 2, 3, 3)).astype(np.float32)
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    proto = model(nodes, {"x": (1, 2, 6, 5)}, constants, opset=19)
    path.write_bytes(proto.SerializeToString())
    np.savez(data, x=rng.normal(0, 1, (8, 2, 6, 5)).astype(np.float32))
    given = ["--calibration", str(data), "--inputs", str(data), "--dtype", dtype]
    assert 0 == run(["verify", str(path), "-t", "cortex-m4", *given, "-q", "--no-save"])
