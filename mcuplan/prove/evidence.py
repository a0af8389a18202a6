# SPDX-License-Identifier: Apache-2.0
"""All that one emulated core says about a bundle, in one call.

Outputs, sizes, stack and the cycles of a call come from the bundle as it ships. The cycles of
each step come from a second image that marks where a step ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcuplan.prove.api import BundleApi, Bytes
from mcuplan.prove.cores import Core
from mcuplan.prove.emulator import Count, EmulatorRun, run_on_core
from mcuplan.prove.harness import Hook, build_for_core
from mcuplan.prove.measure import ImageReport, measure_image
from mcuplan.prove.stack import StackBound, bound_stack
from mcuplan.prove.toolchain import Compiler

__all__ = ["CoreEvidence", "prove_on_core"]


@dataclass(frozen=True, slots=True)
class CoreEvidence:
    """What a bundle does and needs on a core.

    Attributes:
        run: outputs, measured stack, and a count per sample, of the bundle as it ships.
        steps: per step, for the first sample; a few instructions more than in ``run``.
        sizes: bytes in the linked image.
        stack: static bound; never below ``run.stack_bytes``.
        compiler: its version line.
        flags: processor flags and optimization level.
    """

    run: EmulatorRun
    steps: tuple[Count, ...]
    sizes: ImageReport
    stack: StackBound
    compiler: str
    flags: tuple[str, ...]


def prove_on_core(
    files: Mapping[PurePosixPath, str],
    api: BundleApi,
    work: Path,
    core: Core,
    compiler: Compiler,
    inputs: tuple[Bytes, ...],
    *,
    counter: Path,
    optimize: str = "-O2",
    timeout_s: float = 600.0,
) -> CoreEvidence:
    """Build, run, count and measure a bundle; arguments as of the stages that this calls.

    Raises:
        ToolMissing, ToolFailed: as they do.
        StackUnknown: the stack cannot be bounded.
    """
    plain, marked = work / "plain", work / "marked"
    for folder in (plain, marked):
        folder.mkdir(parents=True)
    image = build_for_core(files, api, plain, core, compiler, optimize=optimize)
    run = run_on_core(image, inputs, counter=counter, timeout_s=timeout_s)
    steps_image = build_for_core(
        files, api, marked, core, compiler, hook=Hook.COUNT, optimize=optimize
    )
    first = tuple(array[:1] for array in inputs)
    counted = run_on_core(steps_image, first, counter=counter, timeout_s=timeout_s)
    return CoreEvidence(
        run=run,
        steps=counted.slowest.steps,
        sizes=measure_image(image),
        stack=bound_stack(image),
        compiler=compiler.version,
        flags=(optimize, *core.flags),
    )
