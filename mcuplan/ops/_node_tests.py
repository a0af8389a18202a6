# SPDX-License-Identifier: Apache-2.0
"""What passes of ONNX's own node tests, as ``python -m tests.onnx_nodes --write`` found it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NODE_TESTS_FILE", "NodeTests", "node_tests"]

NODE_TESTS_FILE = Path(__file__).with_name("node_tests.toml")


@dataclass(frozen=True, slots=True)
class NodeTests:
    """How the tests went.

    Attributes:
        onnx: version of the package that made them.
        core: operators of the shorter list.
        total: tests of each operator.
        failing: by operator, the tests that do not pass, each with the reason.
    """

    onnx: str
    core: frozenset[str]
    total: Mapping[str, int]
    failing: Mapping[str, Mapping[str, str]]

    def passed(self, operator: str) -> int:
        """How many tests of an operator pass."""
        return self.total[operator] - len(self.failing.get(operator, ()))

    def rows(self) -> list[tuple[str, str, str]]:
        """Operator, and passed/total in the shorter list and in the longer one; both sums first."""
        shorter = [op for op in self.total if op in self.core]
        rows = [("all", self._share(shorter), self._share(self.total))]
        for op in self.total:
            share = self._share((op,))
            rows.append((op, share if op in self.core else "-", share))
        return rows

    def reasons(self) -> list[tuple[str, str]]:
        """Every test that fails, and why."""
        return [pair for tests in self.failing.values() for pair in tests.items()]

    def _share(self, operators: Mapping[str, int] | list[str] | tuple[str, ...]) -> str:
        passed = sum(self.passed(op) for op in operators)
        return f"{passed}/{sum(self.total[op] for op in operators)}"


def node_tests() -> NodeTests:
    """What is kept of the last run."""
    kept = tomllib.loads(NODE_TESTS_FILE.read_text(encoding="utf-8"))
    return NodeTests(
        onnx=kept["onnx"],
        core=frozenset(kept["core"]),
        total=kept["total"],
        failing=kept.get("failing", {}),
    )
