# SPDX-License-Identifier: Apache-2.0
"""What the removal of dead channels brought, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

from mcuplan.budget.metrics import network_totals
from mcuplan.findings import Finding, Severity
from mcuplan.ir.graph import Graph
from mcuplan.passes.dead_channels import Removal
from mcuplan.record import Totals

__all__ = ["deployed_totals", "removal_findings", "removed_channels"]


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
            f"{layers:,} layers had channels that no output depends on; without them every "
            f"output byte is the same: {before.macs:,} -> {after.macs:,} MACs, "
            f"{_weights(removal.whole):,} -> {_weights(removal.graph):,} B of weights{more}",
            hint="--keep-dead-channels leaves them",
        )
    ]


def _weights(graph: Graph) -> int:
    """Bytes of all weights, biases not counted."""
    names = {n.inputs[n.op.weight_inputs[0]] for n in graph.nodes if n.op.weight_inputs}
    return sum(graph.tensor(name).type.nbytes for name in names)
