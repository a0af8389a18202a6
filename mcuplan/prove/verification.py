# SPDX-License-Identifier: Apache-2.0
"""Builds, runs and measures a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mcuplan import pipeline, words
from mcuplan.backends import library_of
from mcuplan.budget.footprint import flash_bill, ram_bill
from mcuplan.calibrate import Data, random_data, read_data
from mcuplan.errors import ToolFailed, UsageError
from mcuplan.findings import Finding, Severity
from mcuplan.importer import Form
from mcuplan.prove.bill import bill_findings
from mcuplan.prove.boundary import Feeds
from mcuplan.prove.cmsis_nn import called_sources
from mcuplan.prove.cores import CORES, Core
from mcuplan.prove.evidence import (
    Agreement,
    against_runtime,
    core_record,
    host_record,
    layer_name,
    measured_build,
    measured_calls,
    measured_cycles,
    measured_instructions,
    measured_stalls,
)
from mcuplan.prove.judge import Thresholds
from mcuplan.prove.proofs import CoreProof, Subject, measure_on_core, prove_on_core, prove_on_host
from mcuplan.record import (
    BuildFigures,
    Evidence,
    LayerNoise,
    Limits,
    Planned,
    Request,
    Verification,
)
from mcuplan.schedule.program import Plan
from mcuplan.targets import Target

__all__ = [
    "Wanted",
    "core_of",
    "inputs_of",
    "measure",
    "portable_subject",
    "subject_of",
    "verify",
]

_DRIFT_SHOWN = 5
_NOT_SANITIZED = Finding(
    "verify/no-sanitizers",
    Severity.WARNING,
    "no compiler here has working sanitizers: bytes were compared, wrong addresses not looked for",
    hint="apt-get install gcc libclang-rt-dev",
)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to verify, where, and on which inputs; ``samples`` bounds the emulator's."""

    name: str
    inputs: Path | None = None
    on: tuple[str, ...] = ("host", "emulator")
    samples: int = 3
    min_sqnr: float = 10.0  # dB that every output must have


def verify(
    planned: Planned, request: Request, wanted: Wanted, progress: Progress | None = None
) -> Evidence:
    """Compile the plan, run it, compare every output byte, and measure.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
        DataError: the inputs do not fit the model.
        UsageError: the model has no inputs.
    """
    say = progress or (lambda text: None)
    data = inputs_of(planned, request, wanted)
    feeds = Feeds(planned.integer, data)
    quantized = planned.model.form is not Form.FLOAT32
    findings, runs = list[Finding](), list[Verification]()
    say(f"comparing {data.samples:,} samples with ONNX Runtime")
    limits = Thresholds(min_sqnr=wanted.min_sqnr, made_up=planned.random_ranges)
    seen = against_runtime(
        request.model, planned.removal.whole, data, quantized=quantized, limits=limits
    )
    findings += (*seen.findings, *_notes(data if wanted.inputs is not None else None))
    if "host" in wanted.on:
        say(f"running {data.samples:,} samples on this computer under sanitizers")
        record, found = _on_host(
            portable_subject(planned, wanted.name), data, _named(planned, seen)
        )
        runs.append(record)
        findings += found
    evidence, proof = _of_layers(planned.plan, seen), None
    if "emulator" in wanted.on:
        few = replace(feeds, data=data.first(wanted.samples))
        say(f"running {min(wanted.samples, data.samples)} samples on the emulator")
        subject = subject_of(planned, wanted.name)
        proof = prove_on_core(subject, few, core_of(planned.plan.program.target))
        runs.append(core_record(proof, None if runs else seen))
        findings += (*proof.findings, *_drift(proof))
        evidence = replace(
            evidence,
            build=measured_build(proof.measured),
            cycles=measured_cycles(proof),
            stalls=measured_stalls(proof),
            instructions=measured_instructions(proof),
            calls=measured_calls(proof),
        )
    findings += _bill(planned.plan, evidence.build, proof)
    return replace(evidence, verifications=tuple(runs), findings=tuple(findings))


