# SPDX-License-Identifier: Apache-2.0
"""Everything a verification shows, as records of the report and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcuplan.budget import Accuracy, BuildFigures, ElfFigures, StackFigures, Verification
from mcuplan.calibrate import Data
from mcuplan.findings import Finding, Severity
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Array
from mcuplan.prove.boundary import boundary_inputs, real_inputs, real_outputs
from mcuplan.prove.compare import LayerError, RuntimeValues, layer_errors, layer_lsb, runtime_values
from mcuplan.prove.score import Labelled, agreement, lost, score
from mcuplan.prove.verify import CoreProof, HostProof, Measured

__all__ = [
    "Agreement",
    "Thresholds",
    "against_runtime",
    "core_record",
    "host_record",
    "layer_name",
    "measured_build",
    "measured_cycles",
    "measured_instructions",
]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of a verification: what is more than this is a finding and fails.

    ``layer_error`` is relative to the size of a layer's values. ``decisions`` is the least
    share of samples with the runtime's decision; below ``few`` samples one may differ.
    ``accuracy`` is in points (hundredths) of the score, ``auc`` likewise.
    """

    layer_lsb: int = 1
    layer_error: float = 0.5
    few: int = 200
    decisions: float = 0.99
    accuracy: float = 1.0
    auc: float = 5.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """The integer program beside ONNX Runtime on the same samples.

    ``layers`` by tensor. ``diverging`` is the first layer beyond the limit: more than
    1 LSB (quantized model), or an error larger than half the value (float model).
    """

    layers: Mapping[str, LayerError]
    diverging: str | None
    max_lsb: int | None
    exact_share: float | None
    decisions: float | None
    accuracy: Accuracy | None
    findings: tuple[Finding, ...]

    @property
    def layer_max_lsb(self) -> int | None:
        """The worst layer of a quantized model."""
        return max((e.max_lsb for e in self.layers.values() if e.max_lsb is not None), default=None)


def against_runtime(
    path: Path, graph: Graph, data: Data, *, quantized: bool, limits: Thresholds | None = None
) -> Agreement:
    """Run model file and integer program on the same samples and compare.

    Args:
        path: the model file.
        graph: int8 graph.
        data: samples, with labels where there are any.
        quantized: the model brings its own grids; its layers are compared one by one.
        limits: what counts as a finding.

    Raises:
        DataError: the labels do not fit the outputs.
    """
    limits = limits or Thresholds()
    feeds = boundary_inputs(graph, data)
    collected = _Collected()
    if quantized:
        layers = layer_lsb(graph, feeds, collected.watch(runtime_values(path, graph, data)))
        table = {layer.tensor: layer for layer in layers}
        diverging = next((n for n, e in table.items() if (e.max_lsb or 0) > limits.layer_lsb), None)
    else:
        table = _float_layers(graph, feeds, collected.watch(runtime_values(path, graph, data)))
        diverging = next(
            (n for n, e in table.items() if (e.error or 0.0) > limits.layer_error), None
        )
    ours = evaluate(graph, feeds)
    mine = [real_outputs(graph, port, ours[port.tensor]) for port in graph.outputs]
    theirs = collected.outputs()
    max_lsb, exact = _end_to_end(graph, mine, theirs) if quantized else (None, None)
    decisions = _decisions(mine[0], theirs[0])
    accuracy = _accuracy(graph, data, mine[0], theirs[0])
    findings = [
        *_layer_findings(graph, table, diverging, limits, quantized=quantized),
        *_decision_findings(decisions, data.samples, limits, quantized=quantized),
        *_accuracy_findings(accuracy, data, limits, quantized=quantized),
    ]
    return Agreement(table, diverging, max_lsb, exact, decisions, accuracy, tuple(findings))


