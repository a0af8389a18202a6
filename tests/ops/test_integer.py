# SPDX-License-Identifier: Apache-2.0
"""The integer meaning of each operator against its float meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcuplan.errors import ScaleError
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.op import Example, Op, Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops import kernels_of
from mcuplan.ops.eltwise import Add, Div, Maximum, common_factors, reciprocals
from mcuplan.ops.log_softmax import LogSoftmax
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup, UnaryFn, clip, requantize_table, rounding
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from mcuplan.quant.observers import quant_of_range

from .cases import grid_examples, make_case
from .onnx_cases import model, node, run_onnx

EXAMPLES = [
    pytest.param(name, example, id=name)
    for name, example in grid_examples()
    if type(example.op) in kernels_of()
    and not (example.types or name.startswith(("FlipSign", "RowSum")))  # no int8
    and not name.startswith("RoundedAttention")  # one step off at each of its parts
]
SCALES = st.floats(-9.0, 3.0).map(lambda e: float(np.float32(2.0**e)))
ZEROS = st.integers(-128, 127)
GRIDS = st.builds(Quant.per_tensor, SCALES, ZEROS)


def _sig(op: Op, inputs: list[Quant], output: Quant, shape: tuple[int, ...]) -> Signature:
    kinds = tuple(TensorType(shape, DType.INT8, quant) for quant in inputs)
    made = op.infer([TensorType(shape)] * len(inputs))[0].shape
    out = TensorType(made, DType.INT8, output)
    return Signature(op, kinds, (out,), (None,) * len(inputs))


def _pairs() -> tuple[np.ndarray, np.ndarray]:
    """Every pair of int8 values, as two tensors [1, 256, 256]."""
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    return a[None].astype(np.int8), b[None].astype(np.int8)


def _steps_off(op: Op, sig: Signature, arrays: list[np.ndarray]) -> int:
    """Largest distance of the integer result from the rounded real one, in double."""
    found = op.integer(sig, *arrays)[0].astype(int)
    pairs = zip(arrays, sig.inputs, strict=True)
    real = [kind.q.dequantize(array) for array, kind in pairs]
    with np.errstate(all="ignore"):
        exact = np.clip(op.value(*real), *op.act)  # type: ignore[attr-defined]
        steps = np.rint(exact / sig.output.q.s) + sig.output.q.z
    wanted = np.clip(np.nan_to_num(steps, nan=sig.output.q.z), -128, 127)
    return int(np.abs(found - wanted).max())


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_integer_is_one_step_from_float(name: str, example: Example) -> None:
    """Dequantized inputs, the float meaning, and rounding give the integers up to one step."""
    for seed in range(4):
        case = make_case(name, example, seed)
        found = case.integer()
        with np.errstate(all="ignore"):
            real = case.sig.op.reference(*case.real_inputs())[0]
            wanted = case.sig.output.q.quantize(real) if case.sig.output.quant else real
        assert case.sig.output.dtype.value == found.dtype
        assert 1 >= np.abs(found.astype(int) - wanted).max(), f"seed {seed}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(op=st.sampled_from([Add(), Add((0.0, 6.0)), Maximum(), Div()]), a=GRIDS, b=GRIDS, out=GRIDS)
def test_two_operands_on_any_grids(op: Op, a: Quant, b: Quant, out: Quant) -> None:
    """For every pair of int8 values the result is the rounded real one, or next to it."""
    arrays = list(_pairs())
    sig = _sig(op, [a, b], out, (1, 256, 256))
    assert 1 >= _steps_off(op, sig, arrays)


@given(a=SCALES, b=SCALES, out=SCALES)
def test_sums_stay_in_int32(a: float, b: float, out: float) -> None:
    """No sum of scaled operands leaves int32, at any step of the kernel."""
    quants = [Quant.per_tensor(a, -128), Quant.per_tensor(b, 127)]
    factors, shift = common_factors(_sig(Add(), quants, Quant.per_tensor(out, 0), (1, 1)))
    assert 1 <= shift <= 30
    assert 255 * sum(factors) + 2 ** (shift - 1) < 2**31


def test_sums_out_of_reach_are_refused() -> None:
    """An output scale far below the operands' is an error, not an overflow."""
    coarse, fine = Quant.per_tensor(1e6, 0), Quant.per_tensor(1e-6, 0)
    with pytest.raises(ScaleError):
        common_factors(_sig(Add(), [coarse, coarse], fine, (1, 1)))


