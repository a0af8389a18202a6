# SPDX-License-Identifier: Apache-2.0
"""Runs a test image on this computer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcuplan.prove.api import Bytes
from mcuplan.prove.harness import Image
from mcuplan.prove.samples import explain_failure, read_results, write_samples
from mcuplan.prove.toolchain import run_tool

__all__ = ["HostRun", "run_on_host"]


@dataclass(frozen=True, slots=True)
class HostRun:
    """Outputs, and tensors kept after steps, each ``[samples, nbytes]``."""

    outputs: tuple[Bytes, ...]
    dumps: tuple[npt.NDArray[np.int8], ...]


def run_on_host(image: Image, inputs: tuple[Bytes, ...], *, timeout_s: float = 600.0) -> HostRun:
    """Run all samples through an image built by ``build_for_host``.

    Args:
        image: the program.
        inputs: per model input ``[samples, ...]`` in its element type.
        timeout_s: limit for all samples together.

    Raises:
        ToolFailed: a sanitizer stopped the program, the model returned an error, or the time
            was up.
    """
    samples = write_samples(image, inputs)
    done = run_tool([f"./{image.program}"], image.work, timeout_s=timeout_s, check=False)
    if done.returncode != 0:
        raise explain_failure(done, "the host")
    produced = read_results(image, samples)
    return HostRun(produced.outputs, produced.dumps)
