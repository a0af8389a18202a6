# SPDX-License-Identifier: Apache-2.0
"""`--backend cmsis_nn` from the command line, with a stand-in for the library."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan.cli import run as run_tool

STAND_IN = Path(__file__).resolve().parent.parent / "backends" / "cmsis_nn"
ASKED = ["--target", "cortex-m4", "--backend", "cmsis_nn", "--calibration", "random"]
KERNELS = {"conv2d", "depthwise", "max_pool2d", "mul"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every operator that the library computes, with windows over any edge; a sum that is ours."""
    rng = np.random.default_rng(3)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32) * 0.3, name)

    def conv(
        source: str, made: str, kernel: int, groups: int = 1, stride: int = 1
    ) -> onnx.NodeProto:
        edge = [kernel // 2] * 4
        about = {"kernel_shape": [kernel] * 2, "pads": edge, "strides": [stride] * 2}
        return helper.make_node("Conv", [source, f"w_{made}"], [made], group=groups, **about)

    nodes = [
        conv("x", "a", 3, stride=2),
        conv("a", "b", 3, groups=8),
        conv("b", "c", 1),
        helper.make_node("Mul", ["b", "c"], ["d"]),
        helper.make_node("Add", ["d", "c"], ["e"]),
        helper.make_node("MaxPool", ["e"], ["f"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("Gemm", ["g", "w_y"], ["y"], transB=1),
    ]
    held = [
        weights("w_a", 8, 3, 3, 3),
        weights("w_b", 8, 1, 3, 3),
        weights("w_c", 8, 8, 1, 1),
        weights("w_y", 5, 8 * 3 * 3),
    ]
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [port("x", TensorProto.FLOAT, [1, 3, 13, 12])],
        [port("y", TensorProto.FLOAT, [1, 5])],
        held,
    )
    path = tmp_path_factory.mktemp("cmsis_nn") / "small.onnx"
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(made, path)
    return path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, result and what is said beside it of a command."""

    def command(*words: object) -> tuple[int, str, str]:
        status = run_tool([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def test_without_the_library_nothing_says_that_it_fits(model: Path, run: Run) -> None:
    """Code of a library is not counted before it is built, and what builds asks for it."""
    status, out, _ = run("check", model, *ASKED, "--format", "json")
    report = json.loads(out)
    assert ("unproven", 3) == (report["verdict"]["status"], status)
    codes = {finding["code"] for finding in report["verdict"]["findings"]}
    assert {"flash/library", "latency/library"} <= codes
    called = {layer["kernel"] for layer in report["layers"] if "cmsis_nn" in layer["kernel"]}
    assert {f"mplan_{name}_s8_cmsis_nn" for name in KERNELS} == called
    bare = model.parent / "bare"
    (bare / "Include").mkdir(parents=True)
    (bare / "Include" / "arm_nnfunctions.h").write_text("#error none\n", encoding="ascii")
    for words, code, wanted in (
        (["check", model, *ASKED, "--build"], "tool/missing", 4),
        (["check", model, *ASKED, "--build", "--cmsis-nn", bare], "usage/bad", 2),
        (["check", model, *ASKED, "--build", "--cmsis-nn", model.parent], "usage/bad", 2),
        (["evidence", model, *ASKED, "-o", model.parent / "out"], "usage/bad", 2),
        (["fit", model, *ASKED], "usage/bad", 2),
        (["bench", "--backend", "cmsis_nn"], "usage/bad", 2),
    ):
        status, _, said = run(*words)
        assert wanted == status, said
        assert f"error[{code}" in said


def test_the_users_copy_is_proved(model: Path, run: Run, arm_gcc: str, qemu: str) -> None:
    """Whole, row by row and as rows come, with the library's macro: the reference's bytes."""
    arenas = []
    for asked in (["--objective", "latency"], ["--streaming", "input"]):
        words = ["verify", model, *ASKED, "--cmsis-nn", STAND_IN, *asked, "--io-layout", "nhwc"]
        status, out, said = run(*words, "--samples", 1, "--on", "emulator", "--format", "json")
        report = json.loads(out)
        assert 0 == status, said
        (proof,) = report["verification"]
        assert proof["equal_to_reference"]
        assert proof["elf"]["agrees"]
        assert "measured" == report["flash"]["code_origin"]
        arenas.append(report["ram"]["arena_bytes"])
    assert arenas[1] < arenas[0]


def test_the_folder_builds_with_a_copy(
    model: Path, tmp_path: Path, run: Run, arm_gcc: str, qemu: str
) -> None:
    """The example of a generated folder links what it calls from the copy, and runs."""
    status, _, said = run("generate", model, *ASKED, "--package", "make", "-o", tmp_path)
    assert status in (0, 3), said  # fits where the figures of a verification are kept
    assert "CONFIG_CMSIS_NN" in (tmp_path / "README.md").read_text()
    parts = json.loads((tmp_path / "small.cdx.json").read_text())["components"]
    assert "CMSIS-NN" in {part["name"] for part in parts}
    command = ["make", "run", f"CMSIS_NN={STAND_IN}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "all values as expected" in done.stderr, done.stdout
