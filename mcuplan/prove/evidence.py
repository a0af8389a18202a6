# SPDX-License-Identifier: Apache-2.0
"""Everything a verification shows, as records of the report and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mcuplan.calibrate import Data
from mcuplan.errors import DataError
from mcuplan.findings import DEFECT_HINT, Finding, Severity
from mcuplan.ir.evaluate import evaluate, first_states, left_states
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Tolerance
from mcuplan.ir.types import Array
from mcuplan.memory_system import NO_STALLS, Stalls
from mcuplan.passes.fuse_attention import attention_in_parts
from mcuplan.prove.boundary import boundary_inputs, real_inputs, real_outputs, together
from mcuplan.prove.compare import (
    LayerError,
    ModelRuntime,
    QuantizedLayers,
    rounded_tensors,
    tolerances_of,
)
from mcuplan.prove.ends import EndToEnd
from mcuplan.prove.judge import Thresholds, judged
from mcuplan.prove.measure import ImageReport, linked_sizes
from mcuplan.prove.proofs import CoreProof, HostProof, Measured
from mcuplan.prove.sensitivity import FloatLayers, sensitivity_findings
from mcuplan.record import (
    Accuracy,
    BuildFigures,
    ElfFigures,
    LinkedSymbol,
    OutputError,
    SampleError,
    StackFigures,
    StallCycles,
    Verification,
)
from mcuplan.units import Origin

__all__ = [
    "Agreement",
    "against_runtime",
    "core_record",
    "host_record",
    "layer_name",
    "measured_build",
    "measured_calls",
    "measured_cycles",
    "measured_instructions",
    "measured_stalls",
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The integer program beside ONNX Runtime on the same samples.

    ``layers`` by tensor. ``diverging`` is the first layer beyond the limit: more than
    1 LSB (quantized model), or an error larger than half the value (float model).
    ``decisions``: share of samples with the runtime's, where an output has class scores;
    ``changed``: the first samples without; ``ties``: those whose largest score is there more than
    once. ``worst``: those that are furthest off.
    """

    layers: Mapping[str, LayerError]
    diverging: str | None
    max_lsb: int | None
    exact_share: float | None
    decisions: float | None
    ties: int | None
    changed: tuple[int, ...]
    worst: tuple[SampleError, ...]
    accuracy: Accuracy | None
    outputs: tuple[OutputError, ...]
    findings: tuple[Finding, ...]

    @property
    def layer_max_lsb(self) -> int | None:
        """The worst layer of a quantized model."""
        return max((e.max_lsb for e in self.layers.values() if e.max_lsb is not None), default=None)


def against_runtime(
    path: Path, graph: Graph, data: Data, *, quantized: bool, limits: Thresholds | None = None
) -> Agreement:
    """Run model file and integer program on the same samples and compare.

    Memory does not grow with the samples: they are seen some at a time.

    Args:
        path: the model file.
        graph: lowered graph.
        data: samples, with labels where there are any.
        quantized: the model brings its own grids; its layers are compared one by one.
        limits: what counts as a finding.

    Raises:
        DataError: the labels do not fit the outputs, or a sample gives none that are finite.
    """
    divided, limits = attention_in_parts(graph), limits or Thresholds()
    layers = QuantizedLayers(divided) if quantized else FloatLayers(graph)
    ends = EndToEnd(graph, data, quantized=quantized)
    runtime, states = ModelRuntime(path, divided), first_states(graph)
    wanted = [n for node in graph.nodes for n in node.outputs] + [p.tensor for p in graph.outputs]
    for start, part in data.parts(together(graph)):
        feeds, block = boundary_inputs(graph, part), runtime.values(part)
        _check_finite(graph, start, block.outputs)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite differs
            ours = evaluate(graph, feeds, wanted, states)
            states = left_states(graph, ours)
            mine = [real_outputs(graph, port, ours[port.tensor]) for port in graph.app_outputs]
            layers.update(feeds, ours, block)
            ends.update(start, block.outputs, mine, real_inputs(graph, part))
    table, seen, allowed = layers.result(), ends.result(), tolerances_of(divided)
    diverging = next((n for n, error in table.items() if error.is_beyond(allowed[n])), None)
    found = (
        *_runtime_findings(runtime),
        *_layer_findings(divided, diverging, table, allowed),
        *judged(seen, data, limits, quantized=quantized),
    )
    named = partial(layer_name, graph)
    return Agreement(
        table,
        diverging,
        seen.max_lsb,
        seen.exact_share,
        seen.decisions,
        seen.ties,
        seen.changed,
        seen.worst,
        seen.accuracy,
        tuple(each.error for each in seen.outputs),
        (*found, *(() if limits.made_up else sensitivity_findings(table, named, found))),
    )


def _check_finite(graph: Graph, start: int, outputs: Sequence[Array]) -> None:
    """Raise where the model itself has no number to be compared with.

    Raises:
        DataError: an output is NaN or infinite, as where sums leave float32.
    """
    for port, values in zip(graph.app_outputs, outputs, strict=True):
        strange = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if strange.size:
            what = f"output {port.name!r} of the model is NaN or infinite"
            where = f"sample {start + int(strange[0])}"
            raise DataError(what, where, "leave such samples out: there is nothing to compare with")


