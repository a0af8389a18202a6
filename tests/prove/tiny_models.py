# SPDX-License-Identifier: Apache-2.0
"""Models of one small operator, or of none that computes: where tools have least to hold on to.

``python tests/prove/tiny_models.py`` verifies all of them on this computer and on the emulator; the
tests take a part.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import onnx.parser

from mcuplan.cli import run

# Name -> input shape, constants, body from x to y.
_BODIES = {
    "transpose": ("1,1,11,1", "", "y = Transpose <perm=[0,1,3,2]> (x)"),
    "transpose2d": ("1,3,5", "", "y = Transpose <perm=[0,2,1]> (x)"),
    "transpose4d": ("1,2,3,4", "", "y = Transpose <perm=[0,3,1,2]> (x)"),
    "transposes": (
        "1,2,3,4",
        "",
        "t = Transpose <perm=[0,2,3,1]> (x) y = Transpose <perm=[0,3,1,2]> (t)",
    ),
    "reshape": ("1,6", "int64[2] s = {1, 6}", "y = Reshape (x, s)"),
    "reshape4d": ("1,2,3,4", "int64[2] s = {1, 24}", "y = Reshape (x, s)"),
    "flatten": ("1,2,3,4", "", "y = Flatten (x)"),
    "flatten_relu": ("1,2,3,4", "", "t = Flatten (x) y = Relu (t)"),
    "squeeze": ("1,1,5", "int64[1] a = {1}", "y = Squeeze (x, a)"),
    "unsqueeze": ("1,5", "int64[1] a = {1}", "y = Unsqueeze (x, a)"),
    "identity": ("1,5", "", "y = Identity (x)"),
    "dropout": ("1,5", "", "y = Dropout (x)"),
    "views": (
        "1,4,6",
        "int64[3] s = {1, 6, 4}",
        "t = Reshape (x, s) u = Transpose <perm=[0,2,1]> (t) y = Flatten (u)",
    ),
    "relu": ("1,7", "", "y = Relu (x)"),
    "relu1": ("1,1", "", "y = Relu (x)"),
    "clip": ("1,7", "float lo = {-1}, float hi = {1}", "y = Clip (x, lo, hi)"),
    "neg": ("1,5", "", "y = Neg (x)"),
    "sign_of_mean": ("1,2,12,12", "int64[2] a = {2, 3}", "t = ReduceMean (x, a) y = Sign (t)"),
    "sigmoid": ("1,1,1,1", "", "y = Sigmoid (x)"),
    "tanh": ("1,3,2,2", "", "y = Tanh (x)"),
    "softmax": ("1,4", "", "y = Softmax (x)"),
    "softmax1": ("1,1", "", "y = Softmax (x)"),
    "add_self": ("1,5", "", "y = Add (x, x)"),
    "mul_self": ("1,2,3,3", "", "y = Mul (x, x)"),
    "add_scalar": ("1,5", "float c = {0.5}", "y = Add (x, c)"),
    "mul_scalar": ("1,5", "float c = {2}", "y = Mul (x, c)"),
    "sub_vector": ("1,3", "float[3] c = {1, 2, 3}", "y = Sub (x, c)"),
    "div_scalar": ("1,3", "float c = {4}", "y = Div (x, c)"),
    "add_channels": ("1,2,3,3", "float[2,1,1] c = {1, 2}", "y = Add (x, c)"),
    "concat_self": ("1,2,3,3", "", "y = Concat <axis=1> (x, x)"),
    "slice": (
        "1,8",
        "int64[1] s = {2}, int64[1] e = {5}, int64[1] a = {1}",
        "y = Slice (x, s, e, a)",
    ),
    "pad": ("1,1,3,3", "int64[8] p = {0,0,1,1,0,0,1,1}", "y = Pad (x, p)"),
    "max_pool": ("1,2,4,4", "", "y = MaxPool <kernel_shape=[2,2]> (x)"),
    "max_pool1d": ("1,2,9", "", "y = MaxPool <kernel_shape=[3]> (x)"),
    "average_pool": ("1,1,4,4", "", "y = AveragePool <kernel_shape=[2,2]> (x)"),
    "global_max": ("1,3,4,4", "", "y = GlobalMaxPool (x)"),
    "global_average": ("1,3,4,4", "", "y = GlobalAveragePool (x)"),
    "mean": ("1,3,4,4", "int64[1] a = {1}", "y = ReduceMean (x, a)"),
    "max": ("1,3,4", "int64[1] a = {2}", "y = ReduceMax (x, a)"),
    "conv1x1": ("1,1,1,1", "float[1,1,1,1] w = {2}", "y = Conv (x, w)"),
    "conv": ("1,1,4,4", "float[1,1,2,2] w = {1,2,3,4}, float[1] b = {1}", "y = Conv (x, w, b)"),
    "depthwise": ("1,2,4,4", "float[2,1,1,1] w = {2, 3}", "y = Conv <group=2> (x, w)"),
    "dense": ("1,1", "float[1,1] w = {2}", "y = MatMul (x, w)"),
    "gemm": ("1,2", "float[2,1] w = {2, 3}, float[1] b = {1}", "y = Gemm (x, w, b)"),
    "gather": ("1,6", "int64 i = {3}", "y = Gather <axis=1> (x, i)"),
    "upsample": ("1,1,2,2", "float[4] s = {1,1,2,2}", "y = Resize <mode=\"nearest\"> (x, , s)"),
}  # fmt: skip

NAMES = tuple(_BODIES)
FEW = ("transpose", "reshape4d", "views", "sign_of_mean", "softmax1", "add_scalar", "conv1x1")
"""What tests take: no step, one step, a table that the compiler makes code of."""


def save(name: str, folder: Path) -> Path:
    """Write a model; its output takes the shape that inference gives it."""
    shape, constants, body = _BODIES[name]
    held = f"<{constants}>" if constants else ""
    text = (
        '<ir_version: 8, opset_import: ["" : 18]>\n'
        f"{name} (float[{shape}] x) => (float y)\n{held}\n{{ {body} }}"
    )
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path = folder / f"{name}.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def wrong(name: str, folder: Path, target: str = "cortex-m4") -> list[str]:
    """What ``verify`` says that it must not; empty where all is well."""
    report = folder / f"{name}.json"
    arguments = ["verify", str(save(name, folder)), "-t", target, "--calibration", "random", "-q"]
    status = run([*arguments, "--no-save", "--report", f"json={report}"])
    if not report.exists():
        return [f"{name}: exit status {status}"]
    found = json.loads(report.read_text())
    runs = found["verification"]
    said = [f"{name}: exit status {status}"] if status not in (0, 1) else []
    if [True, True] != [each["equal_to_reference"] for each in runs]:
        said.append(f"{name}: not equal")
    codes = [f["code"] for f in found["verdict"]["findings"] if f["severity"] == "error"]
    return said + [f"{name}: {code}" for code in codes]


def _main() -> int:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        targets = ("cortex-m4", "cortex-m0plus", "cortex-m55")
        found = [line for t in targets for name in NAMES for line in wrong(name, Path(folder), t)]
    print("\n".join(found) or f"{len(NAMES)} models on {len(targets)} cores verified")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(_main())
