# SPDX-License-Identifier: Apache-2.0
"""What exporters write with Add and Mul becomes weights, biases and tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nets import Net, ops, rewritten

from mcuplan.ops.unary import Lookup


def test_mul_and_add_behind_a_dense_layer_vanish(tmp_path: Path) -> None:
    """MatMul, Add, Mul, Add, Relu, as Keras exports a normalized layer: one Dense."""
    net = Net((1, 8))
    x = net.add("Add", net.add("MatMul", "x", net.random(8, 6)), net.random(6))
    x = net.add("Add", net.add("Mul", x, net.random(6)), net.random(6))
    graph = rewritten(net.model(net.add("Relu", x)), net.samples(), tmp_path)
    assert {"Dense": 1} == ops(graph)


def test_channel_constants_around_a_convolution_vanish(tmp_path: Path) -> None:
    """Sub, Div in front and Add, Mul behind, in channels-first shapes: one Conv2D."""
    net = Net((1, 3, 6, 6))
    x = net.add("Sub", "x", net.random(1, 3, 1, 1))
    x = net.add("Div", x, net.random(3, 1, 1, low=0.5))
    x = net.conv(x, 3, 4, pad=0)
    x = net.add("Mul", net.add("Add", net.random(1, 4, 1, 1), x), net.const(0.25))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert {"Conv2D": 1, "Transpose": 2} == ops(graph)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("constant_first", [False, True])
def test_an_operation_with_a_constant_keeps_its_meaning(
    tmp_path: Path, op: str, constant_first: bool
) -> None:
    """Either operand may be the constant; what has no affine form stays as it is."""
    net = Net((1, 3, 4, 4))
    pair = (net.random(3, 1, 1, low=0.5), net.conv("x", 3, 3))
    x = net.add(op, *(pair if constant_first else pair[::-1]))
    samples = net.samples()
    if (op, constant_first) == ("Div", True):
        samples = np.abs(samples) * 0 + 1  # keep away from 1 / 0
    rewritten(net.model(net.add("Relu", x)), samples, tmp_path)


def test_a_constant_of_full_size_stays_an_operand(tmp_path: Path) -> None:
    """One value per element is no per-channel step."""
    net = Net((1, 3, 4, 4))
    x = net.add("Add", net.conv("x", 3, 3), net.random(1, 3, 4, 4))
    assert 1 == ops(rewritten(net.model(x), net.samples(), tmp_path))["Add"]


def test_a_residual_keeps_its_sum(tmp_path: Path) -> None:
    """Relu(BN(Conv(y)) + y): convolution, sum with the limits of the Relu."""
    net = Net((1, 4, 5, 5))
    y = net.add("Relu", net.batch_norm(net.conv("x", 4, 4), 4))
    z = net.batch_norm(net.conv(y, 4, 4), 4)
    x = net.add("Relu", net.add("Add", z, y))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert {"Conv2D": 2, "Add": 1, "Transpose": 2} == ops(graph)


def test_limits_by_maximum_and_minimum_are_fused(tmp_path: Path) -> None:
    """Max with 0 and Min with 6 are a Relu6."""
    net = Net((1, 3, 5, 5))
    x = net.add("Min", net.add("Max", net.conv("x", 3, 4), net.const(0.0)), net.const(6.0))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert {"Conv2D": 1, "Transpose": 2} == ops(graph)


def _hard_swish_by_clip(net: Net, x: str) -> str:
    clipped = net.add("Clip", net.add("Add", x, net.const(3.0)), net.const(0.0), net.const(6.0))
    return net.add("Div", net.add("Mul", x, clipped), net.const(6.0))


def _hard_swish_by_product(net: Net, x: str) -> str:
    clipped = net.add("Clip", net.add("Add", x, net.const(3.0)), net.const(0.0), net.const(6.0))
    return net.add("Mul", net.add("Mul", clipped, net.const(1 / 6)), x)


def _gelu(net: Net, x: str) -> str:
    bell = net.add("Erf", net.add("Div", x, net.const(2**0.5)))
    one = net.add("Add", bell, net.const(1.0))
    return net.add("Mul", net.add("Mul", x, one), net.const(0.5))


def _gelu_of_half(net: Net, x: str) -> str:
    one = net.add("Add", net.add("Erf", net.add("Mul", x, net.const(0.5**0.5))), net.const(1.0))
    return net.add("Mul", net.add("Mul", x, net.const(0.5)), one)


GATES: dict[str, tuple[Callable[[Net, str], str], str]] = {
    "swish": (lambda net, x: net.add("Mul", x, net.add("Sigmoid", x)), "swish"),
    "swish with a factor": (
        lambda net, x: net.add("Mul", net.add("Sigmoid", net.add("Mul", x, net.const(1.5))), x),
        "swish",
    ),
    "hard swish": (
        lambda net, x: net.add("Mul", x, net.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
        "hard_swish",
    ),
    "hard swish by clip": (_hard_swish_by_clip, "hard_swish"),
    "hard swish by product": (_hard_swish_by_product, "hard_swish"),
    "mish": (
        lambda net, x: net.add("Mul", x, net.add("Tanh", net.add("Softplus", x))),
        "mish",
    ),
    "gelu": (_gelu, "gelu"),
    "gelu of half": (_gelu_of_half, "gelu"),
    "square": (lambda net, x: net.add("Mul", x, x), "pow"),
}


@pytest.mark.parametrize(("write", "name"), GATES.values(), ids=GATES.keys())
def test_a_gate_that_is_written_out_is_one_table(
    tmp_path: Path, write: Callable[[Net, str], str], name: str
) -> None:
    """However it is exported: one function."""
    net = Net((1, 3, 5, 5))
    x = write(net, net.conv("x", 3, 4))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert {"Conv2D": 1, "Lookup": 1, "Transpose": 2} == ops(graph)
    table = next(node.op for node in graph.nodes if isinstance(node.op, Lookup))
    assert [name] == [fn.name for fn in table.chain]


def test_an_odd_gate_is_one_table(tmp_path: Path) -> None:
    """HardSigmoid with other constants has no name, but is a function of one tensor."""
    net = Net((1, 3, 5, 5))
    y = net.conv("x", 3, 4)
    x = net.add("Mul", y, net.add("HardSigmoid", y, alpha=0.2, beta=0.5))
    found = ops(rewritten(net.model(x), net.samples(), tmp_path))
    assert (found["Mul"], found["Lookup"]) == (0, 1)


def test_an_added_bias_keeps_its_integers(tmp_path: Path) -> None:
    """MatMul and Add of a quantized model: the int32 bias arrives to the bit."""
    net = Net((1, 8))
    x = net.quantize("x", 0.05)
    scale = net.const(0.01)
    weights = net.add(
        "DequantizeLinear",
        net.const(net.rng.integers(-127, 128, (8, 6)), np.int8),
        scale,
        net.const(0, np.int8),
    )
    integers = net.rng.integers(-5000, 5000, 6)
    bias = net.add("DequantizeLinear", net.const(integers, np.int32), net.const(0.0005))
    x = net.quantize(net.add("Add", net.add("MatMul", x, weights), bias), 0.1)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    dense = next(node for node in graph.nodes if type(node.op).__name__ == "Dense")
    stored = [graph.tensor(name).stored for name in dense.inputs[1:]]
    assert stored[0] is not None
    assert stored[0].values.dtype == np.int8
    assert stored[1] is not None
    assert integers.tolist() == stored[1].values.tolist()


def test_transposes_meet_behind_element_wise_nodes(tmp_path: Path) -> None:
    """Views of the wrong layout around sums cancel."""
    net = Net((1, 4, 5, 6))
    a = net.add("Transpose", "x", perm=[0, 2, 3, 1])
    a = net.add("Reshape", a, net.const([1, 5, 24], np.int64))
    a = net.add("Reshape", a, net.const([1, 5, 6, 4], np.int64))
    b = net.add("Add", net.add("Tanh", a), net.add("Sigmoid", a))
    x = net.conv(net.add("Transpose", b, perm=[0, 3, 1, 2]), 4, 2)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 2 == ops(graph)["Transpose"]


def test_a_sum_with_the_input_stays_in_rows(tmp_path: Path) -> None:
    """The input is transposed once, and so is the output."""
    net = Net((1, 4, 6, 6))
    x = net.add("Add", "x", net.conv("x", 4, 4))
    x = net.add("Add", x, net.conv(x, 4, 4))
    graph = rewritten(net.model(net.conv(x, 4, 4)), net.samples(), tmp_path)
    assert {"Conv2D": 3, "Add": 2, "Transpose": 2} == ops(graph)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_keep_their_outputs(tmp_path: Path, seed: int) -> None:
    """Whatever is in front of whatever: the outputs stay, and the passes come to an end."""
    net = Net((1, 4, 6, 6), seed=seed)
    heads = ["x"]
    for _ in range(12):
        x = heads[int(net.rng.integers(len(heads)))]
        other = heads[int(net.rng.integers(len(heads)))]
        step = int(net.rng.integers(12))
        if step < 3:
            made = net.conv(x, 4, 4, group=int(net.rng.choice([1, 2, 4])))
        elif step == 3:
            made = net.batch_norm(x, 4)
        elif step == 4:
            made = net.add("Relu", x)
        elif step == 5:
            made = net.add("Add", x, other)
        elif step == 6:
            made = net.add("Mul", x, net.random(4, 1, 1))
        elif step == 7:
            made = net.add("Mul", net.add("Sigmoid", x), x)
        elif step == 8:
            made = net.quantize(x, 0.1, int(net.rng.integers(-20, 20)))
        elif step == 9:
            made = net.add("Add", x, net.const(net.rng.standard_normal()))
        elif step == 10:
            made = net.add("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4)
        else:
            made = net.add("Transpose", net.add("Tanh", x), perm=[0, 1, 3, 2])
        heads.append(made)
    tail = net.add("Gemm", net.add("Flatten", heads[-1]), net.random(144, 3))
    model = net.model(net.add("Tanh", tail), heads[-2])
    rewritten(model, net.samples(2), tmp_path)
