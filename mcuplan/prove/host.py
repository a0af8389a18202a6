# SPDX-License-Identifier: Apache-2.0
"""Runs a test image on this computer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcuplan.errors import ToolFailed
from mcuplan.prove.api import Bytes
from mcuplan.prove.harness import SANITIZE, Image
from mcuplan.prove.samples import explain_failure, read_results, write_samples
from mcuplan.prove.toolchain import Compiler, host_compiler, host_compilers, lacks, run_tool

__all__ = ["HostRun", "run_on_host", "run_sanitized"]


@dataclass(frozen=True, slots=True)
class HostRun:
    """Outputs, and tensors kept after steps, each ``[samples, nbytes]``.

    ``stray`` is the first step that wrote what it must not, and the sample.
    """

    outputs: tuple[Bytes, ...]
    dumps: tuple[npt.NDArray[np.int8], ...]
    stray: tuple[int, int] | None = None


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
    produced = read_results(image, samples, str(image.program))
    return HostRun(produced.outputs, produced.dumps, produced.stray)


def run_sanitized(
    build: Callable[[Compiler, Path, bool], Image], work: Path, inputs: tuple[Bytes, ...]
) -> tuple[Image, HostRun, bool]:
    """Build with a compiler whose sanitizers work here and run; whether there was one.

    Args:
        build: makes the image with a compiler, in a folder, with sanitizers or without.
        work: empty folder.
        inputs: per model input ``[samples, ...]`` in its element type.

    Raises:
        ToolMissing, ToolFailed: no compiler; or it, a sanitizer or the model failed.
    """
    for program in host_compilers():
        compiler = host_compiler(program)
        folder = work / program
        folder.mkdir()
        try:
            image = build(compiler, folder, True)
            return image, run_on_host(image, inputs), True
        except ToolFailed as error:
            slow = isinstance(error.__cause__, subprocess.TimeoutExpired)
            if slow or not lacks(compiler, SANITIZE, folder):
                raise
    folder = work / "plain"
    folder.mkdir()
    image = build(host_compiler(), folder, False)
    return image, run_on_host(image, inputs), False
