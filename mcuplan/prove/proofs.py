# SPDX-License-Identifier: Apache-2.0
"""The proof: the compiled code computes what the integer reference computes, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mcuplan.findings import DEFECT_HINT, Finding, Severity
from mcuplan.ir.types import Array
from mcuplan.prove.application import application_on_core, application_on_host
from mcuplan.prove.boundary import RUN_SAMPLES, Feeds, blocks, samples_of, together
from mcuplan.prove.cores import Core
from mcuplan.prove.counter import build_counter
from mcuplan.prove.drift import elf_drift
from mcuplan.prove.dumps import Part
from mcuplan.prove.emulator import CallCount, Count, EmulatorRun, run_on_core, total
from mcuplan.prove.harness import (
    OPTIMIZE,
    CoreImage,
    Hook,
    Image,
    build_for_core,
    build_for_host,
)
from mcuplan.prove.host import HostRun, run_on_host, run_sanitized
from mcuplan.prove.measure import ImageReport, measure_image
from mcuplan.prove.stack import StackBound, bound_stack
from mcuplan.prove.subject import Subject
from mcuplan.prove.toolchain import Compiler, cross_compiler, host_compiler
from mcuplan.schedule.program import FEED, Plan
from mcuplan.tempfiles import temporary_folder

__all__ = [
    "CoreProof",
    "HostProof",
    "Measured",
    "Mismatch",
    "Subject",
    "count_call",
    "count_on_core",
    "measure_on_core",
    "outputs_equal",
    "prove_on_core",
    "prove_on_host",
    "references",
]

_RUN_BYTES = 1 << 26  # of one run of a program, with what it writes
_INPUT_COPIES = 32  # bytes for each of an input on its way from real values to a file


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first step, in execution order, whose bytes differ from the reference.

    ``sample`` is the first one in which they do; ``step`` is -1 for an output that no step makes.
    """

    step: int
    sample: int


