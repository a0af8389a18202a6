# SPDX-License-Identifier: Apache-2.0
"""Values that a quantized model does not round: in float32 as the file means them, or closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.calibrate import Data
from mcuplan.facts import ClosedBy, GapsClosed, InType
from mcuplan.findings import Finding
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.judge import Thresholds
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

TARGET = load_target("cortex-m4")


def _weights(net: Net, *shape: int, dtype: type = np.int8, zero: int = 0) -> str:
    """Integers of weights, one scale and zero point for all of them."""
    info = np.iinfo(dtype)
    values = net.const(net.rng.integers(info.min, info.max + 1, shape), dtype)
    return net.add("DequantizeLinear", values, net.const(0.01), net.const(zero, dtype))


def _saved(net: Net, output: str, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(net.model(output).SerializeToString())
    np.savez(folder / "data.npz", x=net.samples(24))
    return path


def _planned(path: Path, **asked: Any) -> Planned:
    return pipeline.plan(Request(path, TARGET, **asked))


def _findings(planned: Planned, code: str) -> list[Finding]:
    return [f for f in assess(planned).verdict.findings if f.code == code]


def _facts(planned: Planned, kind: type) -> list[Any]:
    return [fact for fact in planned.notes if isinstance(fact, kind)]


def _off(planned: Planned, path: Path) -> int:
    """How far integers of any layer are from the runtime's, on the same input of the layer."""
    with np.load(path.with_name("data.npz")) as file:
        data = Data({"x": file["x"]}, len(file["x"]))
    graph = planned.removal.whole
    seen = against_runtime(path, graph, data, quantized=True, limits=Thresholds())
    return max(layer.max_lsb or 0 for layer in seen.layers.values())


def _with_gaps(net: Net) -> str:
    """A function, a pool and a product between roundings; a sum whose operand is not rounded."""
    x = net.quantize("x", 0.03)
    x = net.quantize(net.add("Conv", x, _weights(net, 6, 4, 3, 3), pads=[1] * 4), 0.2, 5)
    y = net.add("AveragePool", net.add("HardSwish", x), kernel_shape=[2, 2], strides=[2, 2])
    y = net.quantize(net.add("Conv", net.quantize(y, 0.1), _weights(net, 6, 6, 1, 1)), 0.3)
    z = net.add("Conv", net.add("Relu", y), _weights(net, 6, 6, 1, 1))
    return net.quantize(net.add("Add", z, y), 0.4)


