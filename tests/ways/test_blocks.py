# SPDX-License-Identifier: Apache-2.0
"""Weights that a file has in 4 bits by blocks: what a report says that they take in 4 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from way_nets import checked

_INPUTS, _OUTPUTS, _BLOCK = 96, 64, 16


def _saved(folder: Path, scales: Any) -> list[str]:
    """A matrix of INT4 in blocks, with samples; the words that ask for a check of it."""
    integers = np.random.default_rng(1).integers(-7, 8, (_OUTPUTS, _INPUTS))
    constants = [
        helper.make_tensor("q", TensorProto.INT4, integers.shape, integers.reshape(-1)),
        numpy_helper.from_array(scales.astype(np.float32), "s"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=1, block_size=_BLOCK),
        helper.make_node("Gemm", ["x", "w"], ["y"], "dense", transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, _INPUTS]), ("y", [1, _OUTPUTS]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    path = folder / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), path)
    samples = np.random.default_rng(2).normal(size=(12, _INPUTS)).astype(np.float32)
    np.savez(folder / "data.npz", x=samples)
    return [str(path), "-t", "cortex-m4", "--calibration", str(folder / "data.npz")]


def _free() -> Any:
    return np.random.default_rng(3).uniform(0.01, 0.02, (_OUTPUTS, _INPUTS // _BLOCK))


def _found(report: dict[str, Any]) -> list[dict[str, str]]:
    findings = report["verdict"]["findings"]
    return [found for found in findings if found["code"] == "quant/block-weights"]


def test_the_hint_has_the_flash_of_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are real values of 8 bits; the size of their blocks is that of the file."""
    words = _saved(tmp_path, _free())
    _, report = checked(capsys, *words)
    (found,) = _found(report)
    assert "taken as real values" in found["message"]
    options = ["--weight-dtype", "int4", "--weight-block", str(_BLOCK)]
    _, narrow = checked(capsys, *words, *options)
    less, all_ = (each["flash"]["total_bytes"] for each in (narrow, report))
    assert less < all_
    expected = f"{' '.join(options)}: flash {less:,} B, {all_:,} B without (planned anew)"
    assert expected == found["hint"]


def test_weights_on_the_nearest_scales_say_how_far_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks of the file err less than those of another size, whose hint names that of the file."""
    words = [*_saved(tmp_path, _free()), "--weight-dtype", "int4", "--weight-block"]
    said = {}
    for block in (_BLOCK, 2 * _BLOCK):
        (found,) = _found(checked(capsys, *words, str(block))[1])
        before, _, behind = found["message"].partition(" steps off, at most ")
        said[block] = float(before.split()[-1]), float(behind)
        assert ("--weight-block 16" in found["hint"]) == (block != _BLOCK)
    usual, most = said[_BLOCK]
    assert 0.0 < usual < 0.29 < most
    assert usual < said[2 * _BLOCK][0]


def test_nothing_is_said_of_scales_that_are_held(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Multiples of one scale stay what they are, in 4 bits."""
    scales = 2.0**-7 * np.random.default_rng(4).integers(8, 16, (_OUTPUTS, _INPUTS // _BLOCK))
    _, report = checked(capsys, *_saved(tmp_path, scales))
    assert [] == _found(report)
    types = [each["dtype"] for each in report["flash"]["weights_by_type"]]
    assert ["int4_blocks"] == types


@pytest.mark.parametrize("options", [["--dtype", "float32"], ["--effort", "fast"]])
def test_without_another_plan_there_are_no_figures(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights of float32 have no 4 bits, and little effort makes one plan."""
    (found,) = _found(checked(capsys, *_saved(tmp_path, _free()), *options)[1])
    assert ("--weight-block" in found.get("hint", "")) == (options[0] == "--effort")
    assert "planned anew" not in found.get("hint", "")