def _on_host(
    portable: Subject, data: Data, seen: Agreement
) -> tuple[Verification, tuple[Finding, ...]]:
    """Run the portable program, whose rows of the input may be others."""
    host = prove_on_host(portable, Feeds(portable.graph, data))
    record = host_record(host, seen)
    if host.mismatch is not None and host.mismatch.step >= 0:
        node = portable.plan.program.steps[host.mismatch.step].node
        record = replace(record, first_diverging_layer=portable.graph.node_name(node))
    return record, (*host.findings, *(() if host.sanitized else (_NOT_SANITIZED,)))


def portable_subject(planned: Planned, name: str) -> Subject:
    """What this computer can run: the same integer graph with the portable kernels.

    Fast kernels are the emulator's to prove; they equal the portable ones bit for bit.
    """
    target = planned.plan.program.target
    if target.backend != "c99":
        planned = pipeline.retarget(planned, replace(target, backend="c99"))
    return subject_of(planned, name)


def subject_of(planned: Planned, name: str) -> Subject:
    """Generated code beside the plan that it is made of, with the library that it calls.

    Raises:
        ToolMissing, UsageError: of a library that is not there.
    """
    made, library = pipeline.generate(planned, name), dict[PurePosixPath, str]()
    if any(map(library_of, made.kernel_sets)):
        library |= called_sources(planned.request.library, made.files)
    return Subject(made, planned.plan, planned.removal, library)


def inputs_of(planned: Planned, request: Request, wanted: Wanted) -> Data:
    """Inputs asked for, else those of the calibration, else random ones.

    Raises:
        UsageError: the model has no inputs.
    """
    ports = planned.model.graph.app_inputs
    if not planned.integer.inputs:
        hint = "its outputs are constants"
        raise UsageError("the model has no inputs to verify it on", hint=hint)
    path = wanted.inputs or request.calibration
    if path is None:
        return random_data(ports)
    return read_data(path, ports, request.reading, bar=request.bar)


def core_of(target: Target) -> Core:
    """The emulated core that stands for a target's.

    Raises:
        ToolFailed: there is none.
    """
    core = CORES.get(target.core)
    if core is None:
        hint = f"--on host, or a target with one of {', '.join(CORES)}"
        raise ToolFailed(f"no emulated machine has a {target.core}", "", hint)
    return core.with_flags(target.flags)


def _named(planned: Planned, seen: Agreement) -> Agreement:
    """The diverging layer by the name the user knows."""
    if seen.diverging is None:
        return seen
    return replace(seen, diverging=layer_name(planned.removal.whole, seen.diverging))


def _notes(data: Data | None) -> Iterator[Finding]:
    """Of inputs that are none of the calibration, whose notes stand in the plan."""
    for fact in data.notes if data is not None else ():
        yield Finding("model/note", Severity.NOTE, words.note(fact))


def _of_layers(plan: Plan, seen: Agreement) -> Evidence:
    """Relative error and noise of each step whose output the runtime shows."""
    errors, noise, steps = dict[int, float](), dict[int, LayerNoise](), dict[int, int]()
    for step in plan.program.steps:
        layer = seen.layers.get(step.node.output)
        if layer is not None and layer.error is not None:
            errors[step.index] = round(layer.error, 6)
        if layer is not None and layer.noise is not None:
            noise[step.index] = layer.noise
        if layer is not None and layer.max_lsb is not None:
            steps[step.index] = layer.max_lsb
    return Evidence(errors=errors, noise=noise, max_lsb=steps)


def _bill(plan: Plan, build: BuildFigures | None, proof: CoreProof | None) -> Iterator[Finding]:
    """Totals of the report that are not the sum of what there is."""
    ram, flash = ram_bill(plan, Limits(), build), flash_bill(plan, Limits(), build)
    yield from bill_findings(plan, ram, flash, proof.measured if proof is not None else None)


def _drift(proof: CoreProof) -> Sequence[Finding]:
    """Where the image differs from the plan; the report's record says that it does."""
    return [Finding("elf/drift", Severity.NOTE, line) for line in proof.drift[:_DRIFT_SHOWN]]


def measure(planned: Planned, name: str) -> Evidence:
    """Compile without running: code and stack.

    Raises:
        ToolMissing, ToolFailed: the compiler is missing, or failed.
    """
    subject = subject_of(planned, name)
    measured = measure_on_core(subject, core_of(planned.plan.program.target))
    return Evidence(build=measured_build(measured))