def test_division_by_zero() -> None:
    """X / 0 is the end of the range of x's sign, 0 / 0 is 0; any other quotient is exact to 1."""
    quant = Quant.per_tensor(0.5, 3)
    sig = _sig(Div(), [quant, quant], Quant.per_tensor(0.25, -7), (1, 3))
    x, zero = np.array([[50, 3, -50]], np.int8), np.full((1, 3), 3, np.int8)
    assert [127, -7, -128] == Div().integer(sig, x, zero)[0].tolist()[0]
    assert np.int32 == reciprocals(sig).dtype


@pytest.mark.parametrize(("q", "wanted"), [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2)])
def test_averages_round_half_to_even(q: int, wanted: int) -> None:
    """Where the grid stays, a sum of q and 0 over two elements is halved to the even side."""
    quant = Quant.per_tensor(0.1, 5)
    op = AvgPool2D((2, 1))
    sig = _sig(op, [quant], quant, (1, 2, 1, 1))
    x = np.array([q + 5, 5], np.int8).reshape(1, 2, 1, 1)
    assert wanted + 5 == op.integer(sig, x)[0].item()


@settings(max_examples=40, deadline=None)
@given(
    source=GRIDS,
    classes=st.integers(1, 1200),
    seed=st.integers(0, 2**32 - 1),
    out=st.sampled_from([Quant.per_tensor(s, -128) for s in (1 / 256, 1 / 255, 1e-3, 6.2e-5)]),
)
def test_softmax_is_exact_to_one_step(source: Quant, classes: int, seed: int, out: Quant) -> None:
    """Softmax differs from the exact one by less than one step, for any grid and many classes."""
    x = np.random.default_rng(seed).integers(-128, 128, (20, classes)).astype(np.int8)
    sig = _sig(Softmax(), [source], out, (1, classes))
    real = source.dequantize(x)
    e = np.exp(real - real.max(axis=1, keepdims=True))
    exact = np.clip(e / e.sum(axis=1, keepdims=True) / out.s + out.z, -128, 127)
    found = Softmax().integer(sig, x)[0]
    assert 0.75 > np.abs(found - exact).max()


@settings(max_examples=40, deadline=None)
@given(source=GRIDS, classes=st.integers(1, 1200), seed=st.integers(0, 2**32 - 1))
def test_log_softmax_is_exact_to_one_step(source: Quant, classes: int, seed: int) -> None:
    """On a grid that holds its values, LogSoftmax is the exact one rounded, or its neighbour."""
    x = np.random.default_rng(seed).integers(-128, 128, (20, classes)).astype(np.int8)
    real = source.dequantize(x)
    below = real - real.max(axis=1, keepdims=True)
    exact = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    for reach in (exact.min(), -4.0, *([-0.5] if classes < 500 else [])):
        out = quant_of_range((float(reach), 0.0))
        sig = _sig(LogSoftmax(), [source], out, (1, classes))
        found = LogSoftmax().integer(sig, x)[0]
        assert 0.8 > np.abs(found - np.clip(exact / out.s + out.z, -128, 127)).max()


def test_softmax_of_equal_values() -> None:
    """Equal inputs share the probability equally."""
    out = Quant.per_tensor(1 / 256, -128)
    sig = _sig(Softmax(), [Quant.per_tensor(0.1, 0)], out, (1, 4))
    assert [-64] * 4 == Softmax().integer(sig, np.full((1, 4), 9, np.int8))[0].tolist()[0]


@given(source=GRIDS, target=GRIDS)
def test_requantize_table_is_one_step_from_exact(source: Quant, target: Quant) -> None:
    """A table between two grids gives the nearest code, and the same codes on one grid."""
    codes = np.arange(-128, 128)
    exact = np.clip(source.dequantize(codes) / target.s + target.z, -128, 127)
    assert 0.5001 >= np.abs(requantize_table(source, target) - exact).max()
    assert codes.tolist() == requantize_table(source, source).tolist()