def test_what_is_not_rounded_is_real(
    tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """Without calibration, every layer within a step of the runtime's, bytes those of the C."""
    path = _saved(net := Net((1, 4, 8, 8)), _with_gaps(net), tmp_path)
    planned = _planned(path)
    (fact,) = _facts(planned, InType)
    assert set(fact.layers) == set(fact.open_ends)
    assert _off(planned, path) <= 1
    evidence = verify(planned, planned.request, Wanted("net", samples=2))
    assert [True, True] == [run.equal_to_reference for run in evidence.verifications]
    found = _findings(planned, "quant/float-layers")
    assert ["warning", "warning"] == [finding.severity for finding in found]
    assert any("hardswish" in finding.message for finding in found)
    assert all("cycles (modelled" in f.message and "B of constants" in f.message for f in found)
    assert "--close-gaps" in found[0].hint
    exactly = _facts(planned, GapsClosed)
    assert [ClosedBy.NEIGHBOUR] == [fact.by for fact in exactly]  # the Relu


def test_gaps_are_closed(tmp_path: Path) -> None:
    """By limits that grids set; what has none, by calibration, which leaves no float."""
    path = _saved(net := Net((1, 4, 8, 8)), _with_gaps(net), tmp_path)
    limited = _planned(path, close_gaps=True)
    closed = {fact.by: fact.tensors for fact in _facts(limited, GapsClosed)}
    assert ["hardswish"] == [name.rstrip("0123456789") for name in closed[ClosedBy.LIMITS]]
    (fact,) = _facts(limited, InType)
    assert not any("HardSwish" in layer for layer in fact.layers)
    (found,) = _findings(limited, "quant/float-layers")
    assert "--calibration" in found.hint
    whole = _planned(path, close_gaps=True, calibration=tmp_path / "data.npz")
    assert [] == _facts(whole, InType)
    assert ClosedBy.CALIBRATION in [fact.by for fact in _facts(whole, GapsClosed)]
    (*_, note) = _findings(whole, "quant/gaps-closed")
    assert "by calibration" in note.message
    feeds = {"x": np.load(tmp_path / "data.npz")["x"]}
    outputs = []
    for planned in (_planned(path), limited, whole):
        ends = against_runtime(
            path, planned.removal.whole, Data(feeds, 24), quantized=True, limits=Thresholds()
        ).outputs
        outputs.append(ends[0].sqnr_db)
    assert outputs[0] >= outputs[1] > 20
    assert outputs[0] >= outputs[2] > 20


def test_gaps_between_16_bits_have_as_many(tmp_path: Path) -> None:
    """Limits behind a grid of int16 are held by one, too, and nothing lacks a range."""
    net = Net((1, 4, 6, 6))
    grid = net.const(2.0**-12), net.const(0, np.int16)
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", *grid), *grid)
    other = net.add("Transpose", x, perm=[0, 1, 3, 2])
    x = net.add("QuantizeLinear", net.add("Mul", other, net.add("HardSigmoid", x)), *grid)
    model = net.model(net.add("DequantizeLinear", x, *grid))
    model.opset_import[0].version, model.ir_version = 21, 10
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    np.savez(tmp_path / "data.npz", x=net.samples(24))
    planned = _planned(path, close_gaps=True)
    (fact,) = _facts(planned, GapsClosed)
    assert ClosedBy.LIMITS is fact.by
    assert _off(planned, path) <= 8  # of 65,536: what the closed grid rounds


def test_an_input_on_two_grids(tmp_path: Path) -> None:
    """It is float32 in C, and each reader has it on the grid that the model says."""
    net = Net((1, 4, 6, 6))
    one, other = net.quantize("x", 0.03), net.quantize("x", 0.1, 20)
    path = _saved(net, net.quantize(net.add("Add", one, other), 0.12), tmp_path)
    planned = _planned(path)
    assert "float32" == planned.integer.tensor(planned.integer.inputs[0].tensor).type.dtype
    assert _off(planned, path) <= 1
    assert [] == _findings(_planned(path), "quant/no-ranges")


def test_real_weights_stay_real(tmp_path: Path) -> None:
    """Weights that a quantized model does not round; closed, they are."""
    net = Net((1, 4, 6, 6))
    x = net.quantize(net.conv(net.quantize("x", 0.03), 4, 5), 0.2)
    path = _saved(net, x, tmp_path)
    planned = _planned(path)
    assert _off(planned, path) <= 1
    assert 1 == len(_facts(planned, InType))
    assert [] == _facts(_planned(path, close_gaps=True), InType)


@pytest.mark.parametrize("c", [(3,), (1, 3), (1, 1)])
def test_alpha_leaves_weights_their_integers(c: tuple[int, ...], tmp_path: Path) -> None:
    """A Gemm whose weights are integers has no float32, whatever it multiplies and adds."""
    net = Net((1, 6))
    given = (_weights(net, 3, 6), net.const(net.rng.standard_normal(c)))
    x = net.add("Gemm", net.quantize("x", 0.03), *given, transB=1, alpha=0.5, beta=0.7)
    path = _saved(net, net.quantize(x, 0.1), tmp_path)
    planned = _planned(path)
    assert [] == _facts(planned, InType)
    assert _off(planned, path) <= 1


@pytest.mark.parametrize("zero", [0, 77, 255])
def test_weights_that_only_float32_holds(zero: int, tmp_path: Path) -> None:
    """Nine bits less their zero point in an operator without a kernel for them."""
    net = Net((1, 4, 5, 5))
    weights = _weights(net, 4, 6, 2, 2, dtype=np.uint8, zero=zero)
    x = net.add("ConvTranspose", net.quantize("x", 0.03), weights, strides=[2, 2])
    path = _saved(net, net.quantize(x, 0.1), tmp_path)
    planned = _planned(path)
    assert _off(planned, path) <= 1
    assert [1] == [len(fact.layers) for fact in _facts(planned, InType)]


def _in_16_bits(net: Net, x: str, scale: float) -> str:
    grid = [net.const(scale), net.const(0, np.int16)]
    return net.add("DequantizeLinear", net.add("QuantizeLinear", x, *grid), *grid)


@pytest.mark.parametrize("close_gaps", [False, True])
def test_a_function_of_what_is_not_rounded_makes_16_bits(close_gaps: bool, tmp_path: Path) -> None:
    """Closed, layers behind the gap have inputs that the runtime's have not: none is off."""
    net = Net((1, 4, 6, 6), opset=21)
    y = net.add("Conv", net.quantize("x", 0.03), _weights(net, 6, 4, 3, 3))
    y = _in_16_bits(net, net.add("Elu", y), 0.0005)
    path = _saved(
        net, _in_16_bits(net, net.add("Conv", y, _weights(net, 5, 6, 1, 1)), 0.001), tmp_path
    )
    planned = _planned(path, close_gaps=close_gaps, calibration=tmp_path / "data.npz")
    assert close_gaps is any(
        "Conv" in f.tensors[0] or "conv" in f.tensors[0] for f in _facts(planned, GapsClosed)
    )
    assert _off(planned, path) <= 1


def test_integers_of_8_bits_become_some_of_16(tmp_path: Path) -> None:
    """A layer of int16 reads what the model has in 8 bits: the file holds other integers."""
    net = Net((1, 4, 6, 6), opset=21)
    y = net.add("Conv", net.quantize("x", 0.03), _weights(net, 6, 4, 3, 3))
    y = net.add("Conv", net.quantize(y, 0.1), _weights(net, 5, 6, 1, 1))
    path = _saved(net, _in_16_bits(net, y, 0.001), tmp_path)
    planned = _planned(path)
    assert [1] == [fact.conversions for fact in _facts(planned, InType)]
    assert _off(planned, path) <= 1