@dataclass(frozen=True, slots=True)
class HostProof:
    """All samples on this computer, every step compared; under sanitizers where there are.

    ``findings`` are what else contradicts the plan, or what the header says.
    """

    samples: int
    mismatch: Mismatch | None
    sanitized: bool = True
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What an image without hook measures, and what it was built with."""

    report: ImageReport
    stack: StackBound
    compiler: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoreProof:
    """Some samples on an emulated core, and what the image measures.

    ``steps`` are instructions and cycles by step of the slowest sample; ``total`` of an
    image without hook. ``findings`` as in :class:`HostProof`.
    """

    core: str
    samples: int
    equal: bool
    measured: Measured
    drift: tuple[str, ...]
    stack_bytes: int
    total: Count
    steps: tuple[Count, ...]
    findings: tuple[Finding, ...] = ()
    calls: tuple[Count, ...] = ()


def references(
    subject: Subject, feeds: Mapping[str, Array]
) -> Iterator[tuple[slice, Mapping[str, Array]]]:
    """Every activation and output, for some samples at a time: which ones, and the values."""
    made = [name for node in subject.graph.nodes for name in node.outputs]
    keep = [*made, *(port.tensor for port in subject.graph.app_outputs)]
    whole = subject.graph if subject.removal is None else subject.removal.whole
    for start, block in blocks(feeds, together(whole)):
        yield slice(start, start + samples_of(block)), subject.expected(block, keep)


def prove_on_host(subject: Subject, feeds: Mapping[str, Array] | Feeds) -> HostProof:
    """Compile with sanitizers where they work, run all samples, compare every step's output.

    Whatever no later step needs is overwritten between the steps. Memory does not grow with
    the samples: the program runs for some of them at a time.

    Args:
        subject: what to prove.
        feeds: integers of each input by tensor name, [samples, ...].

    Raises:
        ToolMissing, ToolFailed: no compiler; or a sanitizer stopped the program.
    """
    parts = subject.parts()

    def build(compiler: Compiler, work: Path, sanitize: bool) -> Image:
        return build_for_host(
            subject.files,
            subject.api(),
            work,
            compiler,
            dumps=tuple(part.dump for part in parts),
            dead=subject.dead(),
            sanitize=sanitize,
            kept=subject.kept(),
        )

    image, sanitized, first, stray = None, True, None, None
    with temporary_folder() as work:
        for start, batch in blocks(feeds, _run_size(subject, parts)):
            if image is None:
                image, run, sanitized = run_sanitized(build, work, subject.arrays(batch))
            else:
                run = run_on_host(image, subject.arrays(batch))
            found = _compared(subject, parts, run, batch, start)
            first = min((m for m in (first, *found) if m), key=_place, default=None)
            stray = stray or _shifted(run.stray, start)
        used = tuple(application_on_host(subject, image)) if image is not None else ()
    findings = (*_stray(subject, "host", stray), *used)
    return HostProof(samples_of(feeds), first, sanitized, findings)


def _run_size(subject: Subject, parts: Sequence[Part]) -> int:
    """Samples that a program runs at once, so that dumps and inputs stay small."""
    inputs = sum(subject.graph.tensor(port.tensor).type.nbytes for port in subject.graph.app_inputs)
    nbytes = _INPUT_COPIES * inputs + sum(part.dump.nbytes for part in parts)
    return max(1, min(RUN_SAMPLES, _RUN_BYTES // max(1, nbytes)))


def _place(found: Mismatch) -> tuple[int, int]:
    return found.step, found.sample


def _shifted(stray: tuple[int, int] | None, start: int) -> tuple[int, int] | None:
    """A step and a sample of all, of a run whose first sample is ``start``."""
    return None if stray is None else (stray[0], start + stray[1])


def _compared(
    subject: Subject,
    parts: Sequence[Part],
    run: HostRun,
    feeds: Mapping[str, Array],
    start: int,
) -> Iterator[Mismatch]:
    """What differs in one run of the program, whose first sample is ``start``."""
    for at, values in references(subject, feeds):
        shown = [dump[at] for dump in run.dumps]
        yield from _mismatches(subject, parts, shown, values, start + at.start)
        outputs = [output[at] for output in run.outputs]
        yield from _wrong_outputs(subject, outputs, values, start + at.start)


def prove_on_core(subject: Subject, feeds: Mapping[str, Array] | Feeds, core: Core) -> CoreProof:
    """Build for a core, run on the emulator, compare outputs and measure.

    A second image, which counts step by step, spoils dead bytes between the steps.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
        StackUnknown: the stack cannot be bounded.
    """
    files, api, compiler = subject.files, subject.api(), cross_compiler()
    with temporary_folder() as top:
        counter = build_counter(_made(top / "counter"), host_compiler())
        image = build_for_core(files, api, _made(top / "plain"), core, compiler)
        equal, run = _run_on_core(subject, image, feeds, counter)
        hooked = build_for_core(
            files,
            api,
            _made(top / "count"),
            core,
            compiler,
            hook=Hook.COUNT,
            dead=subject.dead(),
            kept=subject.kept(),
        )
        _, first = next(blocks(feeds, 1))
        same, spoiled = _run_on_core(subject, hooked, first, counter)
        measured, place = _measured(image), f"emulator {core.name}"
        used = tuple(application_on_core(subject, image))
        return CoreProof(
            core=core.name,
            samples=samples_of(feeds),
            equal=equal and same,
            measured=measured,
            drift=elf_drift(subject, measured.report),
            stack_bytes=run.stack_bytes,
            total=run.slowest.total,
            steps=_by_step(subject.plan, spoiled.slowest.steps),
            findings=(*_stray(subject, place, spoiled.stray), *used),
            calls=run.slowest.calls,
        )


def _run_on_core(
    subject: Subject, image: CoreImage, feeds: Mapping[str, Array] | Feeds, counter: Path
) -> tuple[bool, EmulatorRun]:
    """Run all samples; whether the outputs equal the reference, and one run with the slowest."""
    equal, slowest, stack = True, [], 0
    for _, batch in blocks(feeds, _run_size(subject, ())):
        run = run_on_core(image, subject.arrays(batch), counter, subject.memory)
        for at, block in blocks(batch, together(subject.graph)):
            shown = tuple(output[at : at + samples_of(block)] for output in run.outputs)
            equal = outputs_equal(subject, block, shown) and equal
        slowest.append(run.slowest)
        stack = max(stack, run.stack_bytes)
    return equal, replace(run, stack_bytes=stack, calls=tuple(slowest))


def count_on_core(subject: Subject, feeds: Mapping[str, Array], core: Core) -> tuple[Count, ...]:
    """Instructions and cycles by step of the slowest sample; nothing is compared.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    return _by_step(subject.plan, count_call(subject, feeds, core).steps)


