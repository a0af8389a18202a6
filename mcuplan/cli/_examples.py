# SPDX-License-Identifier: Apache-2.0
"""One example for each command, at the end of its help."""

from __future__ import annotations

from collections.abc import Mapping

import click

__all__ = ["EXAMPLES", "with_examples"]

EXAMPLES: Mapping[str, str] = {
    "check": "check kws.onnx --target nucleo-f411re --max-ram 64K --baseline main.json",
    "plan": "plan kws.onnx --target nucleo-f411re --objective ram --frontier",
    "quantize": "quantize kws.onnx --calibration data.npz -o kws.int8.onnx",
    "generate": "generate kws.onnx --target nucleo-f411re --calibration data.npz -o src/kws",
    "verify": "verify kws.onnx --target nucleo-f411re --calibration data.npz --inputs test.npz",
    "bundle": "bundle kws.onnx vad.onnx --target nucleo-f411re --exclusive kws,vad -o src/models",
    "sweep": "sweep 'models/**/*.onnx' --targets all --dtype int8 --dtype int16 -o rows.csv",
    "fit": "fit vww.onnx --target stm32l072 --max-ram 16K",
    "pareto": "pareto results.parquet --x ram --y latency --by target -o front.html",
    "evidence": "evidence kws.onnx --target nucleo-f411re --calibration data.npz -o evidence",
    "reproduce": "reproduce evidence",
    "bench": "bench --target nucleo-f411re --backend dsp",
    "diff": "diff main.json branch.json --format markdown",
    "pack": "pack buffers.csv --capacity 64K -o offsets.csv",
    "order": "order steps.csv -o order.csv",
    "targets list": "targets list --format markdown",
    "targets show": "targets show nucleo-f411re",
    "targets lint": "targets lint my-board.toml",
    "targets fit": "targets fit kws.onnx",
    "ops": "ops --format markdown",
    "explain": "explain ram/over-budget",
    "completion": "completion bash >> ~/.bashrc",
    "init": "init --target nucleo-f411re --ci github",
}
"""By command: what follows the name of the program."""


def with_examples(group: click.Group, path: str = "") -> None:
    """Give each command of a group its example, where it has none."""
    for name, command in group.commands.items():
        whole = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            with_examples(command, whole)
        if command.epilog is None and whole in EXAMPLES:
            command.epilog = f"\b\nExample:\n  mcuplan {EXAMPLES[whole]}"
