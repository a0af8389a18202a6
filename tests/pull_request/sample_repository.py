# SPDX-License-Identifier: Apache-2.0
"""A repository with a model in two commits: a convolution of 56 channels becomes one of 64."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["git", "sample_model", "sample_repository"]


def sample_model(channels: int) -> onnx.ModelProto:
    """Three convolutions over one image, the second of ``channels``; a dense layer."""
    random = np.random.default_rng(14)
    weights: list[onnx.TensorProto] = []

    def constant(name: str, *shape: int) -> str:
        values = random.standard_normal(shape).astype(np.float32) / 8
        weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(name: str, reads: str, shape: tuple[int, ...], **more: object) -> list[str]:
        inputs = [reads, constant(f"{name}.weight", *shape), constant(f"{name}.bias", shape[0])]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}.sum"], name=name, **more))
        nodes.append(helper.make_node("Relu", [f"{name}.sum"], [f"{name}.out"]))
        return inputs

    nodes: list[onnx.NodeProto] = []
    convolution("conv1", "image", (32, 1, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    convolution("conv2", "conv1.out", (channels, 32, 3, 3), pads=[1, 1, 1, 1])
    depthwise = {"group": channels, "pads": [1, 1, 1, 1], "strides": [2, 2]}
    convolution("conv3", "conv2.out", (channels, 1, 3, 3), **depthwise)
    nodes.append(helper.make_node("GlobalAveragePool", ["conv3.out"], ["pool"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], name="flat"))
    dense = ["flat", constant("dense.weight", 12, channels), constant("dense.bias", 12)]
    nodes.append(helper.make_node("Gemm", dense, ["scores"], name="dense", transB=1))
    graph = helper.make_graph(
        nodes,
        "kws",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 20])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 12])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def git(folder: Path, *words: str) -> str:
    """What a command of git says, as an author who is nobody."""
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    done = subprocess.run(
        ["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def sample_repository(folder: Path, before: onnx.ModelProto, after: onnx.ModelProto) -> None:
    """Make it, on branch ``wider`` with ``main`` one commit behind."""
    git(folder, "init", "-q", "-b", "main")
    for branch, model in (("main", before), ("wider", after)):
        if branch != "main":
            git(folder, "checkout", "-q", "-b", branch)
        onnx.save(model, folder / "kws.onnx")
        git(folder, "add", "kws.onnx")
        git(folder, "commit", "-q", "-m", f"model of {branch}")
