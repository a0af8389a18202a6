# SPDX-License-Identifier: Apache-2.0
"""A matrix of integers whose results are real: the file's, the reference's and C's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.calibrate import Data
from mcuplan.exporter.onnx import to_onnx
from mcuplan.facts import InType
from mcuplan.ir.evaluate import evaluate
from mcuplan.ops.dense_real import MOST_INPUTS, DenseReal
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target
from tests.ops.onnx_cases import run_onnx
from tests.passes.nets import Net

TARGET = load_target("cortex-m4")


def _planned(net: Net, output: str, folder: Path, name: str = "net") -> Planned:
    path = folder / f"{name}.onnx"
    path.write_bytes(net.model(output).SerializeToString())
    return pipeline.plan(Request(path, TARGET))


def _weights(net: Net, *shape: int, dtype: type = np.int8, zero: int = 0) -> str:
    info = np.iinfo(dtype)
    values = net.const(net.rng.integers(info.min, info.max + 1, shape), dtype)
    scales = net.const(net.rng.uniform(0.001, 0.02, shape[:1]))
    zeros = net.const(np.full(shape[:1], zero), dtype)
    return net.add("DequantizeLinear", values, scales, zeros, axis=0)


def _ends(net: Net, *, many: bool = False, act: bool = False) -> str:
    """A matrix behind values on a grid; of many rows, or with a limit."""
    x = net.quantize("x", 0.03, -20)
    if many:
        x = net.add("MatMul", x, net.add("Transpose", _weights(net, 5, 9), perm=[1, 0]))
        x = net.add("Add", x, net.random(5))
    else:
        x = net.add("Gemm", x, _weights(net, 5, 9), net.random(5), transB=1)
    return net.add("Relu", x) if act else x


CASES = {"one": {}, "rows": {"many": True}, "limit": {"act": True}}


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_the_file(name: str, tmp_path: Path) -> None:
    """Sums of integers in float32: to a few units of the last place what a runtime computes."""
    asked = CASES[name]
    net = Net((1, 4, 9) if asked.get("many") else (1, 9))
    planned = _planned(net, _ends(net, **asked), tmp_path)
    graph = planned.removal.whole
    (node,) = (n for n in graph.nodes if isinstance(n.op, DenseReal))
    assert [] == [fact for fact in planned.notes if isinstance(fact, InType)]
    assert not [f for f in assess(planned).verdict.findings if f.code == "quant/float-layers"]
    samples = net.samples(20)
    mine = evaluate(graph, dict(boundary_inputs(graph, Data({"x": samples}, 20))))[node.output]
    model = net.model(_output(net))
    for sample, made in zip(samples, mine, strict=True):
        theirs = run_onnx(model, {"x": sample[None]})[0]
        np.testing.assert_allclose(made.reshape(theirs.shape[1:]), theirs[0], 2e-6, 2e-6)
    written = to_onnx(planned.grids.graph, qdq=True)
    again = run_onnx(written, {"x": samples[:1]})[0]
    np.testing.assert_allclose(again, run_onnx(model, {"x": samples[:1]})[0], 2e-6, 2e-6)


def _output(net: Net) -> str:
    return str(net.nodes[-1].output[0])


def test_code_computes_the_reference(
    tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """Every bit, on the host and on a core, of one row and of several."""
    for k, asked in enumerate(({"act": True}, {"many": True})):
        net = Net((1, 4, 9) if asked.get("many") else (1, 9))
        planned = _planned(net, _ends(net, **asked), tmp_path, f"net{k}")
        np.savez(tmp_path / "data.npz", x=net.samples(3))
        evidence = verify(planned, planned.request, Wanted("net", samples=3))
        assert [True, True] == [run.equal_to_reference for run in evidence.verifications]


def test_a_softmax_behind_is_all_that_is_float(tmp_path: Path) -> None:
    """The island that is listed does not have the matrix among its layers."""
    net = Net((1, 9))
    planned = _planned(net, net.add("Softmax", _ends(net)), tmp_path)
    (found,) = (f for f in assess(planned).verdict.findings if f.code == "quant/float-layers")
    assert "softmax" in found.message
    assert "gemm" not in found.message


@pytest.mark.parametrize("zero", [0, 128])
def test_weights_of_9_bits_stay_real(zero: int, tmp_path: Path) -> None:
    """uint8 whose zero point is not in the middle; in the middle they are int8."""
    net = Net((1, 9))
    weights = _weights(net, 5, 9, dtype=np.uint8, zero=zero)
    x = net.add("Gemm", net.quantize("x", 0.03), weights, transB=1)
    planned = _planned(net, x, tmp_path)
    found = any(isinstance(n.op, DenseReal) for n in planned.integer.nodes)
    assert found is (zero == 128)


def test_sums_cannot_leave_int32() -> None:
    """At the limit of the inputs, and the widest products."""
    assert (MOST_INPUTS - 1) * 255 * 128 < 2**31
