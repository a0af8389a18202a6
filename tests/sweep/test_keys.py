# SPDX-License-Identifier: Apache-2.0
"""What decides a row is in its key: files of tensors wherever named, samples wherever they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from mcuplan.calibrate.sources import sample_files
from mcuplan.errors import DataError
from mcuplan.importer.listing import list_model
from mcuplan.sweep.keys import data_digest, model_digest


def _tensor(name: str, location: str) -> TensorProto:
    tensor = helper.make_tensor(
        name, TensorProto.FLOAT, [1], np.zeros(1, np.float32).tobytes(), True
    )
    set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    return tensor


def _model(where: str) -> onnx.ModelProto:
    """A model with a tensor in ``w.bin``: an initializer, an attribute, or one of a body."""
    tensor = _tensor("w", "w.bin")
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    nodes, held = [node], []
    if where == "initializer":
        nodes, held = [helper.make_node("Relu", ["w"], ["y"])], [tensor]
    elif where == "body":
        body = helper.make_graph([node], "body", [], [value])
        nodes = [helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)]
    return helper.make_model(helper.make_graph(nodes, "g", [], [value], held))


@pytest.mark.parametrize("where", ["initializer", "attribute", "body"])
def test_files_of_tensors_count_wherever_they_are_named(where: str, tmp_path: Path) -> None:
    """A changed file is another model, and belongs to what the model consists of."""
    path = tmp_path / "net.onnx"
    onnx.save(_model(where), path)
    digests = {model_digest(path)}
    for content in (b"abcd", b"abce"):
        (tmp_path / "w.bin").write_bytes(content)
        digests.add(model_digest(path))
    assert 3 == len(digests)
    assert 1 == len({own for own, _ in digests})
    assert ["w.bin"] == [str(part) for part in list_model(path).files]


def test_the_order_of_fields_is_no_matter(tmp_path: Path) -> None:
    """A value in front of its key says the same."""
    path, usual = tmp_path / "net.onnx", _model("initializer").SerializeToString()
    entry = b"\x0a\x08location\x12\x05w.bin"
    assert 1 == usual.count(entry)
    path.write_bytes(usual.replace(entry, entry[10:] + entry[:10]))
    (tmp_path / "w.bin").write_bytes(b"abcd")
    before = model_digest(path)
    (tmp_path / "w.bin").write_bytes(b"abce")
    assert before != model_digest(path)


def test_samples_count_as_far_as_they_are_read(tmp_path: Path) -> None:
    """In folders of inputs and classes, through links; nothing else in the folder does."""
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (folder / "x" / "a").mkdir(parents=True)
    elsewhere.mkdir()
    (folder / "x" / "b").symlink_to(elsewhere)
    (folder / "x" / "loop").symlink_to(folder)
    digests = [data_digest(folder)]
    for name in ("x/a/0.npy", "x/0.NPY", "x/b/1.npy"):
        (folder / name).write_bytes(b"new")
        digests.append(data_digest(folder))
    (elsewhere / "1.npy").write_bytes(b"changed")
    digests.append(data_digest(folder))
    assert len(digests) == len(set(digests))
    for name in ("notes.txt", "x/.0.npy"):
        (folder / name).write_bytes(b"new")
    assert digests[-1] == data_digest(folder)


def test_a_folder_of_too_many_files_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than calibration takes are an error for both; beyond some bytes times are enough."""
    for number in range(5):
        (tmp_path / f"{number}.npy").write_bytes(bytes([number]))
    monkeypatch.setattr("mcuplan.calibrate.sources.MOST_FILES", 4)
    with pytest.raises(DataError, match="more than 4 files"):
        sample_files(tmp_path)
    monkeypatch.setattr("mcuplan.calibrate.sources.MOST_FILES", 5)
    whole = data_digest(tmp_path)
    read: list[Path] = []
    plain = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *given: read.append(path) or plain(path, *given))
    monkeypatch.setattr("mcuplan.sweep.keys._WHOLE", 3)
    assert whole != data_digest(tmp_path)
    assert ["0.npy", "1.npy", "2.npy"] == [path.name for path in read]
