# SPDX-License-Identifier: Apache-2.0
"""What kernels are modelled to wait on boards, against counts, and how that is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcuplan.budget.speed import model_error
from mcuplan.memory_system import Stalls
from mcuplan.price.board import Waits, kernel_waits, modelled_stalls
from mcuplan.price.code import kernel_sizes
from mcuplan.prove.bench import Row
from mcuplan.prove.fit.boards import BOARDS, BoardRows, fitted_waits, stall_errors
from mcuplan.prove.fit.kernels import count_kernels, reference
from mcuplan.prove.fit.networks import count_network

_SLACK = 0.02  # compilers differ
_SEEN = 0.9  # of the layers that an error is stated of; nineteen of twenty of those fitted to


@pytest.mark.slow
def test_modelled_waits_are_those_of_the_emulator(counted_gcc: str, qemu: str) -> None:
    """Few counted layers of a kernel are missed by more than its row of the table says."""
    waits, sizes, board = kernel_waits("dsp"), kernel_sizes("dsp"), "ahead"
    memory, counted = BOARDS[board], count_kernels("dsp", 4, BOARDS[board])
    assert len(waits.keys() & counted.keys()) >= _SEEN * len(counted)
    for name in waits.keys() & counted.keys():
        rows, within = counted[name], 0
        for row in rows:
            size = sizes[name].code_bytes
            made = modelled_stalls(waits[name], memory, size, row.weights_bytes, row.parts)
            missed = abs(made.cycles - row.stalls.cycles)
            both = (row.cycles or 0) + row.stalls.cycles
            within += missed <= (waits[name].errors[board] + _SLACK) * both
        assert within >= _SEEN * len(rows) - 1, name


@pytest.mark.parametrize("name", ["mlperf_kws_dscnn/model_qdq", "mlperf_ad_autoencoder/model"])
def test_networks_wait_as_modelled(
    name: str, counted_gcc: str, qemu: str, test_models: Path
) -> None:
    """A whole network on a board takes the modelled cycles within the error that it states."""
    target = replace(reference("dsp"), memory=BOARDS["ahead"])

    plan, error = count_network(test_models / f"{name}.onnx", target)

    stated = model_error(plan)
    assert stated is not None
    assert error <= min(stated, 0.1)


def _row(parts: Mapping[str, float], weights: int = 0) -> Row:
    return Row("", "", "k", 0, 0, 0, 100_000, parts, weights_bytes=weights)


def _counted(rows: Sequence[Row], code: Sequence[float], constants: Sequence[float]) -> BoardRows:
    """The same reads on every board."""
    stalls = {
        name: [
            Stalls(memory.wait_states * c, memory.wait_states * k, 0.0)
            for c, k in zip(code, constants, strict=True)
        ]
        for name, memory in BOARDS.items()
    }
    return BoardRows(rows, stalls)


def _layers() -> tuple[list[Row], list[float], list[float]]:
    """Weights that each pair reads from end to end, 3 literals a row, and some code."""
    draw = np.random.default_rng(5)
    rows, code, constants = [], [], []
    for _ in range(40):
        parts = {name: float(draw.integers(1, 60)) for name in ("call", "row", "pair", "step")}
        weights = int(draw.integers(20, 400)) * 16
        rows.append(_row(parts, weights))
        code.append(7 * parts["row"] + 2.5 * parts["pair"])
        constants.append(weights / 16 * parts["pair"] + 3 * parts["row"])
    return rows, code, constants


def test_the_stream_is_found() -> None:
    """The part that reads all weights is told apart from those that read other constants."""
    waits = fitted_waits(_counted(*_layers()))

    assert "pair" == waits.streamed
    assert 3 == pytest.approx(waits.literals["row"], rel=0.02)
    assert 7 == pytest.approx(waits.cached["row"], rel=0.02)
    assert 2.5 == pytest.approx(waits.cached["pair"], rel=0.02)


def test_errors_are_those_of_what_was_counted() -> None:
    """What is fitted exactly misses nothing where reads were told; what is halved misses half."""
    counted = _counted(*_layers())
    waits = fitted_waits(counted)
    half: Waits = replace(waits, streamed="call")

    assert stall_errors(counted, waits, 1 << 20)["cached"] <= 0.002
    assert stall_errors(counted, half, 1 << 20)["cached"] > 0.1