class _Collected:
    """Keeps the outputs of blocks that stream past."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Array, ...]] = []

    def watch(self, blocks: Iterator[RuntimeValues]) -> Iterator[RuntimeValues]:
        """The same blocks, outputs kept."""
        for block in blocks:
            self._blocks.append(block.outputs)
            yield block

    def outputs(self) -> list[Array]:
        """Each output over all samples."""
        return [np.concatenate(parts) for parts in zip(*self._blocks, strict=True)]


def _float_layers(
    graph: Graph, feeds: Mapping[str, Array], blocks: Iterator[RuntimeValues]
) -> dict[str, LayerError]:
    sums: dict[str, list[float]] = {}
    names = [name for node in graph.nodes for name in node.outputs]
    start = 0
    for block in blocks:
        stop = start + len(block.outputs[0])
        ours = evaluate(graph, {n: a[start:stop] for n, a in feeds.items()}, names)
        start = stop
        for name, (apart, size) in layer_errors(graph, ours, block).items():
            total = sums.setdefault(name, [0.0, 0.0])
            total[0] += apart
            total[1] += size
    return {
        name: LayerError(name, error=float(np.sqrt(apart / size)) if size else 0.0)
        for name in names
        if name in sums
        for apart, size in [sums[name]]
    }


def _end_to_end(graph: Graph, mine: list[Array], theirs: list[Array]) -> tuple[int, float]:
    """Largest difference in LSB and share of equal output elements."""
    worst, equal, count = 0, 0, 0
    for port, one, other in zip(graph.outputs, mine, theirs, strict=True):
        scale = graph.tensor(port.tensor).type.q.s
        apart = np.rint(np.abs(one - other) / scale)
        worst = max(worst, int(apart.max(initial=0)))
        equal += int((apart == 0).sum())
        count += apart.size
    return worst, equal / max(1, count)


def _decisions(mine: Array, theirs: Array) -> float | None:
    return agreement(mine, theirs) if mine.shape[1] > 1 else None


def _accuracy(graph: Graph, data: Data, mine: Array, theirs: Array) -> Accuracy | None:
    if data.labels is None:
        return None
    held = Labelled(data.labels, data.groups, real_inputs(graph, data))
    metric, integer = score(mine, held)
    return Accuracy(metric, score(theirs, held)[1], integer)


def _layer_findings(
    graph: Graph,
    table: Mapping[str, LayerError],
    diverging: str | None,
    limits: Thresholds,
    *,
    quantized: bool,
) -> Iterator[Finding]:
    if diverging is None:
        return
    layer = table[diverging]
    if quantized:
        yield Finding(
            "verify/layer",
            Severity.ERROR,
            f"a layer is {layer.max_lsb} LSB off the runtime's, {limits.layer_lsb} allowed",
            layer_name(graph, diverging),
        )
    else:
        yield Finding(
            "verify/layer-error",
            Severity.WARNING,
            f"quantization error is {100 * (layer.error or 0):.0f} % of the layer's values",
            layer_name(graph, diverging),
            "calibrate with more representative inputs",
        )


def layer_name(graph: Graph, tensor: str) -> str:
    """What makes a tensor, by the name the user knows."""
    producer = graph.producers().get(tensor)
    return graph.node_name(producer) if producer is not None else graph.tensor_name(tensor)


def _decision_findings(
    decisions: float | None, samples: int, limits: Thresholds, *, quantized: bool
) -> Iterator[Finding]:
    if decisions is None or not quantized:
        return
    differing = round((1 - decisions) * samples)
    allowed = 1 if samples < limits.few else int((1 - limits.decisions) * samples)
    if differing > allowed:
        yield Finding(
            "verify/accuracy",
            Severity.ERROR,
            f"{differing} of {samples} decisions differ from ONNX Runtime, {allowed} allowed",
        )


def _accuracy_findings(
    accuracy: Accuracy | None, data: Data, limits: Thresholds, *, quantized: bool
) -> Iterator[Finding]:
    if accuracy is None or accuracy.float_ is None or quantized:
        return
    if accuracy.metric == "auc":
        allowed = limits.auc / 100
    elif accuracy.metric == "top-1":
        count = data.samples if data.groups is None else int(data.groups.max()) + 1
        allowed = 1.001 / count if count < limits.few else limits.accuracy / 100
    else:
        return
    worse = lost(accuracy.metric, accuracy.float_, accuracy.integer)
    if worse > allowed + 1e-9:
        yield Finding(
            "verify/accuracy",
            Severity.ERROR,
            f"{accuracy.metric} falls from {accuracy.float_:.4f} to {accuracy.integer:.4f}",
            hint="calibrate with more representative inputs, or another --observer",
        )


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
    )


def core_record(proof: CoreProof) -> Verification:
    """The report's record of a run on an emulated core."""
    report, stack = proof.measured.report, proof.measured.stack
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
    )


def measured_build(measured: Measured) -> BuildFigures:
    """Sizes of the linked image, which take the place of the model's."""
    report = measured.report
    return BuildFigures(
        code_bytes=report.code_bytes + report.code_padding_bytes + report.unnamed_constants_bytes,
        library_bytes=report.library_bytes,
        constants_bytes=report.constants_bytes + report.constants_padding_bytes,
        data_bytes=report.data_bytes,
        stack_bytes=measured.stack.nbytes,
        compiler=measured.compiler,
        flags=" ".join(measured.flags),
    )


def measured_cycles(proof: CoreProof) -> Mapping[int, int]:
    """Cycles of each step, where the core has a cycle table."""
    return {i: count.cycles for i, count in enumerate(proof.steps) if count.cycles is not None}


def measured_instructions(proof: CoreProof) -> Mapping[int, int]:
    """Instructions of each step."""
    return {i: count.instructions for i, count in enumerate(proof.steps)}