def _runtime_findings(runtime: ModelRuntime) -> Iterator[Finding]:
    if runtime.refused:
        yield Finding(
            "verify/reference-evaluator",
            Severity.NOTE,
            f"compared with ONNX's reference evaluator: {runtime.refused}",
        )


def _layer_findings(
    graph: Graph,
    diverging: str | None,
    table: Mapping[str, LayerError],
    allowed: Mapping[str, Tolerance],
) -> Iterator[Finding]:
    if diverging is None:
        return
    layer, tolerance = table[diverging], allowed[diverging]
    if layer.max_lsb is not None:
        yield Finding(
            "verify/layer",
            Severity.ERROR,
            f"a layer is {layer.max_lsb} LSB off the runtime's, {tolerance.lsb} allowed",
            layer_name(graph, diverging),
        )
    elif diverging not in rounded_tensors(graph):
        yield Finding(
            "verify/layer",
            Severity.ERROR,
            f"a layer is {layer.error:.1e} of its values off the runtime's,"
            f" {tolerance.error:.0e} allowed",
            layer_name(graph, diverging),
            DEFECT_HINT,
        )
    else:
        yield Finding(
            "verify/layer-error",
            Severity.WARNING,
            f"quantization error is {100 * (layer.error or 0):.0f} % of the layer's values",
            layer_name(graph, diverging),
            "calibrate with more representative inputs; values of many magnitudes: --layer-dtype "
            "NAME=float32 for this layer and for those that read it",
        )


def layer_name(graph: Graph, tensor: str) -> str:
    """What makes a tensor, by the name the user knows."""
    producer = graph.producers().get(tensor)
    return graph.node_name(producer) if producer is not None else graph.tensor_name(tensor)


def host_record(proof: HostProof, seen: Agreement | None) -> Verification:
    """The report's record of a run on this computer."""
    return Verification(
        on="host",
        core="host",
        samples=proof.samples,
        equal_to_reference=proof.mismatch is None,
        max_lsb=seen.max_lsb if seen else None,
        exact_share=seen.exact_share if seen else None,
        top1_agreement=seen.decisions if seen else None,
        layer_max_lsb=seen.layer_max_lsb if seen else None,
        first_diverging_layer=seen.diverging if seen else None,
        accuracy=seen.accuracy if seen else None,
        elf=None,
        stack=None,
        instructions=None,
        cycles=None,
        outputs=seen.outputs if seen else (),
        changed=seen.changed if seen else (),
        ties=seen.ties if seen else None,
        worst=seen.worst if seen else (),
    )


def core_record(proof: CoreProof, seen: Agreement | None = None) -> Verification:
    """The report's record of a run on an emulated core; ``seen`` where no other record has it."""
    report, stack = proof.measured.report, proof.measured.stack
    stalls = proof.total.stalls
    return Verification(
        on="emulator",
        core=proof.core,
        samples=proof.samples,
        equal_to_reference=proof.equal,
        max_lsb=None,
        exact_share=None,
        top1_agreement=None,
        layer_max_lsb=None,
        first_diverging_layer=None,
        accuracy=None,
        elf=ElfFigures(
            report.data_bytes,
            report.constants_bytes + report.constants_padding_bytes,
            report.code_bytes + report.code_padding_bytes,
            not proof.drift,
        ),
        stack=StackFigures(stack.nbytes, proof.stack_bytes),
        instructions=proof.total.instructions,
        cycles=proof.total.cycles,
        outputs=seen.outputs if seen else (),
        stall_cycles=StallCycles.of(stalls, Origin.MEASURED) if stalls != NO_STALLS else None,
        calls=measured_calls(proof),
    )


def measured_build(measured: Measured) -> BuildFigures:
    """Sizes of the linked image, which take the place of the model's."""
    report = measured.report
    found = linked_sizes(report, measured.compiler, measured.flags)
    return replace(found, stack_bytes=measured.stack.nbytes, symbols=_symbols(report))


def _symbols(report: ImageReport) -> tuple[LinkedSymbol, ...]:
    """Functions and constants by address, then what comes from libraries."""
    own = (
        LinkedSymbol(s.name, s.nbytes, s.kind.value, s.object, s.address) for s in report.symbols
    )
    return (*own, *(LinkedSymbol(m.name, m.nbytes, "text", m.name) for m in report.library))


def measured_cycles(proof: CoreProof) -> Mapping[int, int]:
    """Cycles of each step, where the core has a cycle table."""
    return {i: count.cycles for i, count in enumerate(proof.steps) if count.cycles is not None}


def measured_calls(proof: CoreProof) -> tuple[int, ...]:
    """Cycles of each call with what it waits, where a sample takes several that were counted."""
    counts = proof.calls if len(proof.calls) > 1 else ()
    cycles = [round(c.cycles + c.stalls.cycles) for c in counts if c.cycles is not None]
    return tuple(cycles)


def measured_stalls(proof: CoreProof) -> Mapping[int, Stalls]:
    """What each step waits on a board, where that was counted."""
    return {i: c.stalls for i, c in enumerate(proof.steps) if proof.total.stalls != NO_STALLS}


def measured_instructions(proof: CoreProof) -> Mapping[int, int]:
    """Instructions of each step."""
    return {i: count.instructions for i, count in enumerate(proof.steps)}
