# SPDX-License-Identifier: Apache-2.0
"""LayerNormalization: readers against ONNX Runtime, integers against exact numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan.cli import run
from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.layer_norm import LayerNorm

from .onnx_cases import agrees, model, node

R = np.random.default_rng(5)
TOKENS = {"x": (1, 6, 12)}


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
}


@pytest.mark.parametrize("name", READ)
def test_readers(name: str, tmp_path: Path) -> None:
    """What is read, and what is written again, computes what ONNX Runtime does."""
    agrees(tmp_path, READ[name])


REFUSED = {
    "statistics": model(
        node("LayerNormalization", "x g b", "y mean"), TOKENS, _constants(12), outputs="y mean"
    ),
    "computed gains": model(node("LayerNormalization", "x z"), {**TOKENS, "z": (12,)}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    """What no kernel does is refused by the name of its node."""
    (tmp_path / "model.onnx").write_bytes(REFUSED[name].SerializeToString())
    with pytest.raises(UnsupportedOp) as refused:
        load_model(tmp_path / "model.onnx")
    assert refused.value.where.startswith("LayerNormalization")


def _sig(op: LayerNorm, source: Quant, output: Quant) -> Signature:
    kinds = [TensorType((1, len(op.gains)), DType.INT8, quant) for quant in (source, output)]
    return Signature(op, (kinds[0],), (kinds[1],), (None,))


@settings(deadline=None)
@given(
    st.integers(1, 700),
    st.floats(-12.0, 4.0),
    st.floats(-16.0, 0.0),
    st.integers(-128, 127),
    st.integers(0, 2**32 - 1),
)
def test_integers_are_exact_to_one_step(
    channels: int, log_scale: float, log_epsilon: float, zero_point: int, seed: int
) -> None:
    """The integers differ from exact ones by less than one step, for any grid and width."""
    rng = np.random.default_rng(seed)
    gains, offsets = rng.normal(0, 1, (2, channels)).astype(np.float32).tolist()
    op = LayerNorm(tuple(gains), tuple(offsets), float(2.0**log_epsilon))
    source = Quant.per_tensor(2.0**log_scale, int(rng.integers(-128, 128)))
    output = Quant.per_tensor(rng.uniform(0.01, 0.2), zero_point)
    q = rng.integers(-128, 128, (64, channels)).astype(np.int8)
    q[1] = q[1, 0]  # no variance at all
    q[2] = q[2, 0]
    q[2, -1] ^= 1
    real = op.reference(source.dequantize(q).astype(np.float64))[0].astype(np.float64)
    exact = np.clip(real / output.s + zero_point, -128, 127)
    assert 0.6 > np.abs(op.integer(_sig(op, source, output), q)[0] - exact).max()


def test_scales_out_of_reach() -> None:
    """An output step too small for the layer, or an input step below epsilon, is refused."""
    op, fine = LayerNorm((1.0, 1.0), (0.0, 0.0)), Quant.per_tensor(0.02, 0)
    with pytest.raises(ScaleError, match="output scale"):
        op.integer(_sig(op, fine, Quant.per_tensor(1e-6, 0)), np.zeros((1, 2), np.int8))
    with pytest.raises(ScaleError, match="input scale"):
        op.integer(_sig(op, Quant.per_tensor(1e-13, 0), fine), np.zeros((1, 2), np.int8))


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
