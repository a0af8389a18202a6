# SPDX-License-Identifier: Apache-2.0
"""Normalizations: readers against ONNX Runtime, integers against exact numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.cli import run
from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops._normalize_integers import inverse_root
from mcuplan.ops.normalize import Epsilon, Normalize

from .onnx_cases import agrees, model, node

R = np.random.default_rng(5)
TOKENS, MAPS = {"x": (1, 6, 12)}, {"x": (1, 6, 4, 5)}


def _constants(*shape: int) -> dict[str, np.ndarray]:
    return {name: R.normal(1, 1, shape).astype(np.float32) for name in ("g", "b")}


READ = {
    "tokens": model(node("LayerNormalization", "x g b"), TOKENS, _constants(12)),
    "no bias": model(node("LayerNormalization", "x g"), TOKENS, _constants(12)),
    "epsilon": model(node("LayerNormalization", "x g b", epsilon=0.5), TOKENS, _constants(12)),
    "one gain": model(node("LayerNormalization", "x g b"), TOKENS, _constants(1)),
    "all axes": model(node("LayerNormalization", "x g b", axis=1), TOKENS, _constants(6, 12)),
    "columns": model(
        node("LayerNormalization", "x g b", axis=3), {"x": (1, 3, 4, 5)}, _constants(5)
    ),
    "maps": model(
        node("LayerNormalization", "x g b", axis=1), {"x": (1, 3, 4, 5)}, _constants(3, 4, 5)
    ),
    "gains of other axes": model(
        node("LayerNormalization", "x g b"), {"x": (1, 3, 4, 5)}, _constants(4, 1)
    ),
    "computed gains": model(node("LayerNormalization", "x z"), {**TOKENS, "z": (12,)}),
    "first axis": model(
        node("LayerNormalization", "x g b", axis=0), {"x": (3, 5)}, _constants(3, 5)
    ),
    "statistics": model(
        node("LayerNormalization", "x g b", "y mean inverse", axis=1),
        TOKENS,
        _constants(6, 12),
        outputs="y mean inverse",
    ),
    "neighbouring channels": model(node("LRN", "x", size=3, alpha=0.1, bias=2.0), MAPS),
    "training": model(
        node("BatchNormalization", "x g b m v", "y n w", training_mode=1),
        MAPS,
        {**_constants(6), "m": np.ones(6, np.float32), "v": np.ones(6, np.float32)},
        outputs="y n w",
    ),
    "instances": model(node("InstanceNormalization", "x g b"), MAPS, _constants(6)),
    "instances of a signal": model(
        node("InstanceNormalization", "x g b"), {"x": (1, 4, 9)}, _constants(4)
    ),
    "instances of a batch": model(
        node("InstanceNormalization", "x g b"), {"x": (3, 2, 4, 5)}, _constants(2)
    ),
    "instances behind a convolution": model(
        [node("Conv", "x w", "c"), node("InstanceNormalization", "c g b", "n"), node("Relu", "n")],
        MAPS,
        {"w": R.normal(0, 1, (8, 6, 1, 1)).astype(np.float32), **_constants(8)},
    ),
    "groups, gains of each": model(
        node("GroupNormalization", "x g b", num_groups=2), MAPS, _constants(2), opset=18
    ),
    "groups, gains of channels": model(
        node("GroupNormalization", "x g b", num_groups=3), MAPS, _constants(6), opset=21
    ),
    "one group": model(
        node("GroupNormalization", "x g b", num_groups=1), MAPS, _constants(6), opset=21
    ),
    "groups of one": model(
        node("GroupNormalization", "x g b", num_groups=6), MAPS, _constants(6), opset=21
    ),
    "absolute values": model(node("LpNormalization", "x", p=1), MAPS),
    "squares of channels": model(node("LpNormalization", "x", axis=1), MAPS),
    "squares of rows": model(node("LpNormalization", "x", axis=2), MAPS),
    "mean and variance": model(node("MeanVarianceNormalization", "x"), MAPS),
    "of a batch": model(node("MeanVarianceNormalization", "x"), {"x": (3, 2, 4, 5)}),
    "of samples": model(node("MeanVarianceNormalization", "x", axes=[1, 2, 3]), MAPS),
    "root of mean squares": model(
        node("SimplifiedLayerNormalization", "x g", axis=-1, epsilon=1e-6), TOKENS, _constants(12)
    ),
    "behind a sum": model(
        node(
            "SkipLayerNormalization", "x z g b c", "y - - s", domain="com.microsoft", epsilon=1e-6
        ),
        {**TOKENS, "z": (1, 6, 12)},
        {**_constants(12), "c": R.normal(0, 1, 12).astype(np.float32)},
        outputs="y s",
    ),
    "mean squares behind a sum": model(
        node("SkipSimplifiedLayerNormalization", "x z g", domain="com.microsoft", epsilon=1e-6),
        {**TOKENS, "z": (1, 6, 12)},
        _constants(12),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_readers(name: str, tmp_path: Path) -> None:
    """What is read, and what is written again, computes what ONNX Runtime does."""
    agrees(tmp_path, READ[name])


REFUSED = {
    "no group": model(
        node("GroupNormalization", "x g b", num_groups=4), MAPS, _constants(6), opset=21
    ),
    "no axis": model(node("LpNormalization", "x", axis=4), MAPS),
    "no power": model(node("LpNormalization", "x", p=3), MAPS),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    """What no kernel does is refused by the name of its node."""
    (tmp_path / "model.onnx").write_bytes(REFUSED[name].SerializeToString())
    with pytest.raises(UnsupportedOp) as refused:
        load_model(tmp_path / "model.onnx")
    assert "Normalization" in refused.value.where


def _sig(op: Normalize, source: Quant, output: Quant, shape: tuple[int, ...]) -> Signature:
    kinds = [TensorType(shape, DType.INT8, quant) for quant in (source, output)]
    return Signature(op, (kinds[0],), (kinds[1],), (None,))


FORMS = st.sampled_from(
    [
        {},
        {"divisor": 1, "centered": False},
        {"centered": False},
        {"divisor": 1, "centered": False, "power": 1},
        {"rule": Epsilon.ADDED},
        {"divisor": 1, "centered": False, "rule": Epsilon.LEAST},
        {"divisor": 1, "centered": False, "power": 1, "rule": Epsilon.ADDED},
        {"divisor": 1, "centered": False, "power": 1, "rule": Epsilon.LEAST},
    ]
)


@settings(deadline=None, max_examples=200)
@given(
    FORMS,
    st.one_of(st.integers(1, 40), st.integers(41, 5000)),
    st.floats(-12.0, 4.0),
    st.floats(-16.0, 0.0),
    st.floats(-4.0, 9.0),
    st.integers(0, 2**32 - 1),
)
def test_integers_are_exact_to_one_step(
    form: dict[str, Any],
    channels: int,
    log_scale: float,
    log_epsilon: float,
    log_gain: float,
    seed: int,
) -> None:
    """The integers differ from exact ones by less than one step, for any grid, width and gain."""
    rng = np.random.default_rng(seed)
    gains, offsets = rng.normal(0, 1, (2, channels)).astype(np.float32)
    gains[rng.random(channels) < 0.1] = 0.0
    gains *= 2.0 ** min(log_gain, 12 - np.log2(channels) / 2)
    divisor = form.get("divisor", channels)
    fields = {"divisor": divisor, "epsilon": 2.0**log_epsilon, **form}
    if divisor == 1:
        gains *= channels**0.5
    op = Normalize(tuple(gains.tolist()), tuple(offsets.tolist()), **fields)
    source = Quant.per_tensor(2.0**log_scale, int(rng.integers(-128, 128)))
    output = Quant.per_tensor(rng.uniform(0.1, 0.2), int(rng.integers(-128, 128)))
    q = rng.integers(-128, 128, (16, channels)).astype(np.int8)
    q[1] = q[1, 0]  # no variance at all
    q[2] = q[2, 0]
    q[2, -1] ^= 1
    q[3] = source.z
    q[4] = np.where(np.arange(channels) == 0, 127, -128)
    real = op.reference(source.dequantize(q).astype(np.float64))[0].astype(np.float64)
    exact = np.clip(real / output.s + output.z, -128, 127)
    found = op.integer(_sig(op, source, output, (1, channels)), q)[0]
    assert 1 > np.abs(found - exact).max()


def test_inverse_roots() -> None:
    """Of every mantissa of 16 bits, of small numbers and of the largest: to 1.2e-6."""
    mantissas = np.arange(1 << 14, 1 << 16).astype(np.int64)
    values = np.concatenate([np.arange(1, 4096), *(mantissas << k for k in range(0, 48, 3))])
    root, half = inverse_root(np.append(values, 2**63 - 1))
    exact = np.append(values, 2**63 - 1).astype(np.float64) ** -0.5
    assert 1.2e-6 > np.abs(np.ldexp(root.astype(np.float64), -46 - half) / exact - 1).max()


def test_scales_out_of_reach() -> None:
    """An output step too small for the layer, or an input step below epsilon, is refused."""
    op, fine = Normalize.layer((1.0, 1.0)), Quant.per_tensor(0.02, 0)
    zeros = np.zeros((1, 2), np.int8)
    with pytest.raises(ScaleError, match="output scale"):
        op.integer(_sig(op, fine, Quant.per_tensor(1e-7, 0), (1, 2)), zeros)
    with pytest.raises(ScaleError, match="input scale"):
        op.integer(_sig(op, Quant.per_tensor(1e-13, 0), fine, (1, 2)), zeros)


def test_tokens_all_the_way(host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path) -> None:
    """A network of tokens is planned, generated and proved on the host and on a core."""
    constants = {"w": R.normal(0, 0.3, (12, 16)).astype(np.float32), **_constants(16)}
    proto = model(
        [node("MatMul", "x w", "a"), node("LayerNormalization", "a g b", "n"), node("Relu", "n")],
        TOKENS,
        constants,
    )
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    path.write_bytes(proto.SerializeToString())
    np.savez(data, x=R.normal(0, 1, (32, 6, 12)).astype(np.float32))
    given = ["--calibration", str(data), "--inputs", str(data)]
    assert 0 == run(["verify", str(path), "-t", "cortex-m4", *given, "-q", "--no-save"])
