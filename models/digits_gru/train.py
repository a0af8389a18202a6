# SPDX-License-Identifier: Apache-2.0
"""Train digits_gru: a GRU that reads scikit-learn's 8x8 digits row by row.

Needs numpy, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0; gradients are written out here.
Run it as ``python models/digits_gru/train.py``; it writes its files beside itself, in a minute.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

FOLDER = Path(__file__).resolve().parent
SEED = 7
TEST_SAMPLES = 500  # the last ones of the file; nothing is shuffled across the border
CALIBRATION_SAMPLES = 100
HIDDEN, CLASSES, ROWS, PIXELS = 32, 10, 8, 8
EPOCHS, BATCH, RATE, SMOOTHING = 80, 32, 1e-2, 0.05

Weights = dict[str, np.ndarray]


def initial(rng: np.random.Generator) -> Weights:
    """Uniform within one over the root of the units, as frameworks begin."""
    end = HIDDEN**-0.5
    shapes = {
        "w": (3 * HIDDEN, PIXELS),
        "r": (3 * HIDDEN, HIDDEN),
        "wb": (3 * HIDDEN,),
        "rb": (3 * HIDDEN,),
        "v": (CLASSES, HIDDEN),
        "vb": (CLASSES,),
    }
    return {name: rng.uniform(-end, end, shape) for name, shape in shapes.items()}


def forward(p: Weights, x: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, ...]]]:
    """Logits of images [n, rows, pixels], and what the way back needs of every row."""
    h = np.zeros((len(x), HIDDEN))
    kept = []
    for row in range(ROWS):
        a = x[:, row] @ p["w"].T + p["wb"]
        b = h @ p["r"].T + p["rb"]
        z, r = (
            1 / (1 + np.exp(-(a[:, k : k + HIDDEN] + b[:, k : k + HIDDEN]))) for k in (0, HIDDEN)
        )
        old = b[:, 2 * HIDDEN :]
        n = np.tanh(a[:, 2 * HIDDEN :] + r * old)
        kept.append((x[:, row], h, z, r, n, old))
        h = (1 - z) * n + z * h
    return h @ p["v"].T + p["vb"], [*kept, (h,)]


def gradients(p: Weights, x: np.ndarray, labels: np.ndarray) -> Weights:
    """Of the mean cross entropy of smoothed labels, back through all rows."""
    logits, kept = forward(p, x)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted = np.full(logits.shape, SMOOTHING / CLASSES)
    wanted[np.arange(len(x)), labels] += 1 - SMOOTHING
    d = (e / e.sum(axis=1, keepdims=True) - wanted) / len(x)
    (last,) = kept[-1]
    g = {name: np.zeros_like(value) for name, value in p.items()}
    g["v"], g["vb"] = d.T @ last, d.sum(axis=0)
    dh = d @ p["v"]
    for row, h, z, r, n, old in reversed(kept[:-1]):
        dn = dh * (1 - z) * (1 - n * n)
        dz = dh * (h - n) * z * (1 - z)
        dr = dn * old * r * (1 - r)
        da, db = np.concatenate([dz, dr, dn], 1), np.concatenate([dz, dr, dn * r], 1)
        g["w"] += da.T @ row
        g["wb"] += da.sum(axis=0)
        g["r"] += db.T @ h
        g["rb"] += db.sum(axis=0)
        dh = dh * z + db @ p["r"]
    return g


def moved(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image one pixel to either side, or not, and a little lighter or darker."""
    made = images * rng.uniform(0.85, 1.1, (len(images), 1, 1))
    for axis in (1, 2):
        for by in (-1, 1):
            chosen = rng.random(len(images)) < 0.15
            made[chosen] = np.roll(made[chosen], by, axis)
    return np.clip(made, 0, 1)


def train(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Weights:
    """Adam with a rate that falls to 0; the last epoch is the one that is kept."""
    p = initial(rng)
    mean, square = ({name: np.zeros_like(v) for name, v in p.items()} for _ in range(2))
    updates = len(images) // BATCH
    for step in range(1, EPOCHS * updates + 1):
        if step % updates == 1:
            order = rng.permutation(len(images))
        at = (step - 1) % updates * BATCH
        chosen = order[at : at + BATCH]
        g = gradients(p, moved(images[chosen], rng), labels[chosen])
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / (EPOCHS * updates)))
        for name, value in g.items():
            mean[name] = 0.9 * mean[name] + 0.1 * value
            square[name] = 0.999 * square[name] + 0.001 * value * value
            unit = mean[name] / (1 - 0.9**step)
            p[name] = p[name] - rate * unit / (np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8)
    return p


def to_onnx(p: Weights) -> onnx.ModelProto:
    """The network for one image: Transpose, GRU, Squeeze, Gemm."""
    constants = {
        "gru.w": p["w"][None],
        "gru.r": p["r"][None],
        "gru.b": np.concatenate([p["wb"], p["rb"]])[None],
        "dense.w": p["v"],
        "dense.b": p["vb"],
    }
    tensors = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in constants.items()]
    tensors.append(numpy_helper.from_array(np.array([0], np.int64), "direction"))
    nodes = [
        helper.make_node("Transpose", ["input"], ["rows"], "transpose", perm=[1, 0, 2]),
        helper.make_node(
            "GRU",
            ["rows", "gru.w", "gru.r", "gru.b"],
            ["", "last"],
            "gru",
            hidden_size=HIDDEN,
            linear_before_reset=1,
        ),
        helper.make_node("Squeeze", ["last", "direction"], ["features"], "squeeze"),
        helper.make_node("Gemm", ["features", "dense.w", "dense.b"], ["logits"], "dense", transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("input", [1, ROWS, PIXELS]), ("logits", [1, CLASSES]))
    ]
    graph = helper.make_graph(nodes, "digits_gru", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def summary() -> str:
    """What the README states: accuracy, constants, sizes and checksums."""
    session = onnxruntime.InferenceSession(
        str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    data = np.load(FOLDER / "test.npz")
    found = [session.run(None, {"input": sample[None]})[0].argmax() for sample in data["input"]]
    hits, total = int((np.array(found) == data["labels"]).sum()), len(found)
    tensors = onnx.load(str(FOLDER / "model.onnx")).graph.initializer
    lines = [f"accuracy {hits / total:.4f} ({hits} of {total})"]
    lines.append(f"constants {sum(int(np.prod(t.dims)) for t in tensors)}")
    for name in ("model.onnx", "calibration.npz", "test.npz"):
        content = (FOLDER / name).read_bytes()
        lines.append(f"| {name} | {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |")
    return "\n".join(lines)


def main() -> None:
    """Train, write model.onnx, calibration.npz and test.npz, print what the README states."""
    rng = np.random.default_rng(SEED)
    digits = load_digits()
    images, labels = digits.images / 16, digits.target.astype(np.int64)
    first, own = images[:-TEST_SAMPLES], labels[:-TEST_SAMPLES]
    weights = train(first, own, rng)
    onnx.save(to_onnx(weights), str(FOLDER / "model.onnx"))
    every = len(first) // CALIBRATION_SAMPLES
    shown = first[::every][:CALIBRATION_SAMPLES].astype(np.float32)
    np.savez_compressed(FOLDER / "calibration.npz", input=shown)
    test = images[-TEST_SAMPLES:].astype(np.float32)
    np.savez_compressed(FOLDER / "test.npz", input=test, labels=labels[-TEST_SAMPLES:])
    print(summary())


if __name__ == "__main__":
    main()
