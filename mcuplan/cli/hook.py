# SPDX-License-Identifier: Apache-2.0
"""``mcuplan-hook [OPTIONS] MODEL ...``: `mcuplan check` of each model of a commit."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mcuplan.cli import run

__all__ = ["hook", "main"]


def main() -> None:
    """Entry point of the program ``mcuplan-hook``, which pre-commit calls."""
    sys.exit(hook(sys.argv[1:]))


def hook(words: Sequence[str]) -> int:
    """The gravest status of all models, which are the words that end so; others are options."""
    models = [word for word in words if word.endswith(".onnx")]
    options = [word for word in words if not word.endswith(".onnx")]
    return max((run(["check", model, *options]) for model in models), default=0)
