# SPDX-License-Identifier: Apache-2.0
"""The shipped models: what each README states is what its files give."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"
FOLDERS = sorted(path.parent for path in MODELS.glob("*/model.onnx"))
ACCURACY = re.compile(r"(\d\.\d{4}) \((\d+) of (\d+)\)")
ERROR = re.compile(r"mean absolute error (\d+\.\d{2}) on (\d+) samples")
FILE_ROW = re.compile(r"^\| ([\w.]+) \| ([\d,]+) \| `([0-9a-f]{64})` \|$", re.MULTILINE)
NODE_COUNT = re.compile(r"([A-Z]\w+) (\d+)")
LEAST_ACCURACY = {
    "digits_dscnn": 0.97,
    "digits_gru": 0.95,
    "digits_vit": 0.95,
    "imu_gesture_cnn": 0.95,
    "vowels_stream": 0.9,
}

MOST_ERROR = {"diabetes_mlp": 48.0}
"""Of models of one real number, in units of the data set."""

each_model = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
each_classifier = pytest.mark.parametrize(
    "folder", [f for f in FOLDERS if f.name not in MOST_ERROR], ids=lambda path: path.name
)
each_regression = pytest.mark.parametrize(
    "folder", [f for f in FOLDERS if f.name in MOST_ERROR], ids=lambda path: path.name
)


def _readme(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def _session(folder: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )


def _outputs(session: onnxruntime.InferenceSession, samples: np.ndarray) -> np.ndarray:
    """Of each sample in turn; states begin with 0, and what is written is read next."""
    first, *kept = session.get_inputs()
    states = {port.name: np.zeros(port.shape, np.float32) for port in kept}
    outputs = []
    for sample in samples:
        output, *left = session.run(None, {first.name: sample[None], **states})
        outputs.append(output)
        states = dict(zip(states, left, strict=True))
    return np.concatenate(outputs)


def _hits(folder: Path) -> tuple[int, int]:
    data = np.load(folder / "test.npz")
    outputs, labels = _outputs(_session(folder), data["input"]), data["labels"]
    groups = data["groups"] if "groups" in data.files else np.arange(len(labels))
    means = [outputs[groups == group].mean(axis=0) for group in range(len(labels))]
    return int((np.argmax(means, axis=1) == labels).sum()), len(labels)


def test_the_models_of_the_table_are_there() -> None:
    """The top README has one row per model folder, and each promised model exists."""
    linked = re.findall(r"\]\((\w+)/README\.md\)", _readme(MODELS))
    assert sorted(linked) == [path.name for path in FOLDERS]
    assert set(linked) == set(LEAST_ACCURACY) | set(MOST_ERROR)


@each_regression
def test_stated_error_is_reproduced(folder: Path) -> None:
    """ONNX Runtime on test.npz gives the error of both READMEs, and little enough of it."""
    data = np.load(folder / "test.npz")
    off = np.abs(_outputs(_session(folder), data["input"]) - data["labels"]).mean()
    stated = ERROR.search(_readme(folder))
    assert stated is not None
    assert stated.groups() == (f"{off:.2f}", str(len(data["labels"])))
    row = next(line for line in _readme(MODELS).splitlines() if f"[{folder.name}]" in line)
    assert stated.group() in row
    assert off <= MOST_ERROR[folder.name]


@each_classifier
def test_stated_accuracy_is_reproduced(folder: Path) -> None:
    """ONNX Runtime on test.npz gives the accuracy of both READMEs, and enough of it."""
    hits, total = _hits(folder)
    stated = ACCURACY.search(_readme(folder))
    assert stated is not None
    assert stated.groups() == (f"{hits / total:.4f}", str(hits), str(total))
    row = next(line for line in _readme(MODELS).splitlines() if f"[{folder.name}]" in line)
    assert stated.group() in row
    assert hits / total >= LEAST_ACCURACY[folder.name]


@each_model
def test_arrays_agree_with_the_model(folder: Path) -> None:
    """Array names, shapes and types are those of the model's input; labels are its classes."""
    session = _session(folder)
    (model_input, *read), (model_output, *written) = session.get_inputs(), session.get_outputs()
    assert [port.shape for port in read] == [port.shape for port in written]
    calibration, test = np.load(folder / "calibration.npz"), np.load(folder / "test.npz")
    assert calibration.files == [model_input.name]
    assert test.files == [model_input.name, "labels", *(["groups"] if read else [])]
    assert 1 == model_input.shape[0]
    for samples in (calibration[model_input.name], test[model_input.name]):
        assert samples.dtype == np.float32
        assert list(samples.shape[1:]) == model_input.shape[1:]
        assert np.isfinite(samples).all()
    labels = test["labels"]
    if folder.name in MOST_ERROR:
        assert labels.dtype == np.float32
        assert labels.shape == (len(test[model_input.name]), *model_output.shape[1:])
        return
    assert labels.dtype == np.int64
    groups = test["groups"] if read else np.arange(len(labels))
    assert groups.shape == (len(test[model_input.name]),)
    assert labels.shape == np.unique(groups).shape
    assert set(labels.tolist()) == set(range(model_output.shape[1]))


@each_model
def test_calibration_shares_no_sample_with_the_test_split(folder: Path) -> None:
    """No calibration sample occurs among the labelled test samples."""
    test = {sample.tobytes() for sample in np.load(folder / "test.npz")["input"]}
    assert not any(s.tobytes() in test for s in np.load(folder / "calibration.npz")["input"])


@each_model
def test_nodes_and_constants_are_the_stated_ones(folder: Path) -> None:
    """The README's node and constant counts are the file's, BatchNormalization unfolded."""
    model = onnx.load(str(folder / "model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    text = _readme(folder)
    (row,) = (line for line in text.splitlines() if line.startswith("| Nodes |"))
    counts = Counter(node.op_type for node in model.graph.node)
    assert {name: int(count) for name, count in NODE_COUNT.findall(row)} == counts
    assert counts["BatchNormalization"] == counts["Conv"]
    constants = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    assert f"({constants:,} constants" in text


@each_model
def test_files_have_the_stated_checksums(folder: Path) -> None:
    """Bytes and sha256 of the README's table are those of the files, all small."""
    rows = FILE_ROW.findall(_readme(folder))
    assert [name for name, _, _ in rows] == ["model.onnx", "calibration.npz", "test.npz"]
    for name, size, digest in rows:
        content = (folder / name).read_bytes()
        assert (f"{len(content):,}", hashlib.sha256(content).hexdigest()) == (size, digest)
        assert len(content) < 80_000
