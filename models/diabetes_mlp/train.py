# SPDX-License-Identifier: Apache-2.0
"""Train diabetes_mlp: how far the disease goes in a year, from ten readings of a patient.

Needs numpy, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0; gradients are written out here.
Run it as ``python models/diabetes_mlp/train.py``; it writes its files beside itself, in seconds.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_diabetes

FOLDER = Path(__file__).resolve().parent
SEED = 7
TEST_SAMPLES = 142  # the last ones of the file; nothing is shuffled across the border
SIZES = (10, 48, 48, 24, 1)
FUNCTIONS = ("Relu", "Tanh", "Relu")
EPOCHS, BATCH, RATE, DECAY, NOISE = 120, 30, 3e-3, 1e-3, 0.2

Layers = list[tuple[np.ndarray, np.ndarray]]


def initial(rng: np.random.Generator) -> Layers:
    """Normal weights of He's size, no biases."""
    return [(rng.normal(size=(o, i)) * (2 / i) ** 0.5, np.zeros(o)) for i, o in pairwise(SIZES)]


def forward(layers: Layers, x: np.ndarray) -> list[np.ndarray]:
    """The input, and what each layer makes: [n, size]."""
    made = [x]
    for k, (w, b) in enumerate(layers):
        y = made[-1] @ w.T + b
        if k < len(FUNCTIONS):
            y = np.tanh(y) if FUNCTIONS[k] == "Tanh" else np.maximum(y, 0)
        made.append(y)
    return made


def gradients(layers: Layers, x: np.ndarray, wanted: np.ndarray) -> Layers:
    """Of half the mean squared error, and of the decay of the weights."""
    made = forward(layers, x)
    d = (made[-1] - wanted) / len(x)
    found: Layers = []
    for k in reversed(range(len(layers))):
        w, _ = layers[k]
        found.append((d.T @ made[k] + DECAY * w, d.sum(axis=0)))
        d = d @ w
        if k:
            d = d * (1 - made[k] ** 2 if FUNCTIONS[k - 1] == "Tanh" else made[k] > 0)
    return found[::-1]


def train(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Layers:
    """Adam with a rate that falls to 0, on readings with noise; the last epoch is kept."""
    layers = initial(rng)
    flat = [v for pair in layers for v in pair]
    mean, square = ([np.zeros_like(v) for v in flat] for _ in range(2))
    updates = len(x) // BATCH
    for step in range(1, EPOCHS * updates + 1):
        if step % updates == 1:
            order = rng.permutation(len(x))
        chosen = order[(step - 1) % updates * BATCH :][:BATCH]
        noisy = x[chosen] + NOISE * rng.normal(size=x[chosen].shape)
        parts = [g for pair in gradients(layers, noisy, y[chosen]) for g in pair]
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / (EPOCHS * updates)))
        for k, g in enumerate(parts):
            mean[k] = 0.9 * mean[k] + 0.1 * g
            square[k] = 0.999 * square[k] + 0.001 * g * g
            unit = mean[k] / (1 - 0.9**step)
            flat[k] = flat[k] - rate * unit / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
        layers = list(zip(flat[0::2], flat[1::2], strict=True))
    return layers


def to_onnx(layers: Layers) -> onnx.ModelProto:
    """The network for one patient: Gemm and a function, four times."""
    nodes, tensors, name = [], [], "input"
    for k, (w, b) in enumerate(layers):
        for value, kind in ((w, "w"), (b, "b")):
            tensors.append(numpy_helper.from_array(value.astype(np.float32), f"dense{k}.{kind}"))
        made = "progress" if k == len(FUNCTIONS) else f"sum{k}"
        inputs = [name, f"dense{k}.w", f"dense{k}.b"]
        nodes.append(helper.make_node("Gemm", inputs, [made], f"dense{k}", transB=1))
        if k < len(FUNCTIONS):
            name = f"hidden{k}"
            nodes.append(helper.make_node(FUNCTIONS[k], [made], [name], f"function{k}"))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
        for name, size in (("input", SIZES[0]), ("progress", SIZES[-1]))
    ]
    graph = helper.make_graph(nodes, "diabetes_mlp", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def summary() -> str:
    """What the README states: mean absolute error, constants, sizes and checksums."""
    session = onnxruntime.InferenceSession(
        str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    data = np.load(FOLDER / "test.npz")
    found = np.concatenate([session.run(None, {"input": s[None]})[0] for s in data["input"]])
    tensors = onnx.load(str(FOLDER / "model.onnx")).graph.initializer
    lines = [f"mean absolute error {np.abs(found - data['labels']).mean():.2f}"]
    lines.append(f"constants {sum(int(np.prod(t.dims)) for t in tensors)}")
    for name in ("model.onnx", "calibration.npz", "test.npz"):
        content = (FOLDER / name).read_bytes()
        lines.append(f"| {name} | {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |")
    return "\n".join(lines)


def main() -> None:
    """Train, write model.onnx, calibration.npz and test.npz, print what the README states."""
    rng = np.random.default_rng(SEED)
    readings, progress = load_diabetes(return_X_y=True)
    x, y = readings / readings.std(axis=0), progress[:, None]
    middle, spread = y[:-TEST_SAMPLES].mean(), y[:-TEST_SAMPLES].std()
    layers = train(x[:-TEST_SAMPLES], (y[:-TEST_SAMPLES] - middle) / spread, rng)
    layers[-1] = (layers[-1][0] * spread, layers[-1][1] * spread + middle)
    onnx.save(to_onnx(layers), str(FOLDER / "model.onnx"))
    shown = x[:-TEST_SAMPLES:3].astype(np.float32)
    np.savez_compressed(FOLDER / "calibration.npz", input=shown)
    test, labels = (v[-TEST_SAMPLES:].astype(np.float32) for v in (x, y))
    np.savez_compressed(FOLDER / "test.npz", input=test, labels=labels)
    print(summary())


if __name__ == "__main__":
    main()
