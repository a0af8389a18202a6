# SPDX-License-Identifier: Apache-2.0
"""The header of a bundle, used as an application would: what it says and does wrong is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from networks import STAMP, tiny_plan, tiny_rows_plan

from mcuplan.emit import emit
from mcuplan.ir.types import DType
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import Subject, prove_on_core, prove_on_host

_HEADER, _SOURCE = PurePosixPath("tiny.h"), PurePosixPath("tiny.c")
_LIBRARY = PurePosixPath("mplan/mplan.h")


def _feeds(boundary: DType = DType.INT8) -> dict[str, np.ndarray]:
    info, name = np.iinfo(boundary.value), "image" if boundary is DType.INT8 else "image_u8"
    values = np.random.default_rng(5).integers(info.min, info.max + 1, (1, 8, 7, 2))
    return {name: values.astype(boundary.value)}


def _changed(path: PurePosixPath, old: str, new: str, *, fed: bool = False) -> Subject:
    """The tiny network with other text in one of its files."""
    plan = tiny_rows_plan() if fed else tiny_plan()
    bundle = emit(plan, "tiny", STAMP)
    files = dict(bundle.files)
    assert old in files[path]
    files[path] = files[path].replace(old, new)
    return Subject(replace(bundle, files=files), plan)


@pytest.mark.parametrize("boundary", [DType.INT8, DType.UINT8])
@pytest.mark.parametrize("form", ["whole", "rows", "fed"])
def test_a_right_header_is_right(form: str, boundary: DType, host_gcc: str) -> None:
    """Macros, helpers, accessors and error codes are those of the graph, int8 and uint8."""
    if form == "whole":
        plan = tiny_plan(boundary=boundary)
    else:
        plan = tiny_rows_plan(boundary=boundary, feed=form == "fed")
    proof = prove_on_host(Subject(emit(plan, "tiny", STAMP), plan), _feeds(boundary))
    assert (None, ()) == (proof.mismatch, proof.findings)


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        (_HEADER, "INPUT_SCALE (0.0078431", "INPUT_SCALE (0.0078432", "TINY_INPUT_SCALE is"),
        (_HEADER, "OUTPUT_SCALE (0.00390625f)", "OUTPUT_SCALE (0.0039f)", "TINY_OUTPUT_SCALE is"),
        (_HEADER, "INPUT_ZERO_POINT (-1)", "INPUT_ZERO_POINT (0)", "is 0, -1 expected"),
        (_HEADER, "INPUT_DIM1 (8U)", "INPUT_DIM1 (7U)", "TINY_INPUT_DIM1 is 7, 8 expected"),
        (_HEADER, "INPUT_RANK (4U)", "INPUT_RANK (3U)", "TINY_INPUT_RANK is 3, 4 expected"),
        (_HEADER, "OUTPUT_COUNT (3U)", "OUTPUT_COUNT (4U)", "TINY_OUTPUT_COUNT is 4, 3 expected"),
        (_HEADER, "OUTPUT_BYTES (3U)", "OUTPUT_BYTES (4U)", "TINY_OUTPUT_BYTES is 4, 3 expected"),
        (_HEADER, "_ZERO_POINT, -128, 127)", "_ZERO_POINT, -127, 127)", "tiny_input_quantize()"),
        (_HEADER, "return TINY_OUTPUT_SCALE *", "return 0.004f *", "tiny_output_real()"),
        (_LIBRARY, "(rest >= 0.5f)", "(rest > 0.5f)", "tiny_input_quantize()"),
        (_LIBRARY, "MPLAN_ERR_NULL = 1", "MPLAN_ERR_NULL = 4", "MPLAN_ERR_NULL is 4, 1 expected"),
        (_SOURCE, "% MPLAN_ARENA_ALIGN", "% 2U", "stopped"),
    ],
)
def test_a_wrong_header_is_found(
    path: PurePosixPath, old: str, new: str, said: str, host_gcc: str
) -> None:
    """Each wrong macro, helper, test of a context and accessor is named."""
    proof = prove_on_host(_changed(path, old, new), _feeds())
    assert said in " ".join(finding.message for finding in proof.findings)
    assert {"verify/header"} == {finding.code for finding in proof.findings}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("(ctx->turn > TINY_INPUT_ROWS)", "(ctx->turn > (TINY_INPUT_ROWS + 1U))", "stopped"),
        ("(ctx->turn == 0U) ||", "", "stopped"),
        ("ctx->turn != (TINY_INPUT_ROWS + 1U)", "ctx->turn == 0U", "tiny_finish() before row 0 is"),
        ("        ctx->turn = 0U;", "        ctx->turn = ctx->turn;", "after finish"),
        ("(row == NULL)", "(ctx == NULL)", "stopped"),
    ],
)
def test_calls_out_of_order_are_refused(old: str, new: str, said: str, host_gcc: str) -> None:
    """A function that takes a call out of its order is named."""
    subject = _changed(_SOURCE, old, new, fed=True)
    assert said in " ".join(f.message for f in prove_on_host(subject, _feeds()).findings)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_the_header_on_a_core(core: str, arm_gcc: str, qemu: str) -> None:
    """The emulated program uses the header, too, with and without a floating-point unit."""
    subject = _changed(_HEADER, "INPUT_ZERO_POINT (-1)", "INPUT_ZERO_POINT (0)")
    proof = prove_on_core(subject, _feeds(), core_named(core))
    assert "TINY_INPUT_ZERO_POINT is 0, -1 expected" in proof.findings[0].message