def count_call(subject: Subject, feeds: Mapping[str, Array], core: Core) -> CallCount:
    """The same of the whole call, and of each run of rows.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    files, api = subject.files, subject.api()
    with temporary_folder() as top:
        counter = build_counter(_made(top / "counter"), host_compiler())
        work = _made(top / "count")
        image = build_for_core(files, api, work, core, cross_compiler(), hook=Hook.COUNT)
        inputs = subject.arrays(feeds)
        return run_on_core(image, inputs, counter, subject.memory).slowest


def _stray(subject: Subject, place: str, found: tuple[int, int] | None) -> Iterator[Finding]:
    """The step, or that of the run of rows, which wrote what it must not, and the sample."""
    if found is None:
        return
    plan, (at, sample) = subject.plan, found
    step = plan.runs[at].step
    what = "taking a row" if step == FEED else f"step {step}"
    graph = subject.graph
    yield Finding(
        "verify/stray-write",
        Severity.ERROR,
        f"{place}: {what} writes beside its output and scratch, sample {sample}",
        "" if step == FEED else graph.node_name(plan.program.steps[step].node),
        DEFECT_HINT,
    )


def _by_step(plan: Plan, counts: Sequence[Count]) -> tuple[Count, ...]:
    """Counts of runs of rows as counts of steps; taking rows counts for the step that follows."""
    found: list[list[Count]] = [[] for _ in plan.program.steps]
    taken: list[Count] = []
    for run, count in zip(plan.runs, counts, strict=True):
        taken.append(count)
        if run.step != FEED:
            found[run.step] += taken
            taken = []
    return tuple(map(total, found))


def measure_on_core(subject: Subject, core: Core) -> Measured:
    """Build without running.

    Raises:
        ToolMissing, ToolFailed: the compiler is missing, or failed.
        StackUnknown: the stack cannot be bounded.
    """
    with temporary_folder() as work:
        files, api = subject.files, subject.api()
        return _measured(build_for_core(files, api, work, core, cross_compiler()))


def _measured(image: CoreImage) -> Measured:
    flags = (OPTIMIZE, *image.core.flags)
    return Measured(measure_image(image), bound_stack(image), image.compiler.version, flags)


def _mismatches(
    subject: Subject,
    parts: Sequence[Part],
    dumps: Sequence[Array],
    values: Mapping[str, Array],
    start: int,
) -> Iterator[Mismatch]:
    """Every part of a step's output that differs in a block of samples."""
    steps = subject.plan.program.steps
    for part, dump in zip(parts, dumps, strict=True):
        name = steps[part.step].node.outputs[part.output]
        expected = _bytes(values[name].reshape(len(dump), -1)).view(np.int8)
        differs = (dump != expected[:, part.start : part.start + part.dump.nbytes]).any(axis=1)
        if differs.any():
            yield Mismatch(part.step, start + int(np.flatnonzero(differs)[0]))


def _wrong_outputs(
    subject: Subject, outputs: Sequence[Array], values: Mapping[str, Array], start: int
) -> Iterator[Mismatch]:
    """Outputs as the application gets them that differ in a block of samples."""
    every = subject.plan.program.steps
    steps = {name: step.index for step in every for name in step.node.outputs}
    for port, output in zip(subject.graph.app_outputs, outputs, strict=True):
        expected = values[port.tensor].reshape(len(output), -1)
        differs = (_bytes(output) != _bytes(expected)).any(axis=1)
        if differs.any():
            yield Mismatch(steps.get(port.tensor, -1), start + int(np.flatnonzero(differs)[0]))


def _bytes(values: Array) -> Array:
    """Of which equal ones are told: what is no number equals itself."""
    return np.ascontiguousarray(values).view(np.uint8)


def outputs_equal(subject: Subject, feeds: Mapping[str, Array], outputs: tuple[Array, ...]) -> bool:
    """Whether some samples gave the bytes that the reference has for the model's outputs."""
    names = [port.tensor for port in subject.graph.app_outputs]
    values = subject.expected(feeds, names)
    return all(
        bool(np.array_equal(_bytes(values[name].reshape(len(out), -1)), _bytes(out)))
        for name, out in zip(names, outputs, strict=True)
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