def test_chains_keep_roundings() -> None:
    """A rounding between two functions is one that the table has, too."""
    coarse = Quant.per_tensor(1.0, 0)
    grid = Quant.per_tensor(0.1, 0)
    exact, rounded = (
        Lookup((clip(0.0, 6.0), *between, UnaryFn("neg"))).table(grid, grid)
        for between in ((), (rounding(coarse),))
    )
    q = 128 + np.array([4, 14, 26, 70])
    assert [-4, -14, -26, -60] == exact[q].tolist()
    assert [0, -10, -30, -60] == rounded[q].tolist()


def test_values_outside_the_domain() -> None:
    """NaN becomes the zero point, infinities the ends of the range."""
    grid = Quant.per_tensor(0.1, 9)
    table = Lookup((UnaryFn("log"),)).table(grid, grid)
    assert 9 == table[128 - 20]
    assert -128 == table[128 + 9]


# -- against a runtime ----------------------------------------------------------------------


def _grid_pair(name: str, grid: Quant) -> tuple[list[Any], dict[str, Any]]:
    """QuantizeLinear and DequantizeLinear of a tensor, named <name>_real behind them."""
    parts = f"{name}_s {name}_z"
    nodes = [
        node("QuantizeLinear", f"{name} {parts}", f"{name}_q"),
        node("DequantizeLinear", f"{name}_q {parts}", f"{name}_real"),
    ]
    return nodes, {f"{name}_s": np.float32(grid.s), f"{name}_z": np.int8(grid.z)}


RUNTIME: dict[str, tuple[Any, dict[str, tuple[int, ...]]]] = {
    "add": (node("Add", "x_real z_real", "y"), dict.fromkeys("xz", (1, 3, 8, 8))),
    "sub": (node("Sub", "x_real z_real", "y"), dict.fromkeys("xz", (1, 3, 8, 8))),
    "mul": (node("Mul", "x_real z_real", "y"), {"x": (1, 3, 8, 8), "z": (1, 3, 1, 1)}),
    "div": (node("Div", "x_real z_real", "y"), dict.fromkeys("xz", (1, 30))),
    "average": (
        node("AveragePool", "x_real", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        {"x": (1, 3, 9, 9)},
    ),
    "global": (node("GlobalAveragePool", "x_real", "y"), {"x": (1, 20, 7, 5)}),
    "sigmoid": (node("Sigmoid", "x_real", "y"), {"x": (1, 200)}),
    "relu": (node("Relu", "x_real", "y"), {"x": (1, 200)}),
    "softmax": (node("Softmax", "x_real", "y"), {"x": (1, 50)}),
    "concat": (
        node("Concat", "x_real z_real", "y", axis=1),
        {"x": (1, 3, 4, 4), "z": (1, 2, 4, 4)},
    ),
    "resize": (
        node("Resize", "x_real - s", "y", mode="nearest"),
        {"x": (1, 3, 4, 4)},
    ),
}


@pytest.mark.parametrize("same", [False, True], ids=["own grids", "one grid"])
@pytest.mark.parametrize("name", RUNTIME)
def test_quantized_layer_is_one_step_from_onnx_runtime(
    name: str, same: bool, tmp_path: Path
) -> None:
    """A layer between QuantizeLinear pairs, fed with the same codes, is off by one at most."""
    operator, shapes = RUNTIME[name]
    rng = np.random.default_rng(len(name))
    constants: dict[str, Any] = {"s": np.float32([1, 1, 2, 2])}
    nodes: list[Any] = []
    grids = {}
    for tensor in (*shapes, "y"):
        scale, zero = (0.05, 3) if same else (rng.uniform(0.01, 0.05), rng.integers(-50, 50))
        grids[tensor] = Quant.per_tensor(float(np.float32(scale)), int(zero))
        pair, values = _grid_pair(tensor, grids[tensor])
        constants |= values
        nodes += pair if tensor != "y" else [operator, *pair]
    proto = model(nodes, shapes, constants, outputs="y_real")
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    feeds = {n: rng.uniform(-3, 3, s).astype(np.float32) for n, s in shapes.items()}
    (expected,) = run_onnx(proto, feeds)
    integers = assign_types(assign_grids(run(load_model(path).graph), {}).graph)
    codes = {port.tensor: grids[port.name].quantize(feeds[port.name]) for port in integers.inputs}
    (found,) = evaluate(integers, codes).values()
    wanted = np.rint(expected / np.float32(grids["y"].s)) + grids["y"].z
    assert 1 >= np.abs(found - wanted).max()
