# SPDX-License-Identifier: Apache-2.0
"""Writes down what passes, for ``mcuplan ops`` to read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import onnx

from mcuplan.ops import NODE_TESTS_FILE

from .listed import LISTS, Case

__all__ = ["record_of", "write_record"]


def write_record(cases: Sequence[Case], failures: Mapping[str, str]) -> str:
    """Keep the result of all cases; the name of the file."""
    NODE_TESTS_FILE.write_text(record_of(cases, failures), encoding="utf-8")
    return NODE_TESTS_FILE.name


def record_of(cases: Sequence[Case], failures: Mapping[str, str]) -> str:
    """Text of the record of a run of all cases."""
    return "\n".join(_lines(cases, failures)) + "\n"


def _lines(cases: Sequence[Case], failures: Mapping[str, str]) -> Iterator[str]:
    yield "# SPDX-License-Identifier: Apache-2.0"
    yield "# What passes of ONNX's node tests: written by `python -m tests.onnx_nodes --write`."
    yield f'onnx = "{onnx.__version__}"'
    yield f"core = {json.dumps(sorted(LISTS['core']))}"
    yield "\n[total]"
    for operator, count in sorted(Counter(case.operator for case in cases).items()):
        yield f"{operator} = {count}"
    last = ""
    for case in sorted(cases, key=lambda case: (case.operator, case.name)):
        if case.name not in failures:
            continue
        if case.operator != last:
            yield f"\n[failing.{case.operator}]"
        last = case.operator
        yield f"{case.name} = {json.dumps(failures[case.name])}"
