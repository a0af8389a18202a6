# SPDX-License-Identifier: Apache-2.0
"""Models with next to nothing in them verify on this computer and on the emulator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
import tiny_models

from mcuplan import pipeline
from mcuplan.cli import run
from mcuplan.prove.proofs import Mismatch, prove_on_host
from mcuplan.prove.subject import Subject
from mcuplan.record import Request
from mcuplan.targets import load_target


@pytest.mark.parametrize("name", tiny_models.FEW)
def test_verifies(name: str, arm_gcc: str, host_gcc: str, qemu: str, tmp_path: Path) -> None:
    """A program of one small step, of views, or of no step is proved, and equals its plan."""
    assert [] == tiny_models.wrong(name, tmp_path)


def test_a_wrong_output_of_no_step_is_seen(host_gcc: str, tmp_path: Path) -> None:
    """Where no step makes the output, the output itself is compared."""
    model = tiny_models.save("identity", tmp_path)
    request = Request(model, load_target("cortex-m4"), random_calibration=True)
    planned = pipeline.plan(request)
    subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
    feeds = {planned.integer.inputs[0].tensor: np.arange(10, dtype=np.int8).reshape(2, 5)}
    files = dict(subject.bundle.files)
    (source,) = (path for path in files if path.name == "net.c")
    begin = "    if (status == MPLAN_OK) {\n"
    assert 1 == files[source].count(begin)
    files[source] = files[source].replace(begin, f"{begin}        ctx->sram->bytes[0] ^= 1;\n")
    wrong = replace(subject, bundle=replace(subject.bundle, files=files))

    assert () == planned.plan.program.steps
    assert prove_on_host(subject, feeds).mismatch is None
    assert Mismatch(-1, 0) == prove_on_host(wrong, feeds).mismatch


_ENDS = {
    "a part of a state as an output": (
        "(float[1,4] x, float[1,8] s) => (float[1,2,2] y, float[1,8] t) "
        "<int64[1] a = {0}, int64[1] e = {4}, int64[1] axis = {1}, int64[3] to = {1, 2, 2}> "
        "{ p = Slice (s, a, e, axis) y = Reshape (p, to) t = Concat <axis = 1> (x, x) }",
        ["--state", "s=t"],
    ),
    "a first axis that is not 1, as the layers have it": (
        "(float[2,4] x, float[2,4] z) => (float[2,4] z, float[2,4] y) { y = Relu (x) }",
        ["--io-layout", "nhwc"],
    ),
    "a scalar that a table is made of": (
        "(float[1] x) => (float y, float[1] z) <int64[1] a = {0}> "
        "{ t = ReduceMax <keepdims = 0> (x, a) y = Cos (t) z = Abs (x) }",
        [],
    ),
    "one value, normalized": (
        "(float[1] x) => (float[1] y) <float[1] g = {2}, float[1] b = {0.5}> "
        "{ y = LayerNormalization (x, g, b) }",
        [],
    ),
    "a share of one value": (
        "(float[1] x) => (float[1] y) { y = Softmax <axis = 0> (x) }",
        [],
    ),
    "a product of a row of real values": (
        "(float[1,4] x) => (float[1,4] y) <float[4] c = {1, 2, 3, 4}> { y = Mul (c, x) }",
        ["--dtype", "float32"],
    ),
}


@pytest.mark.parametrize("name", _ENDS)
def test_odd_ends_verify(name: str, host_gcc: str, tmp_path: Path) -> None:
    """Every output is compared, whoever made it and however it lies in memory."""
    graph, options = _ENDS[name]
    text = f'<ir_version: 8, opset_import: ["" : 18]> odd {graph}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "odd.onnx")
    arguments = ["verify", str(tmp_path / "odd.onnx"), "-t", "cortex-m4", "--no-save", "-q"]
    assert 0 == run([*arguments, "--on", "host", "--calibration", "random", *options])
