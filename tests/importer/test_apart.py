# SPDX-License-Identifier: Apache-2.0
"""Compiled code that aborts ends no run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from onnx_files import model, node, save, value

from mcuplan.errors import UnsupportedOp
from mcuplan.importer import load_model
from mcuplan.importer.apart import apart

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be copied")


def _fail() -> bytes:
    raise ValueError("said to nobody")


def _abort() -> bytes:
    os.abort()


def test_what_is_returned_comes_back_whole() -> None:
    """More bytes than a pipe holds, and none."""
    assert bytes(300_000) == apart(lambda: bytes(300_000))
    assert b"" == apart(lambda: b"")


def test_a_broken_call_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither an abort nor an exception reaches this process or the terminal."""
    assert apart(_abort) is None
    assert apart(_fail) is None
    assert ("", "") == capfd.readouterr()


def test_a_slice_behind_a_window_that_does_not_fit(tmp_path: Path) -> None:
    """ONNX takes the width behind the Conv for negative and aborts at the Slice."""
    constants = {"w": np.ones((4, 1, 9), "f4")}
    constants |= {name: np.array([n]) for name, n in (("s", 1), ("e", 2**31 - 1), ("a", 2))}
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Slice", ["c", "s", "e", "a"], ["y"])]
    proto = model(nodes, [value("x", [1, 1, "N"])], [value("y", None)], constants)
    with pytest.raises(UnsupportedOp, match="does not fit into 4x1"):
        load_model(save(tmp_path, proto), dims={"N": 4})
