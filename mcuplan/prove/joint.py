# SPDX-License-Identifier: Apache-2.0
"""Links several models together, compares the image with their plans, and runs each in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcuplan.emit.joint import Joint
from mcuplan.findings import DEFECT_HINT, Finding, Severity
from mcuplan.packages import Product, example_files
from mcuplan.prove.cores import CORES
from mcuplan.prove.drift import arenas_drift, constants_drift
from mcuplan.prove.elf import Kind
from mcuplan.prove.emulator import run_machine
from mcuplan.prove.harness import OPTIMIZE
from mcuplan.prove.measure import ImageReport, Linked, linked_sizes, measure_linked
from mcuplan.prove.toolchain import (
    BUNDLE_FLAGS,
    compile_sources,
    cross_compiler,
    link,
    said,
    write_files,
)
from mcuplan.record import BuildFigures
from mcuplan.record.joint import JointProof
from mcuplan.tempfiles import temporary_folder

__all__ = ["JointRun", "prove_joint"]

_BUNDLE = PurePosixPath("bundle")
_MAP = PurePosixPath("image.map")
_EXAMPLE_FLAGS = ("-std=c99", "-O2", "-ffreestanding", "-fno-tree-loop-distribute-patterns")
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class JointRun:
    """Sizes of all models linked together, what they proved, and what they did not."""

    build: BuildFigures
    proof: JointProof
    findings: tuple[Finding, ...]


def prove_joint(joint: Joint, product: Product) -> JointRun:
    """Build the example of all models for their core, measure it, and run it.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator is missing, or failed.
    """
    core = CORES[product.target.core].with_flags(product.target.flags)
    compiler = cross_compiler()
    with temporary_folder() as work:
        example = example_files(product)
        write_files({_BUNDLE / path: text for path, text in product.files.items()}, work)
        write_files(example, work)
        sources = [_BUNDLE / path for path in product.sources]
        include = (f"-I{_BUNDLE}",)
        flags = (*BUNDLE_FLAGS, OPTIMIZE, *core.flags, *include)
        objects = compile_sources(compiler, sources, work, flags)
        own = [path for path in example if path.suffix == ".c"]
        flags = (*_EXAMPLE_FLAGS, *core.flags, *include, "-Iexamples")
        objects += compile_sources(compiler, own, work, flags)
        script = next(path for path in example if path.suffix == ".ld")
        linking = _linking(core.flags, script)
        program = link(compiler, objects, PurePosixPath("image.elf"), work, linking)
        arenas = [f"{product.name}_example_{member}" for _, member in product.arenas]
        report = measure_linked(Linked(work, program, _MAP, compiler), arenas)
        done = run_machine(core.machine, program, work, timeout_s=_TIMEOUT_S)
    drift = tuple(_drift(joint, report))
    findings = [Finding("elf/drift", Severity.ERROR, line, hint=DEFECT_HINT) for line in drift]
    if done.returncode != 0:
        text = f"models in one image give other values than the reference: {said(done)}"
        findings.append(Finding("verify/equal", Severity.ERROR, text, hint=DEFECT_HINT))
    proof = JointProof(core.name, not drift, done.returncode == 0)
    build = linked_sizes(report, compiler.version, (OPTIMIZE, *core.flags))
    return JointRun(build, proof, tuple(findings))


def _linking(core: tuple[str, ...], script: PurePosixPath) -> tuple[str, ...]:
    return (
        f"-Wl,-Map={_MAP}",
        *core,
        "-nostdlib",
        f"-Wl,-T,{script}",
        "-Wl,--gc-sections",
        "-Wl,--start-group,-lc,-lgcc,--end-group",
    )


def _drift(joint: Joint, report: ImageReport) -> Iterator[str]:
    """Where the image differs from the plans."""
    for bundle in joint.bundles:
        yield from constants_drift(bundle, report)
    yield from arenas_drift(joint.regions, report)
    counted = Counter(
        symbol.name
        for symbol in report.symbols
        if symbol.kind is Kind.TEXT and symbol.name.startswith("mplan_")
    )
    wanted = {path.stem for path in joint.files if path.parts[0] == "mplan" and path.suffix == ".c"}
    for name in sorted(wanted):
        if counted[name] != 1:
            yield f"kernel {name}: linked {counted[name]} times, once planned"
