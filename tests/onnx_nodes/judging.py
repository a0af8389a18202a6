# SPDX-License-Identifier: Apache-2.0
"""Compares what the C code gave with what ONNX expects."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mcuplan.ir.types import Array

from .building import build, run_built
from .listed import Case

__all__ = ["failures_of"]

_RTOL, _ATOL = 1e-3, 1e-7


def failures_of(cases: Sequence[Case]) -> dict[str, str]:
    """The cases that fail, by name, with the reason; all others pass."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        made, failures = build(cases, work)
        found = run_built(made, work) if made else {}
    by_name = {one.case.name: one.case for one in made}
    for name, outputs in found.items():
        wrong = outputs if isinstance(outputs, str) else _difference(by_name[name], outputs)
        if wrong:
            failures[name] = wrong
    return dict(sorted(failures.items()))


def _difference(case: Case, outputs: Sequence[Array]) -> str:
    """In what outputs differ from those expected; empty where they do not."""
    if len(outputs) != len(case.expected):
        return f"{len(outputs)} outputs of {len(case.expected)}"
    for index, (found, wanted) in enumerate(zip(outputs, case.expected, strict=True)):
        if found.shape != wanted.shape:
            return f"output {index} is {list(found.shape)}, not {list(wanted.shape)}"
        near = found == wanted
        if wanted.dtype.kind == "f":
            near = np.isclose(found, wanted, rtol=_RTOL, atol=_ATOL, equal_nan=True)
        if not near.all():
            at = np.unravel_index(int(np.argmin(near)), near.shape)
            place = list(map(int, at))
            share = f"{int((~near).sum())} of {near.size}"
            return f"output {index}: {share} differ; {found[at]} at {place}, not {wanted[at]}"
    return ""
