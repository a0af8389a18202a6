# SPDX-License-Identifier: Apache-2.0
"""What the removal of dead channels brought, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuplan.budget.metrics import network_totals
from mcuplan.findings import Finding, Severity
from mcuplan.ir.graph import Graph, Node
from mcuplan.passes.dead_channels import Removal
from mcuplan.passes.near_dead import idle_weights, sums_channels
from mcuplan.record import Calibration, IdleWeights, Loss, NearDead, Planned, Totals
from mcuplan.repair.trim import NOTHING_NEAR_DEAD, seen_of
from mcuplan.schedule.planning.relower import lowered_again
from mcuplan.units import counted

__all__ = [
    "deployed_totals",
    "exact_removal",
    "idle_layers",
    "loss_of",
    "near_dead_findings",
    "near_dead_layers",
    "removal_findings",
    "removed_channels",
]


def removed_channels(removal: Removal) -> Mapping[str, int]:
    """By activation, for those that lost any: how many channels."""
    whole = removal.whole
    return {n: whole.tensor(n).type.channels - len(kept) for n, kept in removal.kept.items()}


def deployed_totals(removal: Removal, whole: Totals) -> Totals:
    """Totals of what is deployed: those of the whole network where nothing was removed."""
    return network_totals(removal.graph) if removal.kept else whole


def removal_findings(removal: Removal) -> list[Finding]:
    """A note with the figures of both graphs; none where nothing was removed."""
    lost = removed_channels(removal)
    layers = sum(node.output in lost and not node.op.is_view for node in removal.graph.nodes)
    if not layers:
        return []
    more = "" if removal.real_ranges else "; activation ranges may show more of them"
    before, after = network_totals(removal.whole), network_totals(removal.graph)
    return [
        Finding(
            "model/dead-channels",
            Severity.NOTE,
            f"{counted(layers, 'layer')} had channels that no output depends on; without them "
            f"every output byte is the same: {before.macs:,} -> {after.macs:,} MACs, "
            f"{_weights(removal.whole):,} -> {_weights(removal.graph):,} B of weights{more}",
            hint="--keep-dead-channels leaves them",
        )
    ]


def _weights(graph: Graph) -> int:
    """Bytes of all weights, biases not counted."""
    names = {n.inputs[n.op.weight_inputs[0]] for n in graph.nodes if n.op.weight_inputs}
    return sum(graph.tensor(name).type.nbytes for name in names)


def exact_removal(planned: Planned) -> Removal:
    """What goes without any output byte changing."""
    if not planned.trimmed.silent:
        return planned.removal
    return lowered_again(planned, NOTHING_NEAR_DEAD.silent)


def near_dead_layers(planned: Planned) -> tuple[NearDead, ...]:
    """What channels cost that readers hardly see: the graph with them less that without."""
    trimmed = planned.trimmed
    if not trimmed.listed:
        return ()
    whole = exact_removal(planned).graph
    fewer = lowered_again(planned, trimmed.listed).graph
    after = {node.name: node for node in fewer.nodes}
    found = []
    for node in whole.nodes:
        if node.output not in trimmed.listed or node.op.is_view:
            continue
        silent = trimmed.silent.get(node.output, np.full(1, np.nan))
        pairs = ((whole, node), (fewer, after[node.name]))
        (macs, made, weights), less = (_figures(*pair) for pair in pairs)
        found.append(
            NearDead(
                whole.node_name(node),
                int((~np.isnan(trimmed.listed[node.output])).sum()),
                whole.tensor(node.output).type.channels,
                macs - less[0],
                made - less[1],
                weights - less[2],
                bool((~np.isnan(silent)).any()),
            )
        )
    return tuple(found)


def idle_layers(planned: Planned) -> tuple[IdleWeights, ...]:
    """What weights cost that outputs hardly show, on the samples of calibration."""
    calibrated, graph = planned.calibration, planned.lowered
    if calibrated is None or calibrated.data.random:
        return ()
    seen, found = seen_of(calibrated.extremes), list[IdleWeights]()
    for node in graph.nodes:
        read = seen.get(node.inputs[0]) if node.inputs else None
        if read is None or node.inputs[0] in planned.removal.kept or not sums_channels(graph, node):
            continue
        sig, (zero, idle) = graph.signature(node), idle_weights(graph, node, read)
        weights = sig.inputs[1]
        if zero + idle:
            places = sig.output.elements // sig.output.channels
            bits = (zero + idle) * weights.dtype.bits
            figures = (zero, idle, weights.elements, (zero + idle) * places, bits // 8)
            found.append(IdleWeights(graph.node_name(node), *figures))
    return tuple(found)


def _figures(graph: Graph, node: Node) -> tuple[int, int, int]:
    """Multiply-accumulates, bytes of the output and of constants."""
    sig = graph.signature(node)
    constants = (graph.tensor(name) for name in node.inputs)
    held = sum(tensor.type.nbytes for tensor in constants if tensor.is_constant)
    return sig.cost.macs, sig.output.nbytes, held


def loss_of(planned: Planned) -> Loss | None:
    """What outputs lose; None where nobody asked."""
    lost, allowed = planned.trimmed.lost, planned.request.max_loss
    if lost is None or allowed is None:
        return None
    before, after = round(lost.before, 4), round(lost.after, 4)
    return Loss(lost.measure, lost.samples, before, after, allowed)


def near_dead_findings(seen: Calibration | None) -> list[Finding]:
    """Notes: which channels readers hardly see, and what is lost without."""
    if seen is None:
        return []
    layers, lost, found = seen.near_dead, seen.loss, []
    gone = sum(row.removed for row in layers)
    if layers:
        channels, macs = sum(row.channels for row in layers), sum(row.macs for row in layers)
        weights = sum(row.weights_bytes for row in layers)
        largest = max(layers, key=lambda row: (row.macs, row.weights_bytes))
        verb = "shows" if channels == 1 else "show"
        text = (
            f"{counted(channels, 'channel')} of {counted(len(layers), 'layer')} {verb} in no output"
            f" of a reader by more than half a step: {macs:,} MACs, {weights:,} B of weights"
        )
        if gone:
            text += f"; without those of {counted(gone, 'layer')}"
        found.append(
            Finding(
                "model/near-dead-channels",
                Severity.NOTE,
                text + (_said(lost) if gone and lost is not None else ""),
                largest.layer,
                "" if lost is not None else "--max-loss 1% removes them as far as outputs allow",
            )
        )
    if lost is not None and not gone:
        text = f"nothing was removed for --max-loss {lost.allowed:g}%:{_said(lost)}"
        found.append(Finding("quant/loss", Severity.NOTE, text))
    return found


def _said(loss: Loss) -> str:
    return (
        f" {loss.measure} {_percent(loss.before)} -> {_percent(loss.after)} off the float model, "
        f"on {loss.samples:,} samples of calibration"
    )


def _percent(value: float) -> str:
    return f"{value:.2f} %"
