# SPDX-License-Identifier: Apache-2.0
"""Everything about a bundle on one core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tiny

from mcuplan.prove.cores import CORES
from mcuplan.prove.evidence import prove_on_core
from mcuplan.prove.toolchain import Compiler


def test_one_call_proves(arm: Compiler, counter: Path, tmp_path: Path) -> None:
    """One call gives outputs, a count per sample, cycles per step, sizes and a valid bound."""
    a, b = tiny.samples(3)

    found = prove_on_core(
        tiny.bundle(), tiny.API, tmp_path, CORES["cortex-m4"], arm, (a, b), counter=counter
    )

    assert np.array_equal(tiny.expected(a, b)[1], found.run.outputs[0])
    assert 3 == len(found.run.calls)
    assert tiny.API.steps == len(found.steps)
    assert 61 == found.sizes.constants_bytes
    assert found.run.stack_bytes <= found.stack.nbytes
    assert "arm-none-eabi-gcc" in found.compiler
