# SPDX-License-Identifier: Apache-2.0
"""What the training scripts of this folder share: seeds, the loop, export, arrays, accuracy.

Needs torch 2.13.0 (CPU), numpy, onnx and onnxruntime; each ``train.py`` names its data package.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

__all__ = ["Augment", "export", "fit", "seed_everything", "summary", "write_arrays"]

OPSET = 17
INPUT = "input"
OUTPUT = "logits"

Augment = Callable[[Tensor, torch.Generator], Tensor]


def seed_everything(seed: int) -> torch.Generator:
    """Fix every source of chance; one thread, so that sums are added in one order."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    return torch.Generator().manual_seed(seed)


def fit(
    model: nn.Module,
    samples: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch: int,
    rate: float,
    augment: Augment,
    generator: torch.Generator,
) -> None:
    """Train in place with AdamW and a one-cycle rate; the test split is never seen here.

    Args:
        model: returns logits ``[batch, classes]``, or those of each frame behind it.
        samples: training split, float32, first axis = samples.
        labels: int64, one per sample, or one per frame of each.
        epochs: passes over the training split, fixed in advance.
        batch: samples per update; a smaller last batch is dropped.
        rate: highest learning rate.
        augment: returns a randomly changed copy of a batch.
        generator: source of order and augmentation.
    """
    updates = len(samples) // batch
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * updates)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(samples), generator=generator)
        for start in range(0, updates * batch, batch):
            chosen = order[start : start + batch]
            loss = loss_of(model(augment(samples[chosen], generator)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()


def export(
    model: nn.Module,
    shape: tuple[int, ...],
    path: Path,
    states: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> None:
    """Write a float ONNX for one sample, with the BatchNormalization nodes kept as they are.

    ``TrainingMode.PRESERVE`` is what keeps the exporter from folding them into the convolutions;
    the model is in evaluation mode, so the nodes carry the running statistics. A model with
    ``states`` takes each behind the sample and returns its next value behind the logits; its
    cells' weights, which frameworks keep in another order, are folded to what ONNX has.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the TorchScript exporter announces its successor
        torch.onnx.export(
            model,
            tuple(torch.zeros(1, *size) for size in (shape, *states.values())),
            str(path),
            input_names=[INPUT, *(f"{name}_in" for name in states)],
            output_names=[OUTPUT, *(f"{name}_out" for name in states)],
            opset_version=OPSET,
            do_constant_folding=bool(states),
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    proto = onnx.load(str(path))
    proto = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(path))


def write_arrays(
    folder: Path,
    calibration: Tensor,
    test: Tensor,
    labels: Tensor,
    groups: Tensor | None = None,
) -> None:
    """Write ``calibration.npz`` and the labelled ``test.npz`` beside the model.

    With ``groups`` a label is that of a group: of all samples with its number.
    """
    np.savez_compressed(folder / "calibration.npz", **{INPUT: calibration.numpy()})
    arrays = {INPUT: test.numpy(), "labels": labels.numpy().astype(np.int64)}
    if groups is not None:
        arrays["groups"] = groups.numpy().astype(np.int64)
    np.savez_compressed(folder / "test.npz", **arrays)


def _outputs(path: Path, samples: np.ndarray) -> np.ndarray:
    """Logits of samples one after the other; states begin with 0 and go on."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    states = [np.zeros(port.shape, np.float32) for port in session.get_inputs()[1:]]
    names = [port.name for port in session.get_inputs()]
    outputs = []
    for sample in samples:
        logits, *states = session.run(None, dict(zip(names, [sample[None], *states], strict=True)))
        outputs.append(logits)
    return np.concatenate(outputs)


def summary(folder: Path) -> str:
    """Return accuracy on ``test.npz`` (ONNX Runtime), parameters, and size and sha256 of files."""
    path = folder / "model.onnx"
    data = np.load(folder / "test.npz")
    outputs, total = _outputs(path, data[INPUT]), len(data["labels"])
    groups = data["groups"] if "groups" in data.files else np.arange(total)
    sums = np.zeros((total, outputs.shape[1]))
    np.add.at(sums, groups, outputs)  # the highest mean of a group is its highest sum
    hits = int((sums.argmax(axis=1) == data["labels"]).sum())
    constants = sum(int(np.prod(t.dims)) for t in onnx.load(str(path)).graph.initializer)
    lines = [f"accuracy {hits / total:.4f} ({hits} of {total})", f"constants {constants}"]
    for name in ("model.onnx", "calibration.npz", "test.npz"):
        content = (folder / name).read_bytes()
        lines.append(f"{name} {len(content)} {hashlib.sha256(content).hexdigest()}")
    return "\n".join(lines)
